"""Rewords descriptions of a vase's sides: "Side A: Theseus. Side B: youths" becomes "A: Theseus | B: youths"."""

import re
from collections.abc import Sequence

from vaserl.curation.canon.terms import names_a_shape

_A, _B, _AB, _IN, _OUT = "A", "B", "A,B", "I", "EXT"

_SEPARATOR = r"\s*[:=,–—-]+\s*"
_VERB = r"\s+(?:shows?|depicts?|represents?|showing|depicting|is decorated with|has|features?|with)\s+"
_GLOSS = r"(?:\s*\([\w ./]{1,20}\))?"
_LETTERED = (
    r"(?:on\s+)?(?:the\s+)?(?:(?:exterior|outside)[,:]?\s+)?\b(?:sides?|faces?|obverse|reverse|front|back|row|frieze|zone|panel|scene)\s+"
    r"(?P<letters>(?-i:[AB12])(?:\s*(?:,|&|and|/|\+|-)\s*(?:side\s+)?(?-i:[AB12]))?|[ab](?=\s*[:=]))(?!\w)" + _GLOSS
)
"""A side with its letter: "Side A", "on side B (reverse)", "Sides A and B"."""
_NAMES = {
    _A: r"obverse|obv\.?|recto|front(?: side)?|main side|principal side|primary side|first side|one side",
    _B: (
        r"reverse|rev\.?|verso|back(?: side)?|rear|secondary side|second side|opposite side"
        r"|(?:the )?other side|(?:the )?other"
    ),
    _AB: r"both sides|each side|either side|obverse and reverse|front and back",
    _IN: r"(?:cup )?(?:interior|inside|tondo|medallion)(?: (?:tondo|medallion|composition|scene|picture))*|int\.?",
    _OUT: r"exterior|outside|ext\.?",
}
_NAMED = r"(?:on\s+|in\s+)?(?:the\s+)?(?:exterior,?\s+(?=obverse|reverse))?(?P<name>" + "|".join(_NAMES.values()) + r")"
_BEGIN = r"(?:^|(?<=[.;|/\n])|(?<=[.;|/]\s)|(?<=\.\)\s))\s*"
_LABEL = re.compile(
    rf"(?P<lettered>(?:(?<=[\s.;,|/)])|^){_LETTERED})(?:{_SEPARATOR}|{_VERB}|\s+(?=\S))"
    rf"|{_BEGIN}(?P<named>{_NAMED})(?![\w])(?:{_SEPARATOR}|{_VERB}|(?<=(?:obv|rev|int|ext)\.)\s)"
    rf"|(?:^|(?<=[,.;|]\s)|(?<=\band\s))(?P<on>(?:on|in)\s+(?:the\s+)?(?P<place>{'|'.join(_NAMES.values())}))(?!\w|\s+of)[,:]?\s+",
    re.IGNORECASE,
)
_BRACKETED = re.compile(
    r"[(\[{]\s*(?:side\s+)?(?P<letters>[AB](?:\s*[,&/-]\s*[AB]|\s*[)\]}]?\s+and\s+[(\[{]?[AB])?)\s*[)\]}][:,]?\s*",
    re.IGNORECASE,
)
"""A letter in brackets before a scene, as in Trendall's catalogues: "(a) Eros, (b) a youth"."""
_POINTED = re.compile(
    r"(?:^|(?<=[.;|/\n])\s*)(?P<letters>[ABI])\s*(?:[).,=]|\s[-–—])\s+|(?<=\w|\))\s+(?P<glued>B)[.)]\s+(?=\w)"
)
"""A capital letter before a scene: "A. Eros; B. a youth", "A. Eros B. a youth"."""
_BEHIND = re.compile(
    r"\s*[(\[]\s*(?P<behind>(?:(?:on\s+)?(?:the\s+)?(?:side\s+)?[AB](?:\s*(?:and|&|,|/|-)\s*(?:side\s+)?[AB])?"
    r"|(?P<elsewhere>neck|shoulder|lid|body|rim|lip|foot|top|mouth|handles?)"
    rf"|{'|'.join(_NAMES.values())}))\s*[)\]]",
    re.IGNORECASE,
)
"""A side in brackets behind a scene: "Eros (side A); a youth (B)"."""
_LETTERED_NEXT = r"(?=[(\[{]\s*(?:side\s+)?[AB](?!\w)|(?-i:[AB])\s*[).,=:]\s|(?-i:[AB])\s+[-–—]\s|sides?\s+[AB](?!\w))"
_PART = re.compile(
    r"(?:^|(?<=[.;|\n]))\s*(?:on\s+(?:the\s+)?)?(?P<part>neck|shoulder|body|lid|rim|lip|foot|handles?)"
    rf"(?:\s*:\s*|\s*,?\s+{_LETTERED_NEXT}(?!(?-i:[AB])\s*:))",
    re.IGNORECASE,
)
"""A part of the vase before its scenes: "Neck: palmettes", "on the neck, (a) siren, (b) owl"; not the canonical label
"neck, A:"."""
_COLON = re.compile(r"(?:^|(?<=[.;|/\n])\s*)([AB])\s*:\s+")
_PLACE = re.compile(
    r"(?:(?:^|(?<=[A-Z]:)|[.;,|])\s*)(?P<how>on|in|under|below|beneath|around|at)\s+(?:the\s+)?"
    r"(?P<place>(?:(?:upright|vertical|horizontal|left|right)\s+)?(?:neck|shoulder|lid|body|rim|foot|stand|handles?))"
    r"\s*[,:]\s+(?:and\s+)?",
    re.IGNORECASE,
)
"""A part of the vase before its scene: "on the shoulder, a siren; under the handles, palmettes"."""
_GLUED = re.compile(r"(?<=[a-z])(?=(?:Side [AB12]|Exterior|Interior|Obverse|Reverse)\b)")
"""Place between two lines that were joined without a space: "a youthSide B"."""
_VESSEL = re.compile(
    r"(?P<vessel>[^.;:|]{0,60}?)\b(?:depicts|depicting|shows|showing|represents|representing|decorated with)\s+",
    re.IGNORECASE,
)
"""A beginning that names the vase itself: "Large, shallow drinking cup depicts a youth"."""
_HEADING = re.compile(
    r"((?:(?:pottery|terracotta|ceramic|earthenware|attic|athenian)\b|(?:red|black)[ -]figured?\b|white[ -]ground\b)"
    r"[^.;\n|]{0,60})[.;\n]\s*",
    re.IGNORECASE,
)
"""A first sentence that only names the vase: "Pottery: red-figured cup."."""
_LOOKALIKE = re.compile("(?<=[Ss]ide )[\u0391\u0392\u0410\u0412]")  # A and B of the Greek and the Cyrillic alphabet
_COMPARED = re.compile(r"(?:\(\s*cf\.[^()]*\)|(?:^|(?<=[.;]\s))cf\.[^.;]*(?:[.;]|$))", re.IGNORECASE)
"""A reference to other vases for comparison, which says nothing about this one."""
_ON_SIDE = re.compile(r"(^|[.;]\s+)On\s+(?=[AB][,:]\s)")
_DASH = re.compile(r"(?<=[\w.])—(?=\w)")
_LOST = re.compile(r"(?:^|(?<=[.;|]))\s*(?:side )?[AB](?: is|:|,) (?:lost|missing|effaced|not preserved)\s*(?:[.;|]|$)")
"""A side of which nothing is left."""
_ENDS = " \t\n,;.|/–—-"


