"""Parses attributions of vases to artists: a name, a role ("painter"), and a qualifier such as "near" or "manner of".

Captions and fields of the Beazley archive are parsed to the same values. "attributed to the Antimenes Painter" and
`ANTIMENES P by BEAZLEY` are both the Antimenes Painter. `<em>Near</em> ANTIMENES P by SHEFTON` is the Antimenes Painter
with the qualifier "near".
"""

import re
from dataclasses import dataclass, replace
from functools import cache

from vaserl.rewards.vase.lexicon import lexicon
from vaserl.rewards.vase.text import CUT


@dataclass(frozen=True, slots=True, order=True)
class Attribution:
    """A painter, potter or group (of artists) to whom a vase is attributed.

    Example: Attribution("antimenes", "painter", "near") is "near the Antimenes Painter".
    """

    name: str
    """Name in lower case, without the role: "lydos", "antimenes" for "the Antimenes Painter"."""
    role: str = ""
    """Word of the name that states the role: "painter", "potter", "group", "class", "workshop"; empty if none does."""
    qualifier: str = ""
    """Relation of the vase to the artist: "near", "manner", "follower", "circle", "workshop" or "compare"; empty if the
    vase is attributed to the artist without such a word."""

    @property
    def core(self) -> str:
        """The name without a leading "of" and "the": "woolly satyrs" for the name "of the woolly satyrs"."""
        return self.name.removeprefix("of ").removeprefix("the ")


def find_attributions(normal: str) -> tuple[tuple[Attribution, ...], str]:
    """Finds the attributions in a text returned by `normalize`.

    Returns the distinct attributions in the order of the text, and the text with each attribution replaced by `CUT`.
    """
    found: list[Attribution] = []

    def take(match: re.Match[str]) -> str:
        names = read_names(match["names"])
        if not names:
            return match[0]
        found.extend(names)
        return f" {CUT} "

    if _OF_END.search(normal):
        normal = _inverted().sub(r"\2 of \1", normal)
    if "ttribut" in normal or "scribed to" in normal or "ssigned to" in normal:
        normal = _ATTRIBUTED.sub(take, normal)
    if any(role in normal for role in _ROLES):
        normal = _OF_ROLE.sub(take, normal)
        normal = _BY_ROLE.sub(take, normal)
    if _known_artist().search(normal):
        for pattern in _artist_patterns():
            normal = pattern.sub(take, normal)
    if not found:
        normal = _alone().sub(take, normal)
    return tuple(dict.fromkeys(found)), normal


def read_names(names: str) -> tuple[Attribution, ...]:
    """Parses a normalised list of artists' names, in which "|", ",", ";", "/" or "or" separates alternatives."""
    read: list[Attribution | None] = []
    for alternative in names.split("|"):
        cleaned = _LEADING.sub("", " ".join(_DROPPED.sub(" ", alternative).split()))
        for name in _ALTERNATIVES.split(_SCHOLAR.sub("", cleaned)):
            if _HIS.fullmatch(name) and read and read[-1]:  # "the Brygos Painter or his circle"
                hand = name.rpartition(" ")[2]
                read.append(replace(read[-1], qualifier=_HIS_QUALIFIERS.get(hand, hand)))
            else:
                read.append(_read_name(name))
    return tuple(dict.fromkeys(a for a in read if a is not None))


def display(attribution: Attribution) -> str:
    """Formats an attribution as the words after "attributed to": "the Antimenes Painter", "the manner of Lydos"."""
    name = " ".join(_capitalize(word) for word in attribution.name.split())
    if attribution.role:
        role = attribution.role.capitalize()
        if len(attribution.name) == 1:
            name = f"{role} {name}"  # "Painter N", "Group E"
        else:
            name = f"the {role} {name}" if name.startswith("of ") else f"the {name} {role}"
    return f"{_DISPLAY[attribution.qualifier]}{name}"


