"""Finds the units of which dates consist: years, decades, hundreds ("the 500s") and centuries, and words around them.

"Late 6th–early 5th century BC" has two units, each with a part of a century; "c. 525–475 BCE" has two years, and only
the second one has an era. `date_spans.py` joins units to spans of years. One pattern finds a unit together with the
words around it, so a text is scanned once.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["year", "decade", "hundred", "century"]
"""Kind of a unit: "480", "the 480s", "the 500s", "the 5th century"."""
Fractions = tuple[float, float]
"""Start and end of a part of a period, as shares of its length: (0.5, 0.75) for "third quarter"."""

WHOLE: Fractions = (0.0, 1.0)
MOST_NUMBERS = 100
"""Number of numbers that are read of a text, dates or not."""


@dataclass(slots=True)  # not frozen: creating one takes a third of the time
class DateUnit:
    """One year, decade, hundred or century of a text, with the words that belong to it."""

    kind: Kind
    number: int
    """The year (0 in "425/0", where it stands for 420), the round year of the decade or hundred, or the ordinal of the
    century; without its minus sign."""
    digits: str
    """The year as written, without its sign; empty for other kinds."""
    part: Fractions
    """Part of the period that is meant; (0, 1) for the whole."""
    era: Literal["BCE", "CE", ""]
    """Era that the unit states, "" if none. A minus sign states BCE."""
    signed: bool
    """True if the year is written with a minus sign."""
    named: bool
    """True if the unit calls itself a century ("5th century", not "5th")."""
    circa: bool
    """True if "c.", "about", "dated to" or a similar word marks the number as a year."""
    terminus: Literal["before", "after", ""]
    """"before" and "after" make the unit the end and the start of an open interval."""
    near: bool
    """True if the open interval is short: "shortly before", "soon after"."""
    turn: bool
    """True for "turn of the"."""
    begin: int
    """Index of the unit's first character in the text."""
    end: int
    """Index behind the unit's last character."""


def find_units(normal: str) -> Iterator[DateUnit]:
    """Yields the units of a text returned by `normalize`, in its order. Not every year is a date: see `date_spans.py`.

    Only the first `MOST_NUMBERS` numbers of the text are read, so that a flood of numbers doesn't take long.
    """
    end = 0
    number = _DIGIT_OR_WORD if _may_have_words(normal) else _DIGIT
    core = number.search(normal)
    read = 0
    while core is not None and read < MOST_NUMBERS:
        read += 1
        match = None
        for start in _starts(normal, core.start(), end):
            match = _UNIT.match(normal, start)
            if match is not None:
                break
        end = max(core.start() + 1, match.end() if match else 0)
        if match is not None and (unit := _unit(match)) is not None:
            yield unit
        core = number.search(normal, end)


def _may_have_words(normal: str) -> bool:
    """Returns False if no ordinal in letters is part of a date: "sixth century", "IV sec.", "III BCE"."""
    if _SHORT_HINT.search(normal) or _ROMAN_HINT.search(normal):
        return True
    return any(map(normal.__contains__, _HINTS))


def _starts(normal: str, core: int, lowest: int) -> list[int]:
    """Returns the indices at which a unit may start whose number starts at index `core`, from left to right."""
    lowest = max(lowest, core - _CHARACTERS_IN_FRONT)
    starts = [core]
    if lowest < core and normal[core - 1] == "-" and (core < 2 or not normal[core - 2].isalnum()):
        starts.append(core - 1)  # a minus sign
    start = core
    for word in reversed(normal[lowest:core].translate(_PUNCTUATION).split()):
        if word not in _LEADING:
            break
        start = normal.rindex(word, lowest, start)
        starts.append(start)
    starts.reverse()
    return starts


def part_behind(normal: str, begin: int) -> tuple[Fractions, int] | None:
    """Returns the part of a century that stands behind it, as in "5th century BC, second half", and the part's end.

    Returns None if no part stands at index `begin`.
    """
    match = _BEHIND.match(normal, begin)
    return (_fractions(match["part"]), match.end("part")) if match else None