def canonical_sides(text: str) -> str:
    """Returns the description of a decoration with its sides as in the Beazley Archive: "A: THESEUS | B: YOUTHS".

    Sides are named in words ("Side A", "Obverse", "Front", "On the back"), by a letter in brackets before the scene or
    behind it, or by "A." Text without a side's name is unchanged.
    """
    text = _DASH.sub(", ", _ON_SIDE.sub(r"\1", _LOST.sub("", text)))
    text = _COMPARED.sub(" ", re.sub(r"<br ?/?>|\r\n?", "\n", text))
    text = _GLUED.sub(". ", _LOOKALIKE.sub(lambda match: "A" if match[0] in "\u0391\u0410" else "B", text))
    for letter, side in (("r", "right"), ("l", "left")):  # "egg in r.", "in r. hand", "moving to l.", "top r."
        text = re.sub(rf"\b(top|bottom|upper|lower) {letter}\.", rf"at the \1 {side}", text)
        text = re.sub(rf"(?<=\bin ){letter}\.(?=\s*(?:[,;|]|$)|\s+[A-Z(])", f"{side} hand", text)
        text = re.sub(rf"\b{letter}\.(?=\s+[a-z])|(?<=\bto ){letter}\b(?:\.(?!\s+[A-Z]))?", side, text)
    for beginning in (_VESSEL.match(text), _HEADING.match(text)):
        if beginning and beginning.end() < len(text) and names_a_shape(beginning[1]):
            text = text[beginning.end() :]
            break
    parts = [part for place, section in _sections(text) for part in _placed(place, _sides(section, place))]
    return _PLACE.sub(_place_label, _joined(parts)).strip(" |")


def _place_label(match: re.Match[str]) -> str:
    under = "under " if match["how"].lower() in ("under", "below", "beneath") else ""
    return f" | {under}{match['place'].lower()}: "


Parts = list[tuple[str, str]]
"""Scenes as (label, text): [("A", "Theseus"), ("B", "youths")]. The label is "" for text before the first side."""


