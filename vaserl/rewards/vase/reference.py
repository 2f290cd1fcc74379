"""Writes the reference caption of a museum's record: it states all facts, in the usual form of museum labels.

Example: Athenian black-figure neck-amphora, c. 525–475 BCE, depicting a warrior, attributed to the Antimenes Painter.
"""

import re
from collections.abc import Mapping
from typing import Literal

from vaserl.rewards.vase.attribution import display
from vaserl.rewards.vase.config import RewardConfig
from vaserl.rewards.vase.decoration import decoration_words
from vaserl.rewards.vase.lexicon import Vocabulary, lexicon, proper_names
from vaserl.rewards.vase.parse import Facts, Term, parse_record
from vaserl.rewards.vase.penalties import count_words, repetition_penalty
from vaserl.rewards.vase.text import CONNECTIVES, STOP_WORDS, normalize, sequence_words, tokens, word_list
from vaserl.types import FIELD_OF_DIMENSION

_DEFAULT = RewardConfig()


def reference_caption(record: Mapping[str, str], config: RewardConfig = _DEFAULT) -> str:
    """Returns the caption that a perfect policy would write for a museum's record.

    The record's keys are field names of the Beazley archive. A value that isn't in the lexicon is stated with a label:
    "Shape: …". If the caption would be longer than `length_free_words` words, or would get a repetition penalty, the
    decoration becomes a list of its phrases without articles and, if need be, without other function words. A caption
    of at most `length_free_words` words has a reward of at least 0.95 plus the bonus.

    Raises: ValueError if the record states none of the six dimensions.
    """
    facts = parse_record(record, config.parser)
    if facts == Facts():
        raise ValueError("the record states none of the six dimensions")
    decoration = normalize(record.get(FIELD_OF_DIMENSION["decoration"], ""), config.parser.max_chars)
    caption = _caption(facts, _phrase(decoration), config)
    if not _is_free(caption, config):
        shorter = [_caption(facts, _list(decoration, left_out), config) for left_out in _LEFT_OUT]
        caption = next((text for text in shorter if _is_free(text, config)), None) or next(
            (
                text
                for text in shorter
                if count_words(text, config) <= config.length_full_words and not _repeats(text, config)
            ),
            shorter[-1],
        )
    return caption


def caption_from_facts(facts: Facts, config: RewardConfig = _DEFAULT) -> str:
    """Returns a caption that states these facts; the decoration is written as a list of lemmas.

    Raises: ValueError if `facts` has no value in any dimension.
    """
    if facts == Facts():
        raise ValueError("facts must have a value in at least one dimension")
    return _caption(facts, " ".join(facts.decoration), config)


def _caption(facts: Facts, decoration: str, config: RewardConfig) -> str:
    shape = _joined("shape", facts.shape) or "vase"
    head = " ".join(filter(None, (_joined("fabric", facts.fabric), _joined("technique", facts.technique), shape)))
    clauses = [head, *(str(interval) for interval in facts.dating)]
    if facts.decoration:
        clauses.append(f"depicting {decoration}")
    if facts.attribution:
        clauses.append(f"attributed to {display(facts.attribution[0])}")
    sentence = ", ".join(clauses)
    unknown = "; ".join(
        f"{dimension.capitalize()}: {term.text}"
        for dimension in _VOCABULARIES
        for term in facts[dimension]
        if not term.id
    )
    text = f"{sentence[0].upper()}{sentence[1:]}." + (f" {unknown}." if unknown else "")
    if count_words(text, config) >= config.short_words:
        return text
    # A caption of fewer words would get the penalty for short captions.
    subject = "This vase is" if facts.shape and facts.shape[0].id else "This is"
    return f"{subject} {_article(head)} {sentence}." + (f" {unknown}." if unknown else "")


