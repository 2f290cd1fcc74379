"""Words the labels of a vase's parts in a museum's record: "SHOULDER" becomes "on the shoulder"."""

import re

_SIDES = {
    "a": "one side",
    "b": "the other side",
    "c": "a third side",
    "d": "a fourth side",
}
_BOTH = re.compile(r"a ?(?:-|,|&|and) ?b")
_PREPOSITION = r"(?:on|at|in|under|above|below|beneath|around|between|inside|outside|over)"
_WHICH = (
    r"(?:(?:each|both|main|upper|lower|top|middle|bottom|first|second|third|fourth|left|right|upright|vertical|horizontal"
    r"|outer|inner|other|the) )*"
)
_NOUN = (
    r"(?:handle(?:[- ]?(?:plate|zone|root|attachment))?s?|neck|shoulder|body|belly|lid|knob|rim|mouth|lip|foot|stem"
    r"|base|spout|tondo|predella|medallion|interior|exterior|panels?|friezes?|zones?|registers?|rows?|bands?|picture"
    r"|border|top|bottom|underside|wall|bowl|strap|stand|topside)"
)
_PART = re.compile(
    rf"(?:(?P<preposition>{_PREPOSITION}) )?(?P<which>{_WHICH})(?P<noun>{_NOUN})(?: of (?:the )?(?P<whole>{_NOUN}))?"
)
_WORDS = {
    "uh": "under the handles",
    "i": "in the tondo",
    "int": "in the tondo",
    "interior": "in the tondo",
    "tondo": "in the tondo",
    "ext": "on the outside",
    "exterior": "on the outside",
    "above": "in the zone above",
    "below": "in the zone below",
    "top": "at the top",
    "bottom": "at the bottom",
    "on top": "at the top",
    "middle": "in the middle register",
    "left": "on the left",
    "right": "on the right",
    "centre": "in the centre",
    "legs": "on the legs",
    "upper": "in the upper register",
    "lower": "in the lower register",
    "bd": "on the body",
    "sh": "on the shoulder",
    "nk": "on the neck",
}
_AT = frozenset(("handle", "handles", "bottom", "top"))
_IN = re.compile(r"predella|medallion|registers?|rows?|bands?|zones?|friezes?|panels?|border|picture")
_UNNAMED_PART = rf"(?:{_PREPOSITION} )?{_WHICH}{_NOUN}(?: of (?:the )?{_NOUN})?"
_PIECE = rf"(?:[a-d](?: ?(?:-|,|&|and) ?[a-d])*|{'|'.join(_WORDS)}|{_UNNAMED_PART})"
LABEL = rf"{_PIECE}(?:,? (?:and )?{_PIECE})*"
"""Regular expression of a label in a normalised text, without its colon."""


def place_of(label: str) -> str:
    """Returns the phrase for a label in lower case: "on one side of the neck" for "neck, a".

    Returns "" if the label has no parts that are known.
    """
    label = " ".join(label.replace("&", " and ").split())
    if _BOTH.fullmatch(label):
        return "on both sides"
    pieces = [piece for piece in re.split(r", (?:and )?| and ", label) if piece]
    sides = [piece for piece in pieces if _is_side(piece)]
    parts = [phrase for piece in pieces if not _is_side(piece) and (phrase := _part(piece))]
    side = _side(sides)
    if side and parts:
        head, *rest = parts
        of = re.sub(r"^(?:on|at|in) (?=the |each |both )", "of ", head)
        return " and ".join([f"{side} {of}" if of.startswith("of ") else f"{head} {side}", *rest])
    return side or " and ".join(parts)


def _is_side(piece: str) -> bool:
    return piece in _SIDES or bool(_BOTH.fullmatch(piece))


def _side(sides: list[str]) -> str:
    if not sides:
        return ""
    if len(sides) > 1 or _BOTH.fullmatch(sides[0]):
        return "on both sides"
    return f"on {_SIDES[sides[0]]}"


def _part(piece: str) -> str:
    """Returns the phrase for one part: "at the handle" for "at handle", "on the shoulder" for "shoulder"."""
    if piece in _WORDS:
        return _WORDS[piece]
    match = _PART.fullmatch(piece)
    if not match:
        return ""
    noun = match["noun"]
    preposition = match["preposition"] or ("at" if noun in _AT else "in" if _IN.fullmatch(noun) else "on")
    which = match["which"].strip()
    article = "" if which.split(" ")[0] in ("each", "both", "the") else "the "
    whole = f" of the {match['whole']}" if match["whole"] else ""
    return f"{preposition} {article}{which + ' ' if which else ''}{noun}{whole}"
