"""Parses attributions of vases to artists: a name, a role ("painter"), and a qualifier such as "near" or "manner of".

Captions and fields of the Beazley archive are parsed to the same values. "attributed to the Antimenes Painter" and
`ANTIMENES P by BEAZLEY` are both the Antimenes Painter, `BERLIN 1686, P OF` is the Painter of Berlin 1686, and
`<em>Near</em> ANTIMENES P by SHEFTON` is the Antimenes Painter with the qualifier "near". A spelling of a name in the
lexicon is replaced by the entry's own. A comparison ("compare Aison", "not by Lydos") is no attribution, and a scholar
is no artist.
"""

import re
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache

from vaserl.rewards.vase import hand_phrases as phrases
from vaserl.rewards.vase.hands import NAME_WORD, ROLES, core, known_hand, museum_numbers, split_role
from vaserl.rewards.vase.lexicon import lexicon, places
from vaserl.rewards.vase.text import CUT, word_list


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
    """Relation of the vase to the artist: "near", "manner", "follower", "circle", "workshop" or "recalls"; empty if the
    vase is attributed to the artist without such a word."""
    doubtful: bool = field(default=False, compare=False)
    """True if the text doubts the attribution: "(?)", "probably". Two attributions that differ only in this are equal:
    the doubt is the scholar's, and the vase doesn't show it."""


def find_attributions(normal: str) -> tuple[tuple[Attribution, ...], str]:
    """Finds the attributions in a text returned by `normalize`.

    Returns the distinct attributions, and the text with each attribution replaced by `CUT`.
    """
    found: list[Attribution] = []

    def take(match: re.Match[str]) -> str:
        names, states = _read(match["names"]) if len(found) < _MOST_HANDS else ((), True)
        if not states and match.re is not phrases.ATTRIBUTED:
            return match[0]
        before = match.string[max(0, match.start() - 48) : match.start()]
        if names and not phrases.NEGATED.search(before):
            if phrases.AFTER_DOUBT.match(match.string, match.end()) or phrases.BEFORE_DOUBT.search(before):
                names = tuple(replace(name, doubtful=True) for name in names)
            found.extend(names)
        kept = match["kept"] if "kept" in match.re.groupindex else ""
        return f"{kept} {CUT} "

    normal = phrases.show_numbers(normal)
    if "(?)" in normal:
        normal = normal.replace("(?)", "?")
    if phrases.OF_END.search(normal):
        normal = phrases.inverted().sub(r"\2 of \1", normal)
    if " group" in normal:
        normal = phrases.INITIALS.sub(r"\1-\2 group", phrases.LETTERS.sub(r"\1-\2-\3 group", normal))
    if "-painter" in normal or "-group" in normal:
        normal = phrases.HYPHENATED.sub(r" \1", normal)  # "the Cuttlefish-Painter"
    if " painters" in normal:
        normal = phrases.SHARED_ROLE.sub(r"\1 painter and the \2 painter", normal)
    if "painter's name" in normal:
        normal = phrases.NAME_VASE.sub(r"\1 , name vase", normal)
    if " of " in normal:
        normal = phrases.POINT_OF_NUMBER.sub(r"\1 ", normal)
    if "'s " in normal:
        normal = phrases.POSSESSIVE.sub(r"\2 of \1", normal)
    if "ttribut" in normal or "scribed" in normal or "ssigned" in normal:
        normal = phrases.ATTRIBUTED.sub(take, normal)
    # Most texts, and most parts of a text, name no other artist, and the search for a name is cheaper than the
    # expressions.
    has_role, has_name = phrases.ROLE_WORD.search, phrases.known_name().search
    if ", one of the " in normal or ", a " in normal or ", an " in normal or ", the " in normal:
        normal = phrases.APPOSITION.sub(r" \1", normal)
    if not (has_role(normal) or has_name(normal)):
        return tuple(dict.fromkeys(found)), normal
    normal = phrases.without_relatives(normal)
    pieces = phrases.MARKS.split(normal)
    named = {i for i in range(0, len(pieces), 2) if has_name(pieces[i])}
    naming = [i for i in range(0, len(pieces), 2) if i in named or has_role(pieces[i])]
    for index in naming:
        piece = pieces[index]
        if has_role(piece):
            for pattern in phrases.role_phrases(piece):
                piece = pattern.sub(take, piece)
        if index in named:
            for pattern in phrases.known_phrases():
                piece = pattern.sub(take, piece)
        if has_role(piece):
            for pattern in phrases.vessel_phrases():
                piece = pattern.sub(take, piece)
        pieces[index] = piece
    if not found:
        for index in naming:
            pieces[index] = phrases.alone().sub(take, pieces[index])
    return tuple(dict.fromkeys(found)), "".join(pieces)


