"""To whom a vase is attributed: names, what kind of hand they name, and how close the vase stands to it.

Running text and the Beazley archive's field give the same value: "attributed to the Antimenes Painter" and
`ANTIMENES P by BEAZLEY` are the Antimenes Painter, `<em>Near</em> ANTIMENES P by SHEFTON` is near him.
"""

import re
from dataclasses import dataclass
from functools import cache

from vaserl.rewards.lexicon import lexicon
from vaserl.rewards.text import CUT


@dataclass(frozen=True, slots=True, order=True)
class Attribution:
    """A hand. Example: Attribution("antimenes", "painter", "near") is near the Antimenes Painter."""

    name: str
    """Lower case, without "painter", "the" and the like: two names are compared by what tells them apart."""
    role: str = ""
    """"painter", "potter", "group", "class", "workshop", or empty: "lydos"."""
    qualifier: str = ""
    """"near", "manner", "follower", "circle", "workshop", "compare", or empty for the hand itself."""


def find_attributions(normal: str) -> tuple[tuple[Attribution, ...], str]:
    """The distinct attributions in a normalised text, in order, and the text with each replaced by a cut."""
    found: list[Attribution] = []

    def take(match: re.Match[str]) -> str:
        names = read_names(match["names"])
        if not names:
            return match[0]
        found.extend(names)
        return f" {CUT} "

    if "ttribut" in normal or "scribed to" in normal or "ssigned to" in normal:
        normal = _ATTRIBUTED.sub(take, normal)
    if any(role in normal for role in _ROLES):
        normal = _OF_ROLE.sub(take, normal)
        normal = _BY_ROLE.sub(take, normal)
    if "by " in normal:
        normal = _by_artist().sub(take, normal)
    return tuple(dict.fromkeys(found)), normal


def read_names(names: str) -> tuple[Attribution, ...]:
    """The attributions that a normalised list of names holds, alternatives split at `|`, "/" and "or"."""
    read = (_read_name(part) for part in _ALTERNATIVES.split(names))
    return tuple(dict.fromkeys(a for a in read if a is not None))


def display(attribution: Attribution) -> str:
    """As a caption writes it after "attributed to": "the Antimenes Painter", "the manner of Lydos"."""
    name = " ".join(_capitalize(word) for word in attribution.name.split())
    if attribution.role:
        role = attribution.role.capitalize()
        # "Painter of Louvre F 6", but "Berlin Painter": what has a number or more than one word follows its "of".
        is_long = " " in attribution.name
        name = f"the {role} of {name}" if is_long else f"the {name} {role}"
    return f"{_DISPLAY[attribution.qualifier]}{name}"


_ROLES = ("painter", "potter", "group", "class", "workshop")
_QUALIFIERS = (
    ("near", r"\bnear(?: to)?\b|\bclose to\b|\bvery close to\b"),
    ("manner", r"\b(?:in )?(?:the )?(?:manner|style) of\b|\bmanner\b"),
    ("follower", r"\b(?:a |the )?(?:followers?|imitators?|pupils?|imitation) of\b|\bfollower\b"),
    ("circle", r"\b(?:the )?(?:circle|school) of\b"),
    ("workshop", r"\b(?:from )?(?:the )?workshop of\b"),
    ("compare", r"\bcompare\b|\bcf\b\.?|\brecalls\b|\bakin to\b|\brelated to\b|\bconnected (?:with|to)\b|\bresembles\b"),
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
_ALTERNATIVES = re.compile(r"\s*[|/]\s*|\s+or\s+(?:else\s+)?|\s+and\s+(?=the\s)|\s*;\s*")
_DROPPED = re.compile(r"\(\?\)|\?|\b(?:probably|possibly|perhaps|tentatively|himself|work of)\b")
_LEADING = re.compile(r"^(?:(?:painted|signed|made|potted|drawn)?\s*\bby\b|an?\b(?! \d)|the\b|hand\b|of\b|himself\b|\W)+\s*")
_SCHOLAR = re.compile(r"\s+by\s+.*$")
_NOBODY = frozenset(("", "undetermined", "unattributed", "not attributed", "unknown", "uncertain", "anonymous", "none"))

_END = (
    rf"(?=\s*(?:[,;:()|{CUT}]|\.(?:\s|$)|$|"
    r"\b(?:depicting|showing|with|dated|dating|who|decorated|and (?:dated|depicting|showing)|circa|ca?\.)))"
)
_ATTRIBUTED = re.compile(
    r"\b(?:and )?(?:is |was )?(?:\w+ )?(?:attribut(?:ed|able|ion)|ascribed|assigned)(?: \w+)?(?: to|:)\s+"
    rf"(?P<names>[^,;{CUT}]{{1,120}}?){_END}"
)
_RELATION = (
    r"(?:(?:signed|painted|made|potted|decorated|drawn) )?"
    r"(?:by|near|close to|(?:in |from )?(?:the )?(?:manner|style|circle|school|workshop) of|followers? of|imitators? of|pupils? of)"
)
_OF_ROLE = re.compile(
    rf"\b(?P<names>(?:{_RELATION} )+(?:the )?(?:painter|potter|group|class|workshop) of (?:the )?[^,;()|{CUT}]{{1,60}}?){_END}"
    rf"|(?<!\w)(?P<bare>the painter of [^,;()|{CUT}]{{1,60}}?){_END}".replace("P<bare>", ":")
)
_BY_ROLE = re.compile(
    rf"\b(?P<names>(?:{_RELATION} )+(?:an? |the )?(?:[\w'-]+ ){{1,4}}?(?:painter|potter|group|class|workshop)"
    r"|the (?:[\w'-]+ ){1,2}?painter)\b"
)


@cache
def _by_artist() -> re.Pattern[str]:
    names = sorted((n.lower() for e in lexicon("artist").values() for n in e.names), key=len, reverse=True)
    return re.compile(rf"\b(?P<names>(?:{_RELATION} )+(?:{'|'.join(map(re.escape, names))}))\b")


def _read_name(text: str) -> Attribution | None:
    text = _DROPPED.sub(" ", text)
    text = _LEADING.sub("", " ".join(text.split()))
    text = _SCHOLAR.sub("", text)
    qualifier = ""
    for name, pattern in _QUALIFIER.items():
        text, count = pattern.subn(" ", text)
        if count and not qualifier:
            qualifier = name
    words = re.findall(r"[^\W\d_]+(?:['.-][^\W\d_]+)*|\d+(?:\.\d+)*", _LEADING.sub("", " ".join(text.split())))
    role = ""
    if len(words) > 1:
        last = {"p": "painter", "gr": "group", "wkshop": "workshop"}.get(words[-1], words[-1])
        if words[0] in _ROLES and words[1] == "of":
            role, words = words[0], words[2:]
        elif last in _ROLES:
            role, words = last, words[:-1]
        elif words[0] in _ROLES:  # "Painter N", "Group E"
            role, words = words[0], words[1:]
    name = " ".join(word for word in words if word != "the")
    return None if name in _NOBODY or name in _ROLES else Attribution(name, role, qualifier)


def _capitalize(word: str) -> str:
    return word if word in ("of", "and", "in", "on", "with") else word.capitalize()