_ROLES = ("painter", "potter", "group", "class", "workshop")
_QUALIFIERS = (
    ("near", r"\bnear(?: to)?\b|\b(?:very )?close (?:in (?:style|manner) )?to\b"),
    ("manner", r"\b(?:in )?(?:the )?(?:manner|style) of\b|\bmanner\b"),
    ("follower", r"\b(?:a |the )?(?:followers?|imitators?|pupils?|imitation) of\b|\bfollower\b"),
    ("circle", r"\b(?:(?:in|from) )?(?:the )?(?:circle|school) of\b"),
    ("workshop", r"\b(?:from )?(?:the )?workshop of\b"),
    (
        "compare",
        r"\bcompar(?:e|ed|able)\b(?: (?:with|to)\b)?|\bcf\b\.?|\brecalls\b|\bakin to\b|\brelated to\b"
        r"|\bconnected (?:with|to)\b|\bresembl(?:es|ing)\b|\breminiscent of\b|\brecalling\b",
    ),
)
_QUALIFIER = {name: re.compile(pattern) for name, pattern in _QUALIFIERS}
_DISPLAY = {
    "": "",
    "near": "a hand near ",
    "manner": "the manner of ",
    "follower": "a follower of ",
    "circle": "the circle of ",
    "workshop": "the workshop of ",
    "compare": "a hand akin to ",
}
_ALTERNATIVES = re.compile(r"\s*[,/;]\s*|\s+or\s+(?:to\s+)?|\s+and\s+(?=the\s)")
_DROPPED = re.compile(
    r"\(\?\)|\?|\b(?:probably|possibly|perhaps|tentatively|himself|work of|as (?:the )?(?:painter|potter))\b"
)
_LEADING = re.compile(
    r"^(?:(?:painted|signed|made|potted|drawn)?\s*\bby\b|(?:belong(?:s|ing)|given|credited) to\b"
    r"|an?\b(?! \d)|the\b|hand\b|of\b|himself\b|\W)+\s*"
)
_HIS_HAND = (
    r"(?:(?:his|her|the|an?) (?:circle|school|workshop|manner|follower|pupil|imitator)|(?:near|close to) (?:him|her))"
)
_HIS = re.compile(rf"(?:by )?{_HIS_HAND}")
_HIS_QUALIFIERS = {"school": "circle", "pupil": "follower", "imitator": "follower", "him": "near", "her": "near"}
_SCHOLAR = re.compile(r"\s+by\s+.*$")
_NAME_WORD = re.compile(r"[^\W\d_]+(?:['.-][^\W\d_]+)*|\d+(?:\.\d+)*")
_ABBREVIATED = {"p": "painter", "gr": "group"}
_NO_NAME = frozenset(
    ("", "undetermined", "unattributed", "not attributed", "unknown", "uncertain", "anonymous", "none")
)

_END = (
    rf"(?=\s*(?:[,;:()|{CUT}]|\.(?:\s|$)|$|"
    r"\b(?:depicting|showing|with|dated|dating|who|decorated|and (?:dated|depicting|showing)|circa|ca?\.)))"
)
_ATTRIBUTED = re.compile(
    r"\b(?:attribut(?:ed|able|ion)|ascribed|assigned)(?: \w+)?(?: by (?:[\w.]+ ){1,3}?to|(?: to|:))\s+"
    rf"(?P<names>[^,;{CUT}]{{1,120}}?){_END}"
)
_RELATION = (
    r"(?:(?:signed|painted|made|potted|decorated|drawn) )?"
    r"(?:by|near|close (?:in (?:style|manner) )?to|compar(?:ed|able) (?:with|to)|reminiscent of|recall(?:s|ing)"
    r"|resembl(?:es|ing)|akin to|related to|connected (?:with|to)|(?:given|credited) to"
    r"|(?:in |from )?(?:the )?(?:manner|style|circle|school|workshop) of"
    r"|(?:a )?(?:follower|imitator|pupil)s? of)"
)
_OR_HIS = rf"(?: or (?:by )?{_HIS_HAND})?"
_BELONGING = r"(?:belong(?:s|ing) to|of|from) the (?!same\b|this\b)"
_OF_ROLE = re.compile(
    rf"\b(?P<names>(?:(?:{_RELATION} ){{1,3}}(?:the )?(?:painter|potter|group|class|workshop)"
    r"|(?:the |(?<![\w'-] ))painter(?! of (?:this|the (?:vase|vessel|pot|cup))\b)"
    r"|(?:belong(?:s|ing) to|of) the (?:group|class|workshop)|class) of "
    rf"[^,;()|{CUT}]{{1,60}}?){_END}"
)
_BY_ROLE = re.compile(
    rf"\b(?P<names>(?:(?:{_RELATION} ){{1,3}}(?:an? |the )?(?:[\w'-]+ ){{1,4}}?(?:painter|potter|group|class|workshop)"
    rf"|the (?:[\w'-]+ ){{1,2}}?painter|{_BELONGING}(?:[\w'-]+ ){{1,3}}?(?:group|class|workshop))"
    rf"{_OR_HIS})(?!\w)"
)


