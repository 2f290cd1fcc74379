"""Converts dates in a text to intervals of signed years, without a year zero.

-525 is 525 BCE, the notation of the Beazley archive and of Kerameikos.org. (ISO 8601 has a year zero; there, 525 BCE is
-0524.) The length of an interval is measured on an axis on which 1 BCE and 1 CE are one year apart. A date without an
era counts as BCE, unless it is modern: a year from 1500 on, a century from the 16th on.

A part of a period is a fixed fraction of it. Early (or beginning), mid and late (or end) are its three thirds; "first
half" or "third quarter" is exactly this half or quarter. The 6th century BCE is [-600, -500], its third quarter is
[-550, -525], and the late 6th century is [-533, -500]. The 1st century CE is [1, 100], its second half is [51, 100].
"The 500s BC" is the hundred [-599, -500], "the 520s BC" the decade [-529, -520]. An open date gets a width of
50 years: "after 480 BC" is [-480, -430], "before 480 BC" is [-530, -480]. tests/vaserl/rewards/vase/dates.tsv has a
table of forms and their intervals.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vaserl.rewards.vase.background import dates_the_vase
from vaserl.rewards.vase.date_spans import NO_BARE_YEARS, find_spans
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


def find_dates(normal: str, margin_years: int, bare: bool = False) -> tuple[tuple[YearInterval, ...], str]:
    """Finds the dates in a text returned by `normalize`. Returns them, and the text with each date replaced by `CUT`.

    A number counts as a date only with an era, a minus sign or "c.", or in a falling range such as 525-475. If `bare`
    is True and the text has no such date, any number of three or four digits counts, and any number at all if the text
    consists of numbers; this is for a record's "Date" field. A single year is widened by `margin_years` on both sides.
    A modern date without an era counts only if there is no other date. `innermost` decides which dates only restate
    another one.
    """
    spans = find_spans(normal, margin_years, NO_BARE_YEARS)
    if bare and not spans:
        spans = find_spans(normal, margin_years, 1 if _NUMBERS_ONLY.fullmatch(normal) else 100)
    if not spans:
        return (), normal
    pieces, position = [], 0
    for span in spans:
        pieces += [normal[position : span.begin], f" {CUT} "]
        position = span.end
    pieces.append(normal[position:])
    text = "".join(pieces)
    if not bare:
        spans = [s for s in spans if dates_the_vase(normal, s.begin, s.end, s.stated[1] - s.stated[0])]
    spans = [span for span in spans if not span.modern] or spans
    if not spans:
        return (), text
    if len(spans) == 1:
        return (_from_ordinals(spans[0].widened),), text
    # "540-520 BC, early date -540": the first year of a range is no date of its own
    limits = {year for span in spans if span.stated[0] < span.stated[1] for year in span.stated}
    spans = [span for span in spans if span.stated[0] < span.stated[1] or span.stated[0] not in limits]
    # "Last quarter of the 6th century, c. 520 BC" is one date, though c. 520 is [-530, -510].
    widened = {_from_ordinals(span.stated): _from_ordinals(span.widened) for span in spans}
    return tuple(sorted({widened[stated] for stated in innermost(widened)})), text


def innermost(intervals: Iterable[YearInterval]) -> tuple[YearInterval, ...]:
    """Returns the distinct intervals in chronological order, without those that restate another one less precisely.

    These are the intervals that contain another one, as in "late 6th century BC (525-500 BC)". An interval of more than
    `RESTATED_YEARS`, and one around two others that contain each other, count as values of their own. So a text can't
    name wide intervals at no cost.
    """
    kept = []
    # Smallest end among the intervals so far that have at least 0, 1, 2 levels of intervals inside them. The loop goes
    # from late to early starts, so an interval so far lies within the current one if its end isn't later.
    ends = [_NEVER] * (_RESTATED_LEVELS + 1)
    for interval in sorted(set(intervals), key=lambda i: (-i.start, i.end)):
        inside = sum(end <= interval.end for end in ends)
        length = ordinal(interval.end) - ordinal(interval.start)
        if not inside or inside > _RESTATED_LEVELS or length > RESTATED_YEARS:
            kept.append(interval)
        for level in range(min(inside, _RESTATED_LEVELS) + 1):
            ends[level] = min(ends[level], interval.end)
    return tuple(sorted(kept))


def ordinal(year: int) -> int:
    """Converts a year to a number on an axis without a gap: 1 BCE (year -1) is -1, 1 CE (year 1) is 0."""
    return year if year < 0 else year - 1


RESTATED_YEARS = 200
"""Largest length of an interval that may restate a date inside it less precisely: "6th-5th century"."""
_RESTATED_LEVELS = 2
_NEVER = 1_000_000
_NUMBERS_ONLY = re.compile(r"(?:[-\d\s/().,?]|to|and|or)+")


def _from_ordinals(span: tuple[int, int]) -> YearInterval:
    """Returns the interval between two numbers as returned by `ordinal`."""
    start, end = span
    return YearInterval(start if start < 0 else start + 1, end if end < 0 else end + 1)