def _sections(text: str) -> list[tuple[str, str]]:
    """Cuts a text with letters of sides at its labels of parts, because the letters behind "Neck:" are the neck's.

    Returns (part, text) for each section. The part is "" for the sides of the whole vase.
    """
    labels = list(_PART.finditer(text))
    if not labels or not (_BRACKETED.search(text) or _POINTED.search(text) or any(map(_is_lettered, labels))):
        return [("", text)]
    ends = [*(label.start() for label in labels), len(text)]
    sections = [(label["part"].lower(), text[label.end() : end]) for label, end in zip(labels, ends[1:], strict=True)]
    return [("", text[: ends[0]]), *((part, _COLON.sub(r"(\1) ", scenes)) for part, scenes in sections)]


def _is_lettered(label: re.Match[str]) -> bool:
    return bool(re.compile(_LETTERED_NEXT, re.IGNORECASE).match(label.string, label.end()))


def _placed(place: str, parts: Parts) -> Parts:
    """Adds the part of the vase to the labels of its sides: "neck, A". A repeated letter is the whole vase's."""
    if not place:
        return parts
    seen: set[str] = set()
    found: Parts = []
    for label, scene in parts:
        found.append((label if label in seen else ", ".join(filter(None, (place, label))), scene))
        if label:
            seen.add(label)
    return found


def _sides(text: str, place: str) -> Parts:
    """Returns the scenes of a section. place: the part of the vase that the section is about; "" for the whole vase."""
    found = _in_front(text) or _bracketed(text, {_A} if place else {_A, _B}) or _behind(text)
    return [(label, scene) for label, scene in found or [("", text.strip(_ENDS))] if scene]


def _in_front(text: str) -> Parts:
    """Returns the scenes of a text whose sides are named in words before them, or [] if there are none."""
    found = [(match, _of_words(match)) for match in _LABEL.finditer(text)]
    labels = {label for _, label in found}
    if not found or (len(labels) < 2 and text[: found[0][0].start()].strip(_ENDS)):
        return []  # one side in the middle of a sentence says where in the picture something is
    return _cut(text, [(match.start(), match.end(), label) for match, label in found])


def _of_words(match: re.Match[str]) -> str:
    letters = match["letters"]
    if letters:
        return _of_letters(letters)
    words = " ".join((match["name"] or match["place"]).lower().split())
    return next(label for label, names in _NAMES.items() if re.fullmatch(names, words))


def _of_letters(letters: str) -> str:
    if letters == _IN:
        return _IN
    named: list[str] = re.findall(r"[AB12](?![a-z])", letters.upper())
    return ",".join(sorted({{"1": _A, "2": _B}.get(letter, letter) for letter in named}))


def _bracketed(text: str, fewest: set[str]) -> Parts:
    """Returns the scenes of a text whose sides are letters before them, or [] if it doesn't name the `fewest` so."""
    for pattern in (_BRACKETED, _POINTED):
        spans = [(m.start(), m.end(), _of_letters(m[m.lastgroup or "letters"])) for m in pattern.finditer(text)]
        if spans and not text[: spans[0][0]].strip(_ENDS) and _AB not in (labels := {s[2] for s in spans}):
            if fewest <= labels or labels == {_A}:
                return _cut(text, spans)
        elif spans and not text[: spans[0][0]].strip(_ENDS):
            return _cut(text, spans)
    return []


def _behind(text: str) -> Parts:
    """Returns the scenes of a text whose sides are named in brackets behind them, or [] if fewer than two are."""
    matches = list(_BEHIND.finditer(text))
    labels = [(match["elsewhere"] or "").lower() or _of_bracket(match["behind"]) for match in matches]
    if len(set(labels)) < 2:
        return []
    parts: Parts = []
    start = 0
    for match, label in zip(matches, labels, strict=True):
        parts.append((label, re.sub(r"^and\s+", "", text[start : match.start()].strip(_ENDS))))
        start = match.end()
    rest = text[start:].strip(_ENDS)
    return [*parts, ("", rest)] if rest else parts


def _of_bracket(words: str) -> str:
    words = " ".join(words.lower().split())
    named = next((label for label, names in _NAMES.items() if re.fullmatch(names, words)), None)
    return named or _of_letters(re.sub(r"\b(?:on|the|side|and)\b", " ", words))


def _cut(text: str, spans: Sequence[tuple[int, int, str]]) -> Parts:
    """Cuts a text at its labels; each span is (start of the label, end of the label, canonical label)."""
    parts: Parts = [("", text[: spans[0][0]])]
    ends = [start for start, _, _ in spans[1:]] + [len(text)]
    parts += [(label, text[end:stop]) for (_, end, label), stop in zip(spans, ends, strict=True)]
    return [(label, scene.strip(_ENDS)) for label, scene in parts if scene.strip(_ENDS)]


def _joined(parts: Parts) -> str:
    return " | ".join(f"{label}: {scene}" if label else scene for label, scene in parts)