@cache
def _origins() -> frozenset[str]:
    """Returns words such as "athenian" and "greek": in "made by an Athenian potter" such a word isn't a name."""
    return frozenset(name.lower() for entry in lexicon("fabric").values() for name in entry.names) | {"greek"}


@cache
def _known_names() -> str:
    names = sorted((n.lower() for e in lexicon("artist").values() for n in e.names), key=len, reverse=True)
    return rf"(?:{'|'.join(map(re.escape, names))})\b"


_OF_END = re.compile(rf" of\)?\s*(?:[,;:.()|{CUT}]|$)")
_QUALIFIER_AFTER = re.compile(
    rf",? \(?(manner|style|circle|school|workshop|follower|pupil|imitator) of\)?(?=\s*(?:[,;:.()|{CUT}]|$))"
)


@cache
def _inverted() -> re.Pattern[str]:
    """Returns the regular expression that matches a name followed by a qualifier: "Lydos, circle of", "Pan Painter
    (manner of)"."""
    return re.compile(rf"\b((?:[\w'-]+ ){{1,2}}painter|{_known_names()}){_QUALIFIER_AFTER.pattern}")


@cache
def _known_artist() -> re.Pattern[str]:
    return re.compile(rf"\b{_known_names()}")


@cache
def _artist_patterns() -> tuple[re.Pattern[str], ...]:
    """Returns regular expressions for artists without a role: "by Lydos", "the work of Lydos", "Lydos painted"."""
    name = _known_names()
    return (
        re.compile(rf"\b(?P<names>(?:{_RELATION} ){{1,3}}{name})"),
        re.compile(
            r"\b(?:(?:work|hand) (?:of|by|is that of|was that of)|attributes? (?:\w+ )?to|"
            rf"(?:painter|artist|hand) ?(?:is|was|:)) (?P<names>(?:{_RELATION} )?{name})"
        ),
        re.compile(
            rf"\b(?P<names>{name})"
            r"(?= (?:(?:has )?(?:painted|decorated|potted|made|drew|signed)|as (?:painter|potter))\b)"
        ),
    )


@cache
def _alone() -> re.Pattern[str]:
    """Returns the regular expression for a name alone between punctuation marks, as in "red-figure, cup, Lydos"."""
    common = "vase|pot|cup|this|same|unknown|unnamed|greek|attic|athenian|early|late|the|a|an|his|its|one|another"
    scene = r"\w+ing|\w+iac|figure|animal|battle|combat|fight|statue|family|central|erotic|two|three|large|small"
    return re.compile(
        rf"(?:^|(?<=[,;:.(|{CUT}]))\s*(?P<names>(?:(?!(?:{common})\b)(?:[\w'-]+ ){{1,3}}painter|"
        rf"(?!(?:{common}|{scene})\b)(?:[\w'-]+ ){{1,2}}(?:group|workshop)|{_known_names()})"
        rf"{_OR_HIS}\??)(?=\s*(?:[,;:.()|{CUT}]|$))"
    )


def _read_name(text: str) -> Attribution | None:
    qualifier = ""
    for name, pattern in _QUALIFIER.items():
        text, count = pattern.subn(" ", text)
        if count and not qualifier:
            qualifier = name
    text = _LEADING.sub("", " ".join(text.split()))
    found: list[str] = _NAME_WORD.findall(text)
    words = [_ABBREVIATED.get(word, word) for word in found]
    while words and words[-1] in ("late", "early"):
        words.pop()
    role = ""
    if len(words) > 1 and words[0] in _ROLES:  # "Painter of Berlin 1686", "Group E"
        role, words = words[0], words[1:]
    elif len(words) > 1 and words[-1] in _ROLES:
        role, words = words[-1], words[:-1]
    name = " ".join(words)
    return None if name in _NO_NAME or name in _ROLES or name in _origins() else Attribution(name, role, qualifier)


def _capitalize(word: str) -> str:
    return word if word in ("of", "the", "and", "in", "on", "with") else word.capitalize()