_BEFORE_CHRIST = (
    r"b\.? ?c\.?(?: ?e\b\.?)?|before (?:the )?(?:christ|common era)|v\. ?chr\.?|vor christus|a\. ?chr\.?(?: ?n\.)?"
    r"|av(?:ant)?\.? ?j(?:esus)?\.?-? ?c(?:hrist|\.)?|a\. ?c\.?"
)
_AFTER_CHRIST = (
    r"a\.? ?d\.?|c\.? ?e\.?|after christ|anno domini|n\. ?chr\.?|nach christus|p\. ?chr\.?(?: ?n\.)?"
    r"|ap(?:res)?\.? ?j(?:esus)?\.?-? ?c(?:hrist|\.)?|d\. ?c\.?"
)
_ERA = rf"(?:(?:{_BEFORE_CHRIST}|{_AFTER_CHRIST})(?![a-z]))"
_ERA_IN_FRONT = r"(?:ad|a\. ?d\.|ce|c\.e\.|bce?|b\.c\.(?:e\.)?|anno domini)"
_AFTER = re.compile(rf"(?:{_AFTER_CHRIST})$")

_CIRCA = (
    r"(?:circa|ca\.?|c\.?|about|around|roughly|approximately|approx\.?|possibly|probably|perhaps|dated(?: to| at)?"
    r"|dat(?:es|ing)(?: back)? (?:to|from)|date[:=]?|um|vers)(?![a-z])"
)
_ORDINALS = {
    word: n
    for n, word in enumerate(
        (
            *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"),
            *("eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth"),
            *("eighteenth", "nineteenth", "twentieth"),
        ),
        start=1,
    )
}
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10, "xi": 11}
_ROMAN |= {"xii": 12, "xiii": 13, "xiv": 14, "xv": 15, "xvi": 16, "xvii": 17, "xviii": 18, "xix": 19, "xx": 20}
_TAILS = rf"(?:{'|'.join(sorted((word[1:] for word in _ORDINALS), key=len, reverse=True))})"
_WORD_ORDINAL = rf"(?:{'|'.join(sorted(_ORDINALS, key=len, reverse=True))})"
# "c." is a century behind an ordinal: "5th c. BC". Before a year it is "circa".
_CENTURY = (
    r"(?:centur(?:ies|y)|cents?\b\.?|c\b\.?(?! ?\d)|jahrhunderts?|jhs?\b\.?|secol[oi]|sec\b\.?|siecles?|s\.)(?![a-z])"
)
_OTHER_CENTURY = r"(?:centur(?:ies|y)|cent\b|jahrh|jh\b|secol|sec\b|siecle|s\.)"
_TO = r"(?:-|/|to|or|and|through|until|till|into|bis)"
_NUMERAL = (
    r"(?:\d{1,2} ?(?:st|nd|rd|th)\b"
    # "5. Jh.", "5 cent.", "Ve siècle"
    rf"|\d{{1,2}}(?:\.|e|eme|er)?(?=(?: ?[-/] ?\d{{1,2}}(?:\.|e|eme)?)?[ -]?{_OTHER_CENTURY})"
    rf"|[ivx]{{1,5}}(?:st|nd|rd|th|eme|e)?(?=(?: ?{_TO} ?[ivx]{{1,5}}(?:st|nd|rd|th|eme|e)?)?"
    rf"(?:[ -]{_CENTURY}| (?:bce|ce|bc|ad)\b))"
    rf"|{_WORD_ORDINAL}\b)"
)
_WHICH = rf"(?:{_WORD_ORDINAL}|\d(?:st|nd|rd|th)|last|final|closing|opening|former|latter|middle|central)"
_DIVISION = (
    rf"(?:(?:{_WHICH} ?(?:-|/|and|or|to) ?(?:the )?)?{_WHICH}[ -](?:(?:two|three|few)[ -])?"
    r"(?:half|halves|third|quarter|decade|year)s?)"
)
_STAGE = (
    r"(?:earlier|earliest|early|middle|mid|latest|later|latter|late|beginnings?|start|outset|opening|end|close|closing"
    r"|turn|first|last)"
)
# "first" and "last" alone are no part: "the first century".
_PART = rf"(?:{_DIVISION}|(?:(?!first|last|opening|closing)){_STAGE}(?:[ -](?:part|portion|phase|years|decades))?)"
_OF = r"(?:(?: (?:of|in|to)(?: the)?|[ -]the)?[ -]|\.? )"
_DOUBT = r"(?: ?\(?\?\)?)?"
_MEASURE = r"(?:(?:cms?|mms?|m|inch(?:es)?|in\.|ft|feet|kg|g|%|percent|x)(?!\w)|\d{1,2}/\d)"
# A number without words in front passes by each group of words after a look at its first character.
_UNIT = re.compile(
    rf"(?<![\w.])(?<!\d,)(?:(?![a-z])|"
    rf"(?:(?P<near>not long|shortly|soon|just|immediately|slightly|a little|little) )?"
    rf"(?:(?P<no>not|no) )?(?:(?P<terminus>before|after|prior to|(?:later|earlier) than|by|terminus (?:ante|post)"
    rf" quem:?(?: of)?) )?"
    rf"(?P<circa>(?:{_CIRCA} ?){{1,2}})?(?:the )?(?:very )?(?:years? )?)"
    rf"(?:(?=[a-z]|\d[a-z])(?P<p1>{_PART})"
    rf"(?:(?P<to>-? ?{_TO}(?:-| the | )|[-/]|(?: (?:of|in))?(?: the)? )(?P<p2>{_PART}))?{_OF})?"
    rf"(?:(?![a-z])|(?P<in_front>{_ERA_IN_FRONT} ?)?(?P<circa2>(?:circa|ca\.?|c\.) ?)?)"
    rf"(?:(?P<decade>\d{{1,3}}0)(?: ?'?s)(?!\w)"
    rf"|(?P<ordinal>{_NUMERAL}){_DOUBT}(?P<century>[ -]?{_CENTURY})?"
    rf"|(?P<year>-?\d{{1,4}})(?!\d|[.,:]\d)(?!(?!{_ERA})\w)(?! ?{_MEASURE})"
    rf")"
    rf"{_DOUBT}(?: ?(?P<era>{_ERA}))?{_DOUBT}"
)
# The first character of a number. Most texts have few of them, and `_UNIT` takes long where none follows.
_DIGIT = re.compile(r"\d(?<!\d\d)(?<!\d[.,]\d)")
_WORD = rf"[efinstvx](?<!\w\w)(?:(?<=[efnst]){_TAILS}|(?<=[ivx])[ivx]{{0,4}}(?:st|nd|rd|th|eme|e)?)(?=[ /.,-])"
_DIGIT_OR_WORD = re.compile(rf"{_DIGIT.pattern}|{_WORD}")
_HINTS = ("centur", "siecle", "secol", " sec.", " sec ", " s.")
_SHORT_HINT = re.compile(r" c(?<=[hdtivxe] c)(?:ent|[. ])")
_ROMAN_HINT = re.compile(r" bc(?<=[ivx] bc)")
_CHARACTERS_IN_FRONT = 80
_PUNCTUATION = str.maketrans(dict.fromkeys("-/.:=(,;|", " "))
_LEADING = frozenset(
    (
        *("not", "no", "long", "shortly", "soon", "just", "immediately", "slightly", "a", "little", "before"),
        *(
            "after",
            "prior",
            "later",
            "earlier",
            "than",
            "by",
            "terminus",
            "ante",
            "post",
            "quem",
            "circa",
            "ca",
            "c",
            "about",
        ),
        *("around", "roughly", "approximately", "approx", "possibly", "probably", "perhaps", "dated", "at", "dates"),
        *("dating", "back", "from", "date", "um", "vers", "the", "very", "years", "year", "bc", "b", "bce", "ad", "d"),
        *("ce", "e", "anno", "domini", "early", "earliest", "mid", "middle", "late", "latest", "latter", "beginning"),
        *("beginnings", "start", "outset", "opening", "end", "close", "closing", "turn", "last", "final", "former"),
        *("central", "half", "halves", "thirds", "quarter", "quarters", "decade", "decades", "part", "portion"),
        *("phase", "in", "of", "two", "three", "few", "to", "and", "or", "through", "until", "till", "into", "bis"),
        *_ORDINALS,
        *(f"{n}{suffix}" for n in range(10) for suffix in ("st", "nd", "rd", "th")),
    )
)
_BEHIND = re.compile(rf" ?[,(;]? ?(?:the )?(?P<part>{_PART})(?= ?(?:[,;.:)¦|]|$))")

