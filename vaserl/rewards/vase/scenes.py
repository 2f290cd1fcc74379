"""Words a record's "Decoration" field as the phrase after "depicting" in a reference caption."""

import re
from collections.abc import Collection

from vaserl.rewards.vase.decoration import decoration_words
from vaserl.rewards.vase.lexicon import lexicon, proper_names
from vaserl.rewards.vase.text import CONNECTIVES, STOP_WORDS, normalize, tokens, word_list

_REGISTER = r"(?:top|middle|bottom|upper|lower|above|below)(?: (?:row|register|frieze|zone|band))?"
_LABEL = (
    r"(?:[a-z](?: ?[,&-] ?[a-z])*|uh|ext|int|(?:under )?handles?|body|shoulder|neck|lid|predella|tondo|rim|foot"
    rf"|{_REGISTER})"
)
_PART = re.compile(rf"^(?P<label>{_LABEL}) ?: *")
_PARTS = re.compile(rf"\||(?<!\bunder)[,.;]? +(?={_LABEL} ?:)")
_PLACES = {
    "a": "on one side",
    "b": "on the other side",
    "i": "inside",
    "int": "inside",
    "tondo": "inside",
    "ext": "outside",
    "above": "above",
    "below": "below",
    **{part: f"on the {part}" for part in ("neck", "shoulder", "lid", "rim", "body")},
    **{part: f"at the {part}" for part in ("top", "bottom")},
    **dict.fromkeys(("uh", "under handle", "under handles"), "under the handles"),
}
_CONNECTORS = re.compile(r" (?:and|with|in|on|at|of|to|between|by|over|from|[a-z]+ing)\b")
_LEADING = re.compile(
    r"^(?:(?:depict|show|represent|portray|illustrat|featur)(?:s|es|ing)?|(?:the |a )?(?:scenes?|depictions?) of)\s+"
)
_ARTICLES = frozenset(("a", "an", "the"))
_LIGHT = _ARTICLES | frozenset(
    (
        *("his", "her", "its", "their", "it", "he", "she", "they", "which", "who", "whom", "this", "that", "both"),
        *("is", "are", "was", "were", "while", "as", "there", "also", "then", "very"),
    )
)
LEFT_OUT = (_ARTICLES, _LIGHT, _LIGHT | {"to", "of", "at", "by", "in", "on"}, STOP_WORDS, STOP_WORDS | CONNECTIVES)
"""Words that the list of a long decoration leaves out, in several degrees; those that are missed least come first."""
_WITHOUT_ARTICLE = word_list("without_article.txt")
# Words whose first letter is a vowel and whose first sound is a consonant ("a one-handled cup"), and the reverse.
_SOUNDS_LIKE_CONSONANT = re.compile(r"eu|ewe|uni(?!n|m)|us[aeu]|ut[ei]|ubi|one\b|once\b")
_SOUNDS_LIKE_VOWEL = re.compile(r"hour|honest|honou?r|heir")


def scene_phrase(decoration: str, names: Collection[str]) -> str:
    """Words a normalised "Decoration" field: "a: theseus | b: youth" becomes "Theseus on one side, a youth on the other
    side".

    A scene that is on both sides of the vase is written once. names: words in lower case that are written with a
    capital, as returned by `names_in`.
    """
    scenes: dict[str, str] = {}
    for part in _PARTS.split(decoration):
        part = part.strip()
        label = _PART.match(part)
        scene = _scene(part[label.end() :] if label else part)
        scene = re.sub(r"\s*[.;:](?=\s|$)", ",", re.sub(r"[()?]|\bthis\b", " ", scene))
        scene = re.sub(r"[\s,]*,[\s,]*", ", ", " ".join(scene.split())).strip(", ")
        if scene:
            place = _place(label["label"]) if label else ""
            # A scene that occurs twice is on both sides, and its place is not named.
            scenes[scene] = "" if scene in scenes else place
    sided = len(scenes) > 1
    return ", ".join(
        f"{_written(scene, names)}{' ' + place if sided and place else ''}" for scene, place in scenes.items()
    )


def scene_list(decoration: str, left_out: Collection[str], names: Collection[str]) -> str:
    """Words a long normalised "Decoration" field as a list of its phrases: "young satyr, old satyr, Ajax".

    Leaves out labels, the words `left_out`, and phrases that add no word to those before. names: as in `scene_phrase`.
    """
    seen: set[str] = set()
    phrases = []
    for part in _PARTS.split(decoration):
        label = _PART.match(part.strip())
        text = _scene(part.strip()[label.end() :] if label else part.strip())
        for piece in re.split(r"[,.;:()?]", text):
            words = [word for word in piece.split() if word not in left_out]
            lemmas = decoration_words(tokens(piece))
            if not seen.issuperset(lemmas):
                seen.update(lemmas)
                phrases.append(" ".join(_capitalised(word, names) for word in words))
    return ", ".join(phrases)


def names_in(text: str) -> frozenset[str]:
    """Returns the words of a "Decoration" field that are names, in lower case: figures of the lexicon and, in a text in
    sentence case, words with a capital within a phrase."""
    known = proper_names() | frozenset(entry.names[0].lower() for entry in lexicon("fabric").values())
    words = re.findall(r"[^\W\d_]{2,}", text)
    if sum(word[0].isupper() for word in words) > len(words) / 2:
        return known  # capitals throughout, or in each word, as in a title
    inner = re.findall(r"(?<=[^\W\d_] )[^\W\d_]{2,}", text)
    return known | {normalize(word, len(word)) for word in inner if word[0].isupper()}


def indefinite_article(phrase: str) -> str:
    """Returns "a" or "an", by the first sound of the phrase."""
    start = phrase.lower()
    vowel = start[:1] in tuple("aeiou") and not _SOUNDS_LIKE_CONSONANT.match(start)
    return "an" if vowel or _SOUNDS_LIKE_VOWEL.match(start) else "a"


def _place(label: str) -> str:
    """Returns the words for a part of the vase: "on one side" for "a", "in the upper row" for "upper row"."""
    if label not in _PLACES and re.fullmatch(_REGISTER, label):
        return f"in the {label}" if " " in label or label == "middle" else f"in the {label} register"
    return _PLACES.get(label, "")


def _scene(text: str) -> str:
    """Returns a scene without abbreviations' points and without words before it, such as "depicts" and "scene of"."""
    scene = re.sub(r"\s--+\s", ", ", _LEADING.sub("", text.strip()))
    return re.sub(r"\b(nos?|ca?|figs?|pls?|st|hts?)\.", r"\1", scene)


def _written(scene: str, names: Collection[str]) -> str:
    """Capitalises the names in the description of a scene, and adds "a" or "an" if it starts with a single figure."""
    noun_phrase = _CONNECTORS.split(scene, maxsplit=1)[0].split(",")[0].split()
    words = [_capitalised(word, names) for word in scene.split(" ")]
    single = not (
        any(w in names and w not in _adjectives() for w in noun_phrase)
        or any(w.endswith("s") or w in _WITHOUT_ARTICLE or w.isdigit() for w in noun_phrase)
    )
    return " ".join([indefinite_article(scene), *words] if single else words)


def _capitalised(word: str, names: Collection[str]) -> str:
    return word.capitalize() if word.strip(",'") in names else word


def _adjectives() -> frozenset[str]:
    return frozenset(entry.names[0].lower() for entry in lexicon("fabric").values())
