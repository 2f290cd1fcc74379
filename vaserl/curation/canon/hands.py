"""Rewords attributions: "Eucharides Painter, Near the" becomes "near the Eucharides Painter"."""

import re

from vaserl.curation.canon.absences import is_placeholder
from vaserl.rewards.vase.lexicon import lexicon

_FIELD = "Attributed To"
_ERA = r"(?:b\.?\s*c\.?(?:\s*e\.?)?|a\.?\s*d\.?|c\.?\s*e\.?)(?![a-z])"
_CIRCA = r"(?:(?:c|ca|circa|about)\b\.?\s*)"
_YEARS = rf"{_CIRCA}?\d{{1,4}}\s*(?:{_ERA})?\s*(?:[-–—/]|to|and)\s*{_CIRCA}?\d{{1,4}}\s*(?:{_ERA})?"
_CENTURY = (
    r"(?:(?:early|mid|late|first|second|third|fourth|last|half|quarter|of|the|end|beginning)[\s-]+)*"
    rf"\d{{1,2}}(?:st|nd|rd|th)[\s-]+(?:century|cent\.?|c\.)(?:\s*{_ERA})?"
)
_DATE = rf"(?:{_YEARS}|{_CIRCA}?\d{{1,4}}\s*{_ERA}|{_CIRCA}\d{{3,4}}|{_CENTURY})"
_NOTE = re.compile(
    r"^(?:active\b|fl\b|flourished\b|working\b|worked\b|born\b|died\b|b\.|d\.|dates?\b|life ?dates"
    r"|(?:also|formerly|previously|now|once|otherwise|sometimes|better|originally)\b"
    r"|a\.?k\.?a\b|alias\b|called\b|or called\b"
    r"|=|see\b|according to\b|attributed by\b|attribution by\b|identified (?:by|as)\b|named after\b|name[- ]piece\b"
    rf"|[ivx]+$|{_DATE}\s*$)",
    re.IGNORECASE,
)
"""A note behind an artist's name: life dates, earlier names, the scholar who made the attribution."""
_CUT = re.compile(
    rf"[\s,;]+(?:active|flourished|fl\.|working)\s+(?=(?:in|from|between|c|ca|circa|about|around|\d|early|mid|late|first|second).*).*$"
    r"|[\s,;]+\(?(?:also|formerly|previously|once|sometimes) (?:known|called|named|identified)\b.*$"
    rf"|[\s,;]+(?:{_YEARS}|(?:(?:c|ca|circa)\b\.?\s*)?\d{{1,4}}\s*{_ERA})\s*$",
    re.IGNORECASE,
)
_ROLE = r"(?:vase[ -]?)?(?:painter|potter|artist|maker|decorator|signed|signature|painted|made|as)"
_ROLES = re.compile(rf"(?:{_ROLE}|and|or|by|/|&|\s)+", re.IGNORECASE)
_RELATION = (
    r"(?:probably |possibly |perhaps |very )?"
    r"(?:near(?: to)?|close to|(?:in )?(?:the )?(?:manner|style|circle|school|workshop|following) of"
    r"|from the (?:circle|school|workshop) of"
    r"|(?:an? )?(?:follower|imitator|pupil|associate|companion|contemporary)s? of"
    r"|imitation of|recalls|akin to|related to|connected with|compare(?:d (?:to|with))?|cf\.?|by)"
)
_BARE = r"(?:manner|style|circle|school|workshop|follower|imitator|pupil|near)"
_COLLECTIVE = r"(?:painter|potter|group|class|workshop|master)s?"
_BEHIND = re.compile(
    rf"^(?P<name>.+?)\s*[,(]\s*(?:(?P<relation>{_RELATION})(?:\s+the)?|(?P<bare>{_BARE})"
    rf"|(?:the\s+)?(?P<collective>{_COLLECTIVE})\s+of(?:\s+the)?|(?P<turned>painter|group|class|workshop)(?:,?\s*the)?)\s*\)?$",
    re.IGNORECASE,
)
"""A qualifier behind a name: "Eucharides Painter, Near the", "Lydos (circle)", "London E 489, Painter of"."""
_PREFIX = re.compile(
    r"^(?:(?:attributed|attrib\.?|attr\.?|ascribed|assigned|attributable)"
    r"(?:\s+(?:as|by [\w. ]{1,30}))?(?:\s+to)?\b[:.]?\s*(?:as\s+)?"
    r"|(?:artist|maker|creator|vase[ -]painter|attribution|painter|hand)\s*:\s*"
    r"|(?:the\s+)?(?:work|hand) of\s+)",
    re.IGNORECASE,
)
_ATTRIBUTED_BEHIND = re.compile(
    r"[\s,(]+(?:attributed(?: to)?|attrib\.?|attr\.?|attribution"
    r"|(?:signed|signature|sgd\.?)(?:\s+(?:as|by|both|potter|painter|and|&|the))*)\s*\)?$",
    re.IGNORECASE,
)
_INVERTED = re.compile(r"^(painter|group|class|workshop),\s*(?:the\s+)?([^,]+)$", re.IGNORECASE)
_MEMBER = re.compile(
    r"(?<![\w-])an?\s+(?:painter|artist|potter|member|hand)\s+(?:of|from|in|within)\s+(?=(?:the\s+)?[^,|]+\s(?:group|class|workshop)\b)",
    re.IGNORECASE,
)
"""Words before a group that name nobody in it: "a painter of the Princeton Group"."""
_PAINTED_IT = re.compile(
    r"\s+(?:has )?(?:painted|made|signed|decorated|drew|potted)(?:\s+(?:it|this|me|the \w+))?$", re.IGNORECASE
)
_BEFORE_NAME = re.compile(
    r"^(?:the\s+)?(?:vase[ -]?)?(?:painter|potter|artist)\s+(?="
    + "|".join(rf"{name}\b" for entry in lexicon("artist").values() for name in entry.names if " " not in name)
    + ")",
    re.IGNORECASE,
)
"""A role before a personal name, "Painter Makron"; "Painter N" is a name itself."""
_AND_HIS = re.compile(
    r"[,\s]+(?:and|or)\s+(?:(?:by\s+)?(?:his|her|the|their|an?)\s+)?(circle|school|workshop|follower|pupil|imitator)s?$",
    re.IGNORECASE,
)
_ARTICLES = re.compile(r"^(?:the|an?)\s", re.IGNORECASE)
_GROUP = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")
_KEPT_NUMBER = re.compile(r"[A-Z]{0,3} ?\d+(?:\.\d+)*")