_STAGES: dict[str, Fractions] = {
    "earlier": (0, 1 / 2),
    "later": (1 / 2, 1),
    "latter": (1 / 2, 1),
    **dict.fromkeys(("early", "earliest", "beginning", "beginnings", "start", "outset"), (0.0, 1 / 3)),
    **dict.fromkeys(("mid", "middle"), (1 / 3, 2 / 3)),
    **dict.fromkeys(("late", "latest", "end", "close"), (2 / 3, 1.0)),
}
_PARTS_OF = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "decade": 10, "year": 10}
_COUNTS = {"two": 2, "three": 3, "few": 3}


def _unit(match: re.Match[str]) -> DateUnit | None:
    # all groups at once, in the order of the expression, because each look-up by name takes time
    near, no, limit, circa, part1, joint, part2, in_front, circa2, decade, ordinal, century, year, era = match.groups()
    era = era or (in_front or "").strip()
    digits = year or ""
    if decade:
        number = int(decade)
        kind: Kind = "decade" if number % 100 else "hundred"
    elif ordinal:
        number, kind = _number(ordinal), "century"
    else:
        number, kind = abs(int(digits)), "year"
    if number == 0 and not digits:
        return None
    signed = digits.startswith("-")
    terminus = ""
    if limit:
        early = limit.startswith(("before", "prior", "earlier", "by", "terminus ante"))
        terminus = "before" if early != bool(no) else "after"
    part = _fractions(part1) if part1 else WHOLE
    if part2:
        second = _fractions(part2)
        inner = joint.strip() in ("", "of", "in", "of the", "in the", "the")
        # "Late in the third quarter" is read as the third quarter, "early to mid" as both.
        part = second if inner else (min(part[0], second[0]), max(part[1], second[1]))
    stated_era = "BCE" if signed else "" if not era else "CE" if _AFTER.match(era) else "BCE"
    about = bool(circa or circa2)
    open_briefly = bool(near and terminus)
    turn = bool(part1) and part1.startswith("turn")
    named = bool(century)
    digits = digits.lstrip("-")
    return DateUnit(
        kind, number, digits, part, stated_era, signed, named, about, terminus, open_briefly, turn, *match.span()
    )