def read_names(names: str) -> tuple[Attribution, ...]:
    """Parses a normalised list of artists' names, in which "|", ",", ";", "/" or "or" separates alternatives.

    A sentence ("the vase was painted by Lydos") is read like a caption.
    """
    if _SENTENCE.search(names):
        return find_attributions(names)[0]
    return _read(names)[0]


def display(attribution: Attribution) -> str:
    """Formats an attribution as the words after "attributed to": "the Antimenes Painter", "the manner of Lydos"."""
    known = known_hand(attribution.name, attribution.role)
    if known:
        name = known.written
    else:
        sigla = museum_numbers(core(attribution.name))
        name = " ".join(_capitalize(word, word in sigla) for word in attribution.name.split())
        if attribution.role:
            role = attribution.role.capitalize()
            after = name.startswith("of ") or (role == "Group" and len(name) == 1)  # "Group E"
            name = f"{role} {name}" if after else f"{name} {role}"
    article = "the " if attribution.role and not _LETTERED.fullmatch(name) else ""
    return f"{_DISPLAY[attribution.qualifier]}{article}{name}"


_MOST_HANDS = 64
"""Number of attributions beyond which further ones of a text are not read, so that a flood of names takes no time."""
_LETTERED = re.compile(r"(?:Painter|Group) [A-Z]")
_COMPARED = "compare"
"""Qualifier of a name that is only compared; such a name is no attribution."""
_QUALIFIER = re.compile(
    r"(?P<near>\bnear(?: to)?\b|\b(?:very )?close (?:in (?:style|manner) )?to\b)"
    r"|(?P<manner>\b(?:in )?(?:the )?(?:manner|style) of\b|\bmanner\b)"
    r"|(?P<follower>^after\b(?= .* painter)"
    r"|\b(?:an? |the )?(?:followers?|imitators?|pupils?|students?|imitations?) of\b|\bfollower\b)"
    r"|(?P<circle>\b(?:(?:in|from) )?(?:the )?(?:circle|school|following) of\b"
    r"|\b(?:an? )?(?:associate|companion)s? of\b)"
    r"|(?P<workshop>\b(?:from )?(?:the )?(?:work)?shop of\b)"
    r"|(?P<recalls>\brecall(?:s|ing)?\b|\bakin to\b|\brelated to\b|\bconnected (?:with|to)\b"
    r"|\bresembl(?:es?|ing)\b|\breminiscent of\b)"
    r"|(?P<compare>\bcompar(?:e|ed|able)\b(?: (?:with|to)\b)?|\bcf\b\.?|\b(?:influenced|inspired) by\b)"
)
_DISPLAY = {
    "": "",
    "near": "a hand near ",
    "manner": "the manner of ",
    "follower": "a follower of ",
    "circle": "the circle of ",
    "workshop": "the workshop of ",
    "recalls": "a hand akin to ",
}
_SENTENCE = re.compile(r"\b(?:is|was|are|were|be|been|looks?|seems?|not|but)\b")
_ALTERNATIVES = re.compile(
    r"\s*[,/;]\s*(?:or\s+)?|\s+or\s+(?:to\s+)?|\s+and\s+(?=(?:by )?(?:the|his|her)\s)|\s+and/or\s+"
    r"|(?<=painter)\s+and\s+"
)
_DOUBT = re.compile(r"\(\?\)|\?|\b(?:probably|possibly|perhaps|purportedly|tentatively|maybe|likely)\b")
_DROPPED = re.compile(
    rf"{_DOUBT.pattern}|\b(?:himself|work of|so-called|as (?:both )?(?:the |a )?(?:painter|potter)"
    r"(?: and (?:the |a )?(?:painter|potter))?)\b"
)
_LEADING = re.compile(
    rf"^(?:(?:{phrases.MADE})?\s*\bby\b|(?:made|manufactured|produced|painted|potted) in\b"
    r"|(?:belong(?:s|ing)|given|credited) to\b"
    r"|(?:an? |the )?(?:painter|artist|potter|member|hand)s? (?:of|from|in|within) "
    r"(?=(?:the )?(?:[a-z'-]+ ){1,3}(?:group|class|workshop|cluster)\b)"
    r"|(?:artist|painter|potter) (?:now |conventionally |today )*"
    r"(?:known|called|named|nicknamed|dubbed|identified)(?: by (?:[a-z-]+ ){1,3}(?=as\b))?(?: as)?\b"
    r"|an?\b(?!-| \d| p\b)|the\b|hand\b|of\b|himself\b|\W)+\s*"
)
_KNOWN_AS = re.compile(
    r"^[^,;/]*\b(?:artist|painter|potter|hand) (?:now )?(?:known|identified) as\b(?=.* (?:painter|group)\b)"
)
_TWO_NUMBERS = re.compile(r"(\b(?:group|class|painter) of [^,;/|]*\d)/(?=[a-z][^,;/|]*\d)")
"""The stroke in "Group of Bologna 585/Trieste S 403", which is one name."""
_PIECE_END = r"(?=\s*(?:$|[,;/(?]|by\b))"
_TURNED = re.compile(
    r"([^,;/]+?),? \(?(?:(?P<role>p|ptr|painter|potter|gr|group|cl|class|workshop) of\b"
    rf"|(?<=, )(?P<plain>p|ptr|painter|gr|group|cl|class){_PIECE_END}"
    r"|(?<=, )(?P<bare>near|manner|circle|school|workshop|follower)(?: of)?)"
    rf"(?: the)?\)?{_PIECE_END}"
)
"""A name before its role or qualifier: "berlin 1686, p of", "haimon p, manner of"."""
_MOST_WORDS = 3
"""Largest number of words of a name without a role; more are a sentence."""
_HIS_QUALIFIERS = {"school": "circle", "group": "circle", "pupil": "follower", "imitator": "follower"}
_HIS_QUALIFIERS |= {"him": "near", "her": "near"}
_SCHOLAR = re.compile(
    rf"(?<!\bor)(?<!\band){''.join(f'(?<!{verb})' for verb in phrases.MADE.split('|'))}"
    r"(?<!influenced)(?<!inspired)\s+by\s+.*$"
)
_LIFE = re.compile(r"\((?=[^()]*(?:\([^()]*\))?[^()]*(?:active|born|\bfl\b|\d{3}))(?:[^()]|\([^()]*\))*\)")
"""A note in brackets on an artist's nation and time: "(Greek (Attic), active 510–470 B.C.)"."""
_NOTE = re.compile(r"(?:who|which|that|active|born|working|sons? of|brothers? of|also|formerly)\b")
"""Begin of a note behind a name, which is no name: "Tleson, son of Nearchos"."""
_MADE_IT = re.compile(r" (?:has )?(?:painted|made|signed|decorated|drew|potted)(?: (?:it|this|me|the \w+))?$")
_ABBREVIATED = {"p": "painter", "ptr": "painter", "gr": "group", "cl": "class"}
_SCHOLARS = word_list("scholars.txt")
_NATIONS = frozenset(("greek", "attic", "athenian", "etruscan", "apulian", "campanian", "italian", "corinthian"))
_LINKS = frozenset(("the", "a", "an", "and", "as", "or", "painted", "potted", "made", "signed"))
_NO_NAME = word_list("nobody.txt")


