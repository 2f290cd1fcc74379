"""Joins units (`date_units.py`) to the dates of a text, and decides which numbers are dates at all.

Years are ordinals here, numbers on an axis without a gap: 1 BCE is -1, 1 CE is 0, 2 CE is 1.
"""

import re
from dataclasses import dataclass, replace

from vaserl.rewards.vase.date_units import WHOLE, DateUnit, find_units, part_behind

Span = tuple[int, int]
"""First and last year of a date, as ordinals."""
NO_BARE_YEARS = 10_000
"""Value of `bare_from` with which a number is a year only if the words around it say so."""
OPEN_YEARS = 50
"""Length of the interval of an open date ("before 480 BC"), equal to the commonest period of the Beazley archive."""


@dataclass(slots=True)  # not frozen: creating one takes a third of the time
class DateSpan:
    """A date of a text and its place in the text."""

    stated: Span
    widened: Span
    """The same with the margin on both sides of a single year."""
    modern: bool
    """True for a modern date without an era."""
    begin: int
    end: int


def find_spans(normal: str, margin: int, bare_from: int) -> list[DateSpan]:
    """Returns the dates of a text returned by `normalize`, in its order.

    margin: number of years by which a single year is widened on both sides. bare_from: smallest number that counts as a
    year although nothing around it says so.
    """
    units = list(find_units(normal))
    if not units:
        return []
    links = [_link(units[i], units[i + 1], normal) for i in range(len(units) - 1)] + [None, None]
    found: list[DateSpan] = []
    index = 0
    while index < len(units):
        unit, link = units[index], links[index]
        span = None
        if link is not None and not _binds_tighter(links[index + 1], link):
            span = _range(unit, units[index + 1], link, normal, margin, bare_from)
        index += 1 if span is None else 2
        span = span or _single(unit, normal, margin, bare_from)
        if span is not None:
            found.append(_extended(span, normal, margin))
    return found


_FIRST_MODERN_YEAR = 1500
_FIRST_MODERN_CENTURY = 16
_LONGEST_COMPLETED_YEARS = 200
_LONGEST_UNMARKED_YEARS = 200
_LONGEST_SPACED_YEARS = 300

_LINK = re.compile(r" ?(?P<word>-|/|to|until|till|or|and|through|into|down to|bis|,)? ?(?:the )?")
_LONGEST_LINK = len(" through the ")
_COUNTED = re.compile(
    r" (?:of (?:the|these|them)|(?:(?:known|such|other|surviving|extant|similar|more) )?(?:years?|vases|vessels|pots"
    r"|pieces|fragments|sherds|figures|works|examples|specimens|objects|items|tombs|graves|times|days))\b"
)
_OR_LATER = re.compile(
    r" (?:or|and) (?P<near>(?:(?:slightly|somewhat|a little|a bit|soon|shortly|just|perhaps|possibly|probably) )*)"
    r"(?P<way>later|earlier|after|before)(?= ?(?:[,;.:()|¦]|$))| (?P<on>onwards?)(?!\w)"
)


def _link(first: DateUnit, second: DateUnit, normal: str) -> str | None:
    """Returns the text between two units if it joins them to a range ("-", " to "), else None."""
    if second.begin - first.end > _LONGEST_LINK:
        return None
    between = normal[first.end : second.begin]
    if between == "-":
        return between
    if second.signed and not first.signed and first.digits and between in ("", " "):
        return "-"  # "550 -500"
    match = _LINK.fullmatch(between)
    return between if match and match["word"] else None


def _binds_tighter(following: str | None, link: str) -> bool:
    """Returns True if the second of three numbers belongs to the third: "Painter of Berlin 1686 - 500-475 BC"."""
    return link == " - " and following is not None and following != " - "


def _range(first: DateUnit, second: DateUnit, link: str, normal: str, margin: int, bare_from: int) -> DateSpan | None:
    """Returns the date that two joined units state, or None if they don't state one."""
    years = first.kind == second.kind == "year"
    if years:
        second = _completed(first, second, link)
        if not _is_range_of_years(first, second, link, normal, bare_from):
            return None
    elif first.kind == second.kind == "century":
        if bare_from == NO_BARE_YEARS and not (second.named or second.era):
            return None
    elif any(unit.kind == "year" and not (unit.era or unit.circa or second.era) for unit in (first, second)):
        return None
    if "," in link and (first.named or not second.named):  # only "late 6th, early 5th century"
        return None
    era = first.era or second.era
    modern = not era and _is_modern(first) and _is_modern(second)
    era = "CE" if modern else era
    if first.signed and not second.era and link != "-":
        second.era = "CE"  # "-50 to 50"
    a, b = _period(first, first.era or era), _period(second, second.era or era)
    stated = widened = (min(a[0], b[0]), max(a[1], b[1]))
    if first.turn:  # the year in which one century ends and the next one begins
        stated = (min(a[1], b[1]), min(a[1], b[1]))
    if first.terminus and not second.terminus:
        stated = widened = _open(stated, first, margin)
    elif first.turn or (years and a == b):
        widened = (stated[0] - margin, stated[1] + margin)
    return DateSpan(stated, widened, modern, first.begin, second.end)