def canonical_hands(text: str) -> str:
    """Returns an attribution in the form "near the Eucharides Painter", or "" if it names nobody.

    Alternatives are separated by "|" or ";". Life dates, nationalities and other notes are left out. An entry of the
    Beazley Archive (`ANTIMENES P by BEAZLEY`) is unchanged.
    """
    hands = []
    for alternative in re.split(r"[|;\n]", text):
        hand = _hand(alternative.strip())
        if hand and hand not in hands:
            hands.append(hand)
    return " | ".join(hands)


def _hand(text: str) -> str:
    if is_placeholder(text, _FIELD):
        return ""
    text = re.sub(r"</?\w+>", "", text) if "<" in text and not _beazley(text) else text
    text = _BEFORE_NAME.sub("", _MEMBER.sub("", _PAINTED_IT.sub("", text)))
    text = _INVERTED.sub(r"\2 \1", _PREFIX.sub("", text).strip())
    text = _AND_HIS.sub(r" or his \1", text)
    text = _ATTRIBUTED_BEHIND.sub("", text.replace("_", " "))
    text = _turned(_without_notes(text))
    text = _CUT.sub("", text)
    pieces = [piece.strip() for piece in text.split(",")]
    kept = [piece for piece in pieces if piece and not _is_note(piece)]
    text = _turned(", ".join(kept)) if len(kept) < len(pieces) or len(kept) > 1 else text
    text = text.strip(" ,;:-–")
    return "" if is_placeholder(text, _FIELD) or _is_origin(text) else text


def _beazley(text: str) -> bool:
    return bool(re.search(r"\b(?:P|GR|CL|W)\b", text)) or " by " in text


def _without_notes(text: str) -> str:
    """Returns the text without notes in brackets, from the innermost brackets outwards. Qualifiers in brackets stay."""
    kept: list[str] = []

    def read(match: re.Match[str]) -> str:
        content = (match[1] if match[1] is not None else match[2] or "").strip()
        if match[1] is not None and (_is_qualifier(content) or _KEPT_NUMBER.fullmatch(content)):
            kept.append(content)
            return f"\0{len(kept) - 1}\0"
        return " "

    previous = None
    while previous != text:
        previous, text = text, _GROUP.sub(read, text)
    text = re.sub(r"\([^()]*$|(?<!\()\)", " ", text)  # a bracket that is never closed or opened
    text = re.sub(r"\0(\d+)\0", lambda match: f"({kept[int(match[1])]})", text)
    return re.sub(r"\s+([,;)])", r"\1", " ".join(text.split()))


def _is_qualifier(content: str) -> bool:
    return bool(_BEHIND.fullmatch(f"x, {content}")) and not re.fullmatch(
        r"painter|potter|group|class|workshop", content, re.I
    )


def _turned(text: str) -> str:
    """Puts a qualifier before the name that it follows."""
    match = _BEHIND.match(text)
    if not match:
        return text
    name = match["name"].strip(" ,(")
    if match["collective"]:
        return f"{match['collective'].capitalize()} of {name}"
    if match["turned"]:
        return f"{name} {match['turned'].capitalize()}" if "," not in name else text
    relation = (match["relation"] or match["bare"]).lower()
    if match["bare"] and relation != "near":
        relation = f"{relation} of"
    needs_article = re.search(r"\b(?:painter|group|class|workshop|master)$", name, re.IGNORECASE)
    the = "the " if needs_article and not _ARTICLES.match(name) else ""
    return f"{relation} {the}{name}"


def _is_note(piece: str) -> bool:
    return bool(_NOTE.match(piece) or _ROLES.fullmatch(piece)) or _is_origin(piece)


def _is_origin(piece: str) -> bool:
    """Returns True for a nationality or a place of work: "Greek", "Greek (Attic)", "South Italian, Apulian"."""
    words = re.findall(r"[^\W\d_]+", piece.lower())
    return bool(words) and _nations().issuperset(words)


def _nations() -> frozenset[str]:
    names = (name for entry in lexicon("fabric").values() for name in (*entry.names, *entry.record_names))
    words = frozenset(word for name in names for word in name.lower().replace("-", " ").split()) - {"campana"}
    return words | {"greek", "greece", "ancient", "roman", "italian", "italy", "athens", "artist", "vase", "culture"}