@lru_cache(maxsize=16384)
def _read(names: str) -> tuple[tuple[Attribution, ...], bool]:
    """Returns the attributions, and whether the text names anyone; a name may be there for comparison only."""
    read: list[Attribution] = []
    if " painters" in names:
        names = phrases.SHARED_ROLE.sub(r"\1 painter and the \2 painter", names)
    if "(" in names:
        names = _LIFE.sub(" ", names)
    for alternative in names.split("|"):
        turned = _TURNED.sub(_turn, alternative) if "," in alternative or " of" in alternative else alternative
        doubtful = bool(_DOUBT.search(turned)) and not _ALTERNATIVES.search(turned)
        turned = _KNOWN_AS.sub("", _TWO_NUMBERS.sub(r"\1-", turned.strip()))
        for text in _ALTERNATIVES.split(_SCHOLAR.sub("", _LEADING.sub("", turned))):
            if phrases.HIS.fullmatch(text) and read:  # "the Brygos Painter or his circle"
                hand = text.rpartition(" ")[2]
                read.append(replace(read[-1], qualifier=_HIS_QUALIFIERS.get(hand, hand)))
                continue
            name = _read_name(text)
            if name:
                read.append(replace(name, doubtful=True) if doubtful and not name.doubtful else name)
    return tuple(dict.fromkeys(a for a in read if a.qualifier != _COMPARED)), bool(read)