def _is_range_of_years(first: DateUnit, second: DateUnit, link: str, normal: str, bare_from: int) -> bool:
    if not (first.number and second.number) or "," in link:
        return False
    apart = first.number - second.number
    if apart > _LONGEST_SPACED_YEARS and link == " - " and not (first.era or first.circa):
        return False  # "Painter of Berlin 1686 - c. 480 BC"
    if first.era or second.era or (_is_bare(first, bare_from) and _is_bare(second, bare_from)):
        return True
    if _COUNTED.match(normal, second.end):
        return False
    if first.circa or first.terminus:
        return first.number >= 100 or second.number >= 100
    # Without any mark, only a falling range is a date: "525-475", "510/500", "575 to 550".
    falling = second.number >= 100 and 0 < apart <= _LONGEST_UNMARKED_YEARS and first.number < _FIRST_MODERN_YEAR
    rounded = first.number % 5 == second.number % 5 == 0
    return falling and ("-" in link or (rounded and link in ("/", " to ")))


def _single(unit: DateUnit, normal: str, margin: int, bare_from: int) -> DateSpan | None:
    """Returns the date that one unit states, or None if it doesn't state one."""
    end = unit.end
    if unit.kind == "century":
        if not (unit.named or unit.era or (unit.part != WHOLE and bare_from < NO_BARE_YEARS)):
            return None  # "the second of two handles"
        behind = part_behind(normal, end) if unit.part == WHOLE and unit.named else None
        if behind:
            unit.part, end = behind
    elif unit.kind == "year" and not (unit.number and (_is_bare(unit, bare_from) or _is_marked(unit, normal))):
        return None
    modern = not unit.era and _is_modern(unit)
    if modern and unit.terminus:
        return None  # "acquired after 1900"
    stated = widened = _period(unit, "CE" if modern else unit.era)
    if unit.turn:
        stated = (stated[0], stated[0])
    if unit.terminus:
        stated = widened = _open(stated, unit, margin)
    elif unit.turn or unit.kind == "year":
        widened = (stated[0] - margin, stated[1] + margin)
    return DateSpan(stated, widened, modern, unit.begin, end)


def _is_bare(unit: DateUnit, bare_from: int) -> bool:
    """Returns True if a number without a mark counts as a year. Among words a modern one doesn't: "Berlin 1686"."""
    return unit.number >= bare_from and (bare_from == 1 or unit.number < _FIRST_MODERN_YEAR)


def _is_marked(unit: DateUnit, normal: str) -> bool:
    """Returns True if the words around a single year say that it is one."""
    if unit.era and not unit.signed:
        return True
    if unit.number < 100 or not (unit.signed or unit.circa or unit.terminus):
        return False
    if unit.circa and normal.startswith("louvre ca ", unit.begin - len("louvre ")):
        return False  # CA are numbers of the Louvre's inventory
    return unit.signed or not _COUNTED.match(normal, unit.end)  # "about 200 vases"


def _extended(span: DateSpan, normal: str, margin: int) -> DateSpan:
    """Returns the date, extended if "or later" or "or earlier" stands behind it."""
    if not normal.startswith((" or ", " and ", " on"), span.end):
        return span
    match = _OR_LATER.match(normal, span.end)
    if match is None:
        return span
    years = margin if match["near"] else OPEN_YEARS
    start, end = span.widened
    longer = (start, end + years) if match["on"] or match["way"] in ("later", "after") else (start - years, end)
    return DateSpan(longer, longer, span.modern, span.begin, match.end())


def _open(span: Span, unit: DateUnit, margin: int) -> Span:
    """Returns the span that ends where `span` starts ("before"), or starts where it ends ("after")."""
    years = margin if unit.near else OPEN_YEARS
    start, end = span
    return (start - years, start) if unit.terminus == "before" else (end, end + years)


def _period(unit: DateUnit, era: str) -> Span:
    """Returns the span that one unit states; for a year, the year itself."""
    number, ce = unit.number, era == "CE"
    if unit.kind == "year":
        return (number - 1, number - 1) if ce else (-number, -number)
    begin, end = unit.part
    length = 10 if unit.kind == "decade" else 100
    if unit.kind == "century":
        first = 100 * (number - 1) if ce else -100 * number
    else:
        first = number - 1 if ce else -number - length
    start, last = first + round(length * begin), first + round(length * end)
    if ce:
        return start, last - (unit.kind == "century" or last == first + length)
    if unit.kind == "century":  # centuries BCE share their round years, as archaeologists write them
        return start, min(last, -1)
    return max(start, first + 1), last  # the 520s BC are 529-520


def _completed(first: DateUnit, second: DateUnit, link: str) -> DateUnit:
    """Completes a second year that omits its leading digits: 362 in "363/2", 525 in "550-25", 1890 in "1885-90".

    After "-", digits of a year BCE count as omitted only if the range would otherwise be longer than 200 years, so the
    second year of "180-50" remains 50.
    """
    a, b = first.digits, second.digits
    if not len(b) < len(a) >= 3 or link not in ("-", "/") or first.signed or second.signed:
        return second
    if first.era and (second.era or first.era == "BCE"):
        return second
    whole = int(a[: -len(b)] + b)
    if "CE" in (first.era, second.era) or (not second.era and _is_modern(first)):
        return replace(second, number=whole) if whole > first.number else second
    omitted = link == "/" or first.number - second.number > _LONGEST_COMPLETED_YEARS
    return replace(second, number=whole) if 0 < whole < first.number and omitted else second


def _is_modern(unit: DateUnit) -> bool:
    first = _FIRST_MODERN_CENTURY if unit.kind == "century" else _FIRST_MODERN_YEAR
    return not unit.era and unit.number >= first