_VOCABULARIES: tuple[Literal["fabric", "technique", "shape"], ...] = ("fabric", "technique", "shape")
_LABEL = r"(?:[a-z](?: ?[,&-] ?[a-z])*|uh|ext|int|(?:under )?handles?|body|shoulder|neck|lid|predella|tondo|rim|foot)"
_PART = re.compile(rf"^(?P<label>{_LABEL}) ?: *")
_PARTS = re.compile(rf"\||[,.;]? +(?={_LABEL} ?:)")
_SIDES = {"a": "on one side", "b": "on the other side", "i": "inside", "ext": "outside", "int": "inside"}
_CONNECTORS = re.compile(r" (?:and|with|in|on|at|of|to|between|by|over|from|[a-z]+ing)\b")
_ARTICLES = frozenset(("a", "an", "the"))
_LIGHT = _ARTICLES | frozenset(
    (
        *("his", "her", "its", "their", "it", "he", "she", "they", "which", "who", "whom", "this", "that", "both"),
        *("is", "are", "was", "were", "while", "as", "there", "also", "then", "very"),
    )
)
_LEFT_OUT = (_ARTICLES, _LIGHT, _LIGHT | {"to", "of", "at", "by", "in", "on"}, STOP_WORDS, STOP_WORDS | CONNECTIVES)
"""Words that a long decoration's list leaves out, those that are missed least first."""
_WITHOUT_ARTICLE = word_list("without_article.txt")


def _is_free(caption: str, config: RewardConfig) -> bool:
    """Returns True if the caption gets no penalty for its length or for repetitions."""
    return count_words(caption, config) <= config.length_free_words and not _repeats(caption, config)


def _repeats(caption: str, config: RewardConfig) -> bool:
    return repetition_penalty(sequence_words(caption), config) > 0


def _joined(vocabulary: Vocabulary, terms: tuple[Term, ...]) -> str:
    return " and ".join(lexicon(vocabulary)[term.id].names[0] for term in terms if term.id)


def _phrase(decoration: str) -> str:
    """Formats a record's normalised "Decoration" field as the words after "depicting" in a caption.

    A scene that is on both sides of the vase is written once.
    """
    scenes: dict[str, str] = {}
    for part in _PARTS.split(decoration):
        part = part.strip()
        label = _PART.match(part)
        scene = " ".join(re.sub(r"[.;:()?]|\bthis\b", " ", part[label.end() :] if label else part).split())
        scene = scene.replace(" ,", ",").strip(", ")
        if scene:
            place = _SIDES.get(label["label"], "") if label else ""
            # A scene that occurs twice is on both sides, and its place is not named.
            scenes[scene] = "" if scene in scenes else place
    sided = len(scenes) > 1
    return ", ".join(f"{_written(scene)}{' ' + place if sided and place else ''}" for scene, place in scenes.items())


def _list(decoration: str, left_out: frozenset[str]) -> str:
    """Formats a long "Decoration" field as a list of its phrases: "young satyr, old satyr, Ajax".

    Omits labels, the words `left_out`, and phrases that add no word to those before.
    """
    names = proper_names() | _adjectives()
    seen: set[str] = set()
    phrases = []
    for part in _PARTS.split(decoration):
        label = _PART.match(part.strip())
        for piece in re.split(r"[,.;:()?]", part.strip()[label.end() :] if label else part):
            words = [word for word in piece.split() if word not in left_out]
            lemmas = decoration_words(tokens(piece))
            if not seen.issuperset(lemmas):
                seen.update(lemmas)
                phrases.append(" ".join(word.capitalize() if word in names else word for word in words))
    return ", ".join(phrases)


def _written(scene: str) -> str:
    """Capitalises the names in the description of a scene, and adds "a" or "an" if it starts with a single figure."""
    names = proper_names() | _adjectives()
    noun_phrase = _CONNECTORS.split(scene, maxsplit=1)[0].split(",")[0].split()
    words = [word.capitalize() if word.rstrip(",") in names else word for word in scene.split(" ")]
    single = not (
        any(w in names and w not in _adjectives() for w in noun_phrase)
        or any(w.endswith("s") or w in _WITHOUT_ARTICLE or w.isdigit() for w in noun_phrase)
    )
    return " ".join([_article(scene), *words] if single else words)


def _adjectives() -> frozenset[str]:
    return frozenset(entry.names[0].lower() for entry in lexicon("fabric").values())


# Words whose first letter is a vowel and whose first sound is a consonant ("a one-handled cup"), and the reverse.
_SOUNDS_LIKE_CONSONANT = re.compile(r"eu|ewe|uni(?!n|m)|us[aeu]|ut[ei]|ubi|one\b|once\b")
_SOUNDS_LIKE_VOWEL = re.compile(r"hour|honest|honou?r|heir")


def _article(phrase: str) -> str:
    start = phrase.lower()
    vowel = start[:1] in tuple("aeiou") and not _SOUNDS_LIKE_CONSONANT.match(start)
    return "an" if vowel or _SOUNDS_LIKE_VOWEL.match(start) else "a"
