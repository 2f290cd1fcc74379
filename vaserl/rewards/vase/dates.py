"""Converts dates in a text to intervals of signed years, without a year zero.

-525 is 525 BCE, the notation of the Beazley archive and of Kerameikos.org. (ISO 8601 has a year zero; there, 525 BCE is
-0524.) The length of an interval is measured on an axis on which 1 BCE and 1 CE are one year apart. A date without an
era counts as BCE.

A part of a century is a fixed fraction of it. Early (or beginning), mid and late (or end) are its three thirds; "first
half" or "third quarter" is exactly this half or quarter. The 6th century BCE is [-600, -500], its third quarter is
[-550, -525], and the late 6th century is [-533, -500]. The 1st century CE is [1, 100], its second half is [51, 100].
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from vaserl.rewards.vase.text import CUT


@dataclass(frozen=True, slots=True, order=True)
class YearInterval:
    """A span of years, both ends included. Example: YearInterval(-525, -475) is 525–475 BCE."""

    start: int
    """First year, negative for BCE, never 0."""
    end: int
    """Last year, not before `start`, never 0."""

    def __post_init__(self) -> None:
        if self.start > self.end or self.start == 0 or self.end == 0:
            raise ValueError(
                f"start must not be after end, and no year may be 0; got start {self.start} and end {self.end}"
            )

    def __str__(self) -> str:
        if self.end < 0:
            # "211–10 BCE" could be read as 211–210 BCE
            to = "–" if len(str(self.start)) == len(str(self.end)) else " to "
            return f"c. {-self.start}{to}{-self.end} BCE"
        return f"c. {-self.start} BCE–{self.end} CE" if self.start < 0 else f"c. {self.start}–{self.end} CE"

    def contains(self, other: "YearInterval") -> bool:
        """Returns True if `other` lies within this interval."""
        return self.start <= other.start and other.end <= self.end


def find_dates(normal: str, margin_years: int, bare: bool = False) -> tuple[tuple[YearInterval, ...], str]:
    """Finds the dates in a text returned by `normalize`. Returns them, and the text with each date replaced by `CUT`.

    A number counts as a date only with an era, a minus sign or "c.", or in a falling range such as 525-475. If `bare`
    is True, any number counts; this is for a record's "Date" field. A single year is widened by `margin_years` on both
    sides. An interval that contains another one is left out, because it states the same date less precisely.
    """
    found: list[YearInterval] = []

    def take(interval: YearInterval | None, match: re.Match[str]) -> str:
        if interval is None:
            return match[0]
        found.append(interval)
        return f" {CUT} "

    # In most captions the cheap searches find nothing, and the expensive patterns need not be tried.
    if _MAYBE_CENTURY.search(normal):
        normal = _CENTURIES.sub(lambda m: take(_centuries(m), m), normal)
    if "0s" in normal or "0's" in normal:
        normal = _DECADE.sub(lambda m: take(_decade(m), m), normal)
    if _DIGIT.search(normal):
        normal = _RANGE.sub(lambda m: take(_range(m, margin_years, bare), m), normal)
    if _DIGIT.search(normal):
        normal = _SINGLE.sub(lambda m: take(_single(m, margin_years, bare), m), normal)
    return innermost(found), normal


def innermost(intervals: list[YearInterval]) -> tuple[YearInterval, ...]:
    """Returns the distinct intervals that contain no other interval of the list, in chronological order."""
    distinct = set(intervals)
    return tuple(sorted(i for i in distinct if not any(i != o and i.contains(o) for o in distinct)))


def ordinal(year: int) -> int:
    """Converts a year to a number on an axis without a gap: 1 BCE (year -1) is -1, 1 CE (year 1) is 0."""
    return year if year < 0 else year - 1


def _interval_from_ordinals(start: int, end: int) -> YearInterval:
    """Returns the interval from `start` to `end`, two numbers as returned by `ordinal`."""
    return YearInterval(*(o if o < 0 else o + 1 for o in (start, end)))


_ERA = r"(?:b\.? ?c\.?(?: ?e\b\.?)?|a\.? ?d\.?|c\.? ?e\.?|[vn]\. ?chr\.?)(?![a-z])"
_CIRCA = r"(?:circa|ca\.?|c\.?|about|around|approximately|approx\.?)"
_NUMERALS = {
    word: n
    for n, word in enumerate(
        ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"), start=1
    )
}
_ORDINAL = rf"(?:\d{{1,2}} ?(?:st|nd|rd|th)|{'|'.join(_NUMERALS)})\b"
_DIVISION = (
    rf"(?:(?:{'|'.join(_NUMERALS)}|last|final|former|latter|\d(?:st|nd|rd|th))[ -](?:half|third|quarter|decade))"
)
_PART = rf"(?:{_DIVISION}|earlier|early|middle|mid|later|late|beginning|start|end)"
_TO = r"(?:-|/|to|until|or|and|through)"
_CENTURY = r"(?:centuries|century|cent?\.?|c\.?)(?![a-z])"

_CENTURIES = re.compile(
    rf"(?<![\w-])(?:{_CIRCA} ?)?(?:the )?(?:very )?"
    rf"(?:(?P<part>{_PART})(?: ?{_TO} ?(?:the )?(?P<part2>{_PART}))?(?:[ -](?:of )?(?:the )?)?)?"
    rf"(?P<first>{_ORDINAL})(?:[ -]?{_CENTURY})?"
    rf"(?: ?(?P<era1>{_ERA}))?"
    rf"(?: ?{_TO} ?(?:the )?(?:(?P<part3>{_PART})(?:[ -](?:of )?(?:the )?)?)?"
    rf"(?P<second>{_ORDINAL})(?:[ -]?{_CENTURY})?)?"
    rf"(?: ?(?P<era>{_ERA}))?"
    # "6th century BC, second half"
    rf"(?: ?[,(] ?(?:the )?(?P<after>{_DIVISION})(?= ?(?:[,;.)]|$)))?"
)
_YEAR = rf"\d{{1,4}}(?!\d)(?!(?!{_ERA})\w)"
_RANGE = re.compile(
    rf"(?<![\w.])(?P<circa>{_CIRCA} ?)?(?P<ad0>ad )?(?P<y0>-?{_YEAR})(?: ?(?P<e0>{_ERA}))? ?(?P<to>-|/|to|until|and|or)"
    rf" ?(?:{_CIRCA} ?)?(?P<ad1>ad )?(?P<y1>-?{_YEAR})(?: ?(?P<e1>{_ERA}))?(?! ?(?:cm|mm|m)\b)"
)
_SINGLE = re.compile(
    rf"(?<![\w.])(?P<circa>{_CIRCA} ?)?(?P<ad>ad )?(?P<y>-?{_YEAR})(?: ?(?P<e>{_ERA}))?(?! ?(?:cm|mm|m)\b)"
)
_DECADE = re.compile(
    rf"(?<![\w.-])(?:(?:the|{_CIRCA}) ?)?(?P<y>\d{{1,3}}0)'?s(?: ?{_TO} ?(?:the )?(?P<to>\d{{1,3}}0)'?s)?"
    rf"(?: ?(?P<e>{_ERA}))?(?!\w)"
)

_MAYBE_CENTURY = re.compile(r"(?:st|nd|rd|th)[ -]?c")
_DIGIT = re.compile(r"\d")

_PART_OF = {
    "earlier": (0, 2),
    "later": (1, 2),
    "early": (0, 3),
    "beginning": (0, 3),
    "start": (0, 3),
    "mid": (1, 3),
    "middle": (1, 3),
    "late": (2, 3),
    "end": (2, 3),
}
_LAST_OF = 10
_LONGEST_RANGE_YEARS = 200
_NUM_PARTS = {"half": 2, "third": 3, "quarter": 4, "decade": 10}


def _is_ce(era: str | None) -> bool:
    return era is not None and era[0] not in "bv"


def _fractions(part: str | None) -> tuple[Fraction, Fraction]:
    """Returns start and end of a part of a century, as fractions: (1/2, 3/4) for "third quarter", (0, 1) for None."""
    if part is None:
        return Fraction(0), Fraction(1)
    if part in _PART_OF:
        index, count = _PART_OF[part]
    else:
        which, unit = re.split("[ -]", part)
        count = _NUM_PARTS[unit]
        nth = _LAST_OF if which in ("last", "final", "latter") else 1 if which == "former" else _number(which)
        index = min(nth, count) - 1
    return Fraction(index, count), Fraction(index + 1, count)


def _number(ordinal_word: str) -> int:
    """Converts an ordinal to a number: "sixth" and "6th" to 6."""
    return _NUMERALS.get(ordinal_word) or int(re.sub(r"\D", "", ordinal_word))


def _century_part(number: str, part: str | None, ce: bool) -> tuple[int, int]:
    """Returns start and end of a part of a century, two numbers as returned by `ordinal`.

    number: the century ("6th"). part: "late" or "third quarter"; None for the whole century. ce: False means BCE.
    """
    n = _number(number)
    century = 100 * (n - 1) if ce else -100 * n
    begin, end = _fractions(part)
    # Centuries BCE share their round years, as archaeologists write them; the 1st century CE is 1-100 CE.
    return century + round(100 * begin), century + round(100 * end) - ce


def _centuries(m: re.Match[str]) -> YearInterval | None:
    if not re.search(rf"{_ORDINAL}[ -]?{_CENTURY}", m[0]):
        return None
    era = m["era"] or m["era1"]
    if m["after"] and (m["part"] or m["second"]):
        return None
    spans = [_century_part(m["first"], m["part"] or m["after"], _is_ce(m["era1"] or era))]
    if m["part2"]:
        spans.append(_century_part(m["first"], m["part2"], _is_ce(m["era1"] or era)))
    if m["second"]:
        spans.append(_century_part(m["second"], m["part3"], _is_ce(era)))
    return _interval_from_ordinals(min(s for s, _ in spans), max(e for _, e in spans))


def _decade(m: re.Match[str]) -> YearInterval | None:
    years = [int(m["y"]), int(m["to"] or m["y"])]
    if 0 in years:
        return None
    return YearInterval(min(years), max(years) + 9) if _is_ce(m["e"]) else YearInterval(-max(years) - 9, -min(years))


def _range(m: re.Match[str], margin: int, bare: bool) -> YearInterval | None:
    a, b = int(m["y0"]), int(m["y1"] if m["e0"] else _completed(m["y0"], m["to"], m["y1"]))
    era_a, era_b = m["ad0"] or m["e0"], m["ad1"] or m["e1"]
    signed = a < 0 or b < 0
    falling = a > b >= 100 and m["to"] == "-"
    if 0 in (a, b) or not (bare or m["circa"] or signed or era_a or era_b or falling):
        return None
    if not signed:
        a = a if _is_ce(era_a or era_b) else -a
        b = b if _is_ce(era_b or era_a) else -b
    start, end = sorted((a, b))
    return _around(start, margin) if start == end else YearInterval(start, end)


def _completed(first: str, to: str, second: str) -> str:
    """Completes the second year of a BCE range that omits its leading digits: 362 in "363/2", 525 in "550-25".

    to: character between the two years. After "-", digits count as omitted only if the range would otherwise be longer
    than 200 years, so the second year of "180-50" remains 50.
    """
    if to not in "-/" or not first.isdigit() or not len(second) < len(first) == 3:
        return second
    whole = first[: -len(second)] + second
    apart = int(first) - int(second)
    return whole if int(whole) < int(first) and (to == "/" or apart > _LONGEST_RANGE_YEARS) else second


def _single(m: re.Match[str], margin: int, bare: bool) -> YearInterval | None:
    y = int(m["y"])
    plausible = abs(y) >= 100  # "about 20 youths" and "-12" are not dates
    if y == 0 or not (bare or m["e"] or m["ad"] or (plausible and (m["circa"] or y < 0))):
        return None
    return _around(y if y < 0 or m["ad"] or _is_ce(m["e"]) else -y, margin)


def _around(year: int, margin: int) -> YearInterval:
    return _interval_from_ordinals(ordinal(year) - margin, ordinal(year) + margin)