def _turn(match: re.Match[str]) -> str:
    name = match[1].strip()
    role = match["role"] or match["plain"]
    if role:
        before = _QUALIFIER.match(name)
        qualifier = f"{before[0]} " if before else ""
        return f"{qualifier}{_ABBREVIATED.get(role, role)} of {name[before.end() :].strip() if before else name}"
    return f"{match['bare']} of {name}" if match["bare"] != "near" else f"near {name}"


def _read_name(text: str) -> Attribution | None:
    if _NOTE.match(text):
        return None
    doubtful = bool(_DOUBT.search(text))
    text = " ".join(_DROPPED.sub(" ", text).split())
    qualifier = ""
    while match := _QUALIFIER.search(text):
        qualifier = qualifier or str(match.lastgroup)
        after = text[match.end() :].strip(" ,.()")
        text = after or text[: match.start()]
    text = _MADE_IT.sub("", _LEADING.sub("", text.strip()))
    words: list[str] = NAME_WORD.findall(text)
    words = [_expanded(words, index) for index in range(len(words))]
    while len(words) > 1 and words[-1] in ("and", "or"):
        words = words[:-1]  # "attributed to Python and dated to …"
    words = _without_notes(words)
    name, role = split_role(words)
    if not role and (len(name) < 2 or len(words) > _MOST_WORDS or places().keys() >= set(words)):
        return None
    if not words or (_nobody().issuperset(words) and not _LETTERED.fullmatch(f"{role.capitalize()} {name.upper()}")):
        return None
    if role == "workshop" and places().keys() >= set(words) - {role}:
        return None  # "a Campania workshop"
    if role == "potter" and known_hand(name, ""):
        role = ""
    known = known_hand(name, role)
    if known:
        name, role = known.name, known.role
    return Attribution(name, role, qualifier, doubtful)


def _expanded(words: list[str], index: int) -> str:
    """Returns the word, or the role for which "p" and "gr" stand at the end of a name and before "of"."""
    word = words[index]
    at_end = index + 1 == len(words) or words[index + 1] == "of" or words[index + 1] in ("late", "early")
    return _ABBREVIATED.get(word, word) if at_end and len(words) > 1 else word


def _without_notes(words: list[str]) -> list[str]:
    """Returns the words of a name without a scholar, a date or a description around it."""
    while len(words) > 1 and words[-1] in _NATIONS:
        words = words[:-1]  # "Paidikos (Greek)"
    if len(words) > 1 and len(words[-1]) == 1 and known_hand(*split_role(words[:-1])):
        words = words[:-1]  # "Psiax [D. von Bothmer]"
    while words and (words[-1] in ("late", "early") or words[-1] in _SCHOLARS):
        words = words[:-1]
        while words and len(words) > 1 and len(words[-1]) == 1 and not set(words) & {*ROLES}:
            words = words[:-1]  # initials
    if words and words[0] not in ROLES:
        roles = [index for index, word in enumerate(words) if index and word in ROLES]
        if roles and not known_hand(words[-1], ""):
            after = words[roles[0] + 1 :]
            number = after if len(after) == 1 and after[0].isdigit() else []  # "Naples Painter 1959"
            words = words[: roles[0]] + number + [words[roles[0]]]
    if len(words) > 1 and not known_hand(*split_role(words)):
        if known_hand(words[0], "") and words[1] in _LINKS:
            words = words[:1]
        elif known_hand(words[-1], "") and _nobody().issuperset(words[:-1]):
            words = words[-1:]
    return words


@cache
def _nobody() -> frozenset[str]:
    """Returns words that name nobody: in "made by an Athenian potter" there is no name."""
    origins = {word for e in lexicon("fabric").values() for name in e.names for word in NAME_WORD.findall(name.lower())}
    return _NO_NAME | origins | {"greek", *ROLES}


def _capitalize(word: str, siglum: bool) -> str:
    if siglum:
        return word.upper()
    return word if word in ("of", "the", "and", "in", "on", "with") else word.capitalize()
