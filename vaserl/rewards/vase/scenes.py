"""Words a record's "Decoration" field as the phrase after "depicting" in a reference caption."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vaserl.rewards.vase.decoration import decoration_words
from vaserl.rewards.vase.noun_phrases import (
    PREPOSITIONS,
    begins_with_preposition,
    is_event,
    is_joined,
    is_modified,
    with_articles,
)
from vaserl.rewards.vase.proper_nouns import capitalised
from vaserl.rewards.vase.text import tokens
from vaserl.rewards.vase.vase_parts import LABEL, place_of

_LABELLED = re.compile(
    rf"(?:^|(?<=[\s.,;|]))(?P<label>{LABEL}) ?: *|(?:^|(?<=[;|.:] ))(?P<listed>[abi]|a ?[-&] ?b|above|below), +(?=\w)"
)
"""A label before a scene, "neck, a:", or as in Beazley's lists, "i, achilles; a-b, horsemen"."""
_LEADING = re.compile(
    r"^(?:(?:depict|show|represent|portray|illustrat|featur)(?:s|es|ing)?|(?:the |a )?(?:scenes?|depictions?) of)\s+"
)
_APPOSITION = "="
_ONE_SIDE_OF, _OTHER_SIDE_OF = "on one side of ", "on the other side of "
_BEGINS_OPENLY = re.compile(
    r"(?:one|two|three|some|others?|both|each|all|with|in|on|at|between|under|except|to|from|by|behind|raised|enveloped"
    r"|wrapped|damaged|the (?:left|right)|\w+ing|\w+ly)\b"
)
_REFERENCE = re.compile(r"\bas (?:above|before|on the last)\b")
"""A reference of a catalogue to its own entries."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """One scene of a vase: its phrases in lower case, and where on the vase it is."""

    phrases: tuple[tuple[str, ...], ...]
    place: str


def scene_phrase(decoration: str, names: Mapping[str, str]) -> str:
    """Words a normalised "Decoration" field: "a: theseus | b: youth" becomes "on one side Theseus, and on the other
    side a youth".

    A scene that is on both sides of the vase is written once. names: kinds of the names, as returned by `names_in`.
    """
    scenes = _merged(_scenes(decoration))
    written = [_joined([_added(phrase, names, True) for phrase in scene.phrases], scene) for scene in scenes]
    if len(scenes) == 1 and scenes[0].place in ("", "on one side"):
        return written[0]
    if len(scenes) == 1 and scenes[0].place == "on both sides":
        return f"{written[0]} on both sides"
    placed: list[str] = []
    for index, (scene, text) in enumerate(zip(scenes, written, strict=True)):
        before = scenes[index - 1].place if index else ""
        if scene.place == before.replace(_ONE_SIDE_OF, _OTHER_SIDE_OF) != before:  # "on the neck an owl at the front …"
            part = before.removeprefix(_ONE_SIDE_OF)
            front = f"on {part} {written[index - 1]} at the front"
            placed[-1] = f"{front}{', and' if is_modified(written[index - 1]) else ' and'} {text} at the back"
        elif scene.place and scene.place == before:
            placed.append(text)
        else:
            placed.append(f"{scene.place} {text}".strip())
    return ", and ".join(filter(None, (", ".join(placed[:-1]), *placed[-1:])))


def scene_list(decoration: str, names: Mapping[str, str], articles: bool) -> str:
    """Words a long normalised "Decoration" field as a list of its phrases without places: "a young satyr, Ajax with a
    shield".

    Leaves out phrases that add no word to those before. names: as in `scene_phrase`. articles: False to leave out all
    articles, those of the text too.
    """
    seen: set[str] = set()
    listed = []
    for scene in _scenes(decoration):
        for phrase in scene.phrases:
            lemmas = decoration_words(tokens(" ".join(phrase)))
            if not seen.issuperset(lemmas):
                seen.update(lemmas)
                kept = phrase if articles else tuple(word for word in phrase if word not in ("a", "an", "the"))
                listed.append(_added(kept, names, articles))
    return ", ".join(listed)


def keyword_list(decoration: str, names: Mapping[str, str]) -> str:
    """Words a very long normalised "Decoration" field as a list of its content words without repetitions."""
    words = dict.fromkeys(word for word in tokens(decoration) if decoration_words([word]))
    lemmas = {decoration_words([word]): word for word in reversed(words)}
    return " ".join(capitalised(word, names) for word in reversed(lemmas.values()))


def _scenes(decoration: str) -> list[_Scene]:
    found = []
    for part in decoration.split("|"):
        labels = list(_LABELLED.finditer(part))
        starts = [0, *(label.end() for label in labels)]
        ends = [*(label.start() for label in labels), len(part)]
        places = ["", *(place_of(label["label"] or label["listed"]) for label in labels)]
        for start, end, place in zip(starts, ends, places, strict=True):
            phrases = _phrases(part[start:end])
            if phrases:
                found.append(_Scene(phrases, place))
    return found


def _phrases(text: str) -> tuple[tuple[str, ...], ...]:
    """Returns the phrases of a scene between commas, each as words; "?" stands for "(?)", and `_APPOSITION` begins a
    phrase that was in brackets."""
    scene = re.sub(r"\s--+\s", ", ", _LEADING.sub("", text.strip()))
    scene = re.sub(r"\b(nos?|ca?|figs?|pls?|st|hts?)\.", r"\1", scene)
    scene = _REFERENCE.sub(",", re.sub(r"\( ?\?+ ?\)|(?<=\w)\?", " ? ", scene))
    scene = re.sub(r"\b(and|or) \(([^()]*)\)", r"\1 \2", scene)  # "Theseus and (the bull?)"
    scene = re.sub(rf" \(((?:{'|'.join(sorted(PREPOSITIONS))}) [^()]*)\)", r" \1", scene)  # "an owl (on a diskos)"
    scene = re.sub(r"\bthis\b", " ", scene)
    scene = re.sub(r"\)|[.;](?=\s|$)", ",", re.sub(r"\(|:(?=\s|$)", f", {_APPOSITION} ", scene))
    pieces = (tuple(piece.split()) for piece in scene.split(","))
    return tuple(piece for piece in pieces if not {"?", _APPOSITION}.issuperset(piece))


def _merged(scenes: list[_Scene]) -> list[_Scene]:
    """Writes a scene that occurs twice once: on both sides, if it is on one and on the other."""
    merged: dict[tuple[tuple[str, ...], ...], _Scene] = {}
    for scene in scenes:
        before = merged.get(scene.phrases)
        places = {before.place, scene.place} if before else {scene.place}
        place = "on both sides" if places == {"on one side", "on the other side"} else scene.place
        if before and len(places) > 1 and place != "on both sides":
            place = " and ".join(filter(None, (before.place, scene.place)))
        merged[scene.phrases] = _Scene(scene.phrases, place)
    return list(merged.values())


def _added(phrase: Sequence[str], names: Mapping[str, str], articles: bool) -> str:
    plain = [word for word in phrase if word != _APPOSITION]
    is_gloss = len(plain) == 1 < len(phrase)  # "a drinking horn, keras"
    words = with_articles(plain, names) if articles and not is_gloss else [word for word in plain if word != "?"]
    return " ".join(capitalised(word, names) for word in words)


def _joined(written: Sequence[str], scene: _Scene) -> str:
    """Joins the phrases of a scene by commas, and by "and" before the last if it ends a list."""
    *others, last = written
    if not others:
        return last
    if len(others) == 1 and begins_with_preposition(others[0]):  # "in the centre Eros"
        return f"{others[0]} {last}"
    apart = _BEGINS_OPENLY.match(last) or is_joined(last) or scene.phrases[-1][0] == _APPOSITION
    if apart or (len(others) == 1 and is_event(scene.phrases[0])):
        return ", ".join(written)
    is_long = is_modified(others[-1]) or is_joined(others[-1]) or scene.phrases[-2][0] == _APPOSITION
    return ", ".join(others) + (", and " if is_long else " and ") + last