def _fractions(part: str) -> Fractions:
    """Returns start and end of a part of a period: (0.5, 0.75) for "third quarter", (2/3, 1) for "late"."""
    words = re.split(r"[ -/]+", part)
    unit = words[-1].removesuffix("s")
    if unit not in _PARTS_OF or len(words) < 2:
        return _STAGES.get(words[0], WHOLE)
    count = 2 if unit == "halve" else _PARTS_OF[unit]
    ordered = [_nth(word, count) for word in words[:-1] if word not in ("and", "or", "to", "the", *_COUNTS)]
    width = next((_COUNTS[word] for word in words if word in _COUNTS), 1)
    if width == 1 and words[-1] in ("decades", "years") and len(ordered) == 1:
        width = 3  # "the first decades"
    first, last = min(ordered), max(ordered)
    if width > 1:
        first, last = (count - width, count - 1) if last == count - 1 else (first, first + width - 1)
    return first / count, min(1.0, (last + 1) / count)


def _nth(word: str, count: int) -> int:
    """Returns the index of a part among `count` parts: 2 for the third of four quarters."""
    if word in ("last", "final", "closing", "latter"):
        return count - 1
    if word in ("opening", "former"):
        return 0
    if word in ("middle", "central"):
        return (count - 1) // 2
    return min(_number(word), count) - 1


def _number(ordinal: str) -> int:
    """Converts an ordinal to a number: "sixth", "6th", "6." and "vi" to 6."""
    if ordinal in _ORDINALS:
        return _ORDINALS[ordinal]
    if ordinal[0].isdigit():
        return int(re.sub(r"\D", "", ordinal))
    return _ROMAN.get(re.sub(r"(?:st|nd|rd|th|eme|e)$", "", ordinal), 0)
