"""Splits lines with labels ("Fabric: Athenian", "Credit Line⏎Rogers Fund, 1914") into zones and their values.

The table `lexicon/labels.tsv` has the labels and the zone of each. What has no label is free text.
"""

import csv
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, cast

from vaserl.rewards.vase.decoration import is_motif
from vaserl.rewards.vase.lexicon import lexicon_words
from vaserl.rewards.vase.text import CUT, any_name, word_group
from vaserl.types import Dimension

Zone = Dimension | Literal["names", "text", "place", "period", "ignored", "section"]


class LabelledValue(NamedTuple):
    """A value with the zone of its label. Example: ("shape", "neck-amphora")."""

    zone: Zone
    value: str


def split_labels(lines: Sequence[str]) -> tuple[list[str], list[LabelledValue]]:
    """Splits normalised lines into free lines and labelled values.

    The value of a label ends at the next label, at the end of its line and, except for a decoration, at the end of its
    phrase; what follows is free text. A line that is only a label belongs to the line after it.
    """
    if not any(":" in line or "=" in line for line in lines) and len(lines) < _FEWEST_HEADINGS:
        return list(lines), []
    free: list[str] = []
    labelled: list[LabelledValue] = []
    waiting: Zone | None = None  # zone of a label whose value is on the next line
    section = False
    heads: list[Zone | None] = [_heading(line) for line in lines] if len(lines) > 1 else [None]
    starts = [_label_at_start(line) for line in lines]
    listed = sum(head is not None or start is not None for head, start in zip(heads, starts, strict=True))
    for index, line in enumerate(lines):
        head = heads[index]
        if head is not None and index + 1 < len(lines) and (listed > 1 or line[-1] in ":|"):
            waiting, section = head, head == "section"
            continue
        start = starts[index]
        if waiting is not None and start is None:
            if waiting == "text":
                free.append(line)
            elif waiting not in ("ignored", "section"):
                rest = _take(waiting, line, labelled)
                free += [rest] if rest else []
            if waiting != "section":
                waiting = None
            continue
        if section and start is None:
            continue
        waiting, section = None, False
        if start is None and listed >= _FEWEST_LABELS and _is_unknown_field(line):
            continue
        if start == "section":
            # "Provenance: no indication" is one line; a long value goes on
            section = len(lines) > 1 and not 0 < len(_value_at_start(line)) < _LONGEST_HEADING
            waiting = "section" if section else None
        free += _split_line(line, labelled, whole=len(lines) > 1)
    return free, labelled


_FEWEST_HEADINGS = 4
_FEWEST_LABELS = 3
_PARTS = word_group("sides")
_UNKNOWN = re.compile(r"(?P<label>[a-z][a-z/&' -]{1,40}?) ?: ")


def _is_unknown_field(line: str) -> bool:
    """Returns True for a database's field that the table does not know: "Rights holder: …"."""
    match = _UNKNOWN.match(line)
    if match is None:
        return False
    words = match["label"].split()
    return _PARTS.isdisjoint(words) and lexicon_words().isdisjoint(words) and not any(map(is_motif, words))


def _heading(line: str) -> Zone | None:
    """Returns the zone of a line that is only a label: "Date", "Credit Line:", "Object Name |"."""
    return labels().get(line.rstrip(" :|=")) if len(line) < _LONGEST_HEADING else None


_LONGEST_HEADING = 40


def _label_at_start(line: str) -> Zone | None:
    match = _patterns()[2].match(line)
    return labels()[match["label"]] if match else None


def _value_at_start(line: str) -> str:
    match = _patterns()[2].match(line)
    return line[match.end() :].strip() if match else ""


def _split_line(line: str, labelled: list[LabelledValue], whole: bool) -> list[str]:
    """Appends the labelled values of a line, and returns the rest. whole: an ignored value ends with its line."""
    if ":" not in line and "=" not in line and "|" not in line:
        return [line]
    cells = _CELLS.fullmatch(line)
    if cells and cells[1].strip() in labels():
        line = f"{cells[1].strip()}: {cells[2]}"
    free: list[str] = []
    matches = list((_patterns()[1] if _NUMBERED.match(line) else _patterns()[0]).finditer(line))
    if matches and not matches[0].start() and line.count(":") > len(matches):
        every = list(_everywhere().finditer(line))  # "Title: Kylix Culture: Greek, Attic Period: Archaic"
        matches = every if len(every) >= _FEWEST_LABELS else matches
    if not matches:
        return [line]
    free.append(line[: matches[0].start()])
    for index, match in enumerate(matches):
        end = matches[index + 1].start() if index + 1 < len(matches) else len(line)
        zone, value = labels()[match["label"]], line[match.end() : end]
        if zone in ("ignored", "section"):
            ended = whole and match.start() == 0
            free.append("" if ended else _IGNORED_END.sub(CUT, value, count=1).partition(CUT)[2])
        elif zone == "text":
            free.append(value)
        else:
            free.append(_take(zone, value, labelled))
    return [text for text in free if text.strip(" ;,.|")]


def _take(zone: Zone, value: str, labelled: list[LabelledValue]) -> str:
    """Appends the value of a label, and returns what follows its phrase."""
    if zone == "decoration":
        head, _, rest = _OTHER_FACTS.sub(CUT, value, count=1).partition(CUT)
        labelled.append(LabelledValue(zone, head.strip(" ;,.|")))
        return rest
    end = _ENDS.get(zone, _PHRASE_END)
    head, _, rest = end.sub(CUT, value, count=1).partition(CUT)
    labelled.append(LabelledValue(zone, head.strip(" ;,.|")))
    return rest


_PHRASE_END = re.compile(r"[;|](?: |$)|\.(?: |$)")
_NAMES_END = re.compile(r"[|](?: |$)|\.(?: |$)")  # "Terracotta; red-figure"
# The points of "c. 500", "5th c. BC" and "5. Jh. v. Chr." end nothing.
_DATE_END = re.compile(r"[;|](?: |$)|(?<![hdt] c)(?<! cent)(?<! jh)(?<! [vn])\.(?: |$)(?=[^\d(-])(?!jh|jahrh|to\b)")
_HAND_END = re.compile(r"[;|](?: |$)|(?<!\bc)(?<!\bca)(?<!\bfl)(?<!\b[a-z])(?<!\bst)\.(?: |$)")  # "active ca. 490 BC"
_ENDS: dict[Zone, re.Pattern[str]] = {"dating": _DATE_END, "names": _NAMES_END, "attribution": _HAND_END}
_IGNORED_END = re.compile(r"[;|](?: |$)|\.(?: (?=[a-z]{3})|$)")
# A sentence after the decoration that names the technique is no decoration: "siren. Athenian red-figure kylix".
_OTHER_FACTS = re.compile(
    r"\. (?=(?:[\w'-]+ ){0,4}?(?:(?:black|red)[ -]figured?|white[ -]ground|attributed|terracotta)\b)"
)
_CELLS = re.compile(r"\|? ?([a-z][a-z /]{1,30}) ?\| ?([^|]+)\|?")
_NUMBERED = re.compile(r"\W*1[.)] |\d[.)] ")


@cache
def labels() -> dict[str, Zone]:
    """Returns the zone of each label, by the label in lower case."""
    path = Path(__file__).parent / "lexicon" / "labels.tsv"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {row["label"]: cast("Zone", row["zone"]) for row in csv.DictReader(lines, delimiter="\t")}


# Labels that also stand within a sentence: "Athenian vase. Shape: mortarium". Others begin a line or a phrase.
_ANYWHERE = (
    "fabric",
    "ware",
    "technique",
    "shape",
    "shape name",
    "form",
    "date",
    "dating",
    "decoration",
    "attribution",
)
_ANYWHERE += ("attributed to", "artist", "hand")


@cache
def _everywhere() -> re.Pattern[str]:
    """Returns the expression for a label anywhere in a line of fields without marks between them."""
    names = "|".join(map(re.escape, sorted(labels(), key=len, reverse=True)))
    return re.compile(rf"(?P<label>\b(?:{names})(?= ?:)) ?: ?")


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Returns the expressions for labels in a line, in a line of a numbered list, and at the beginning of a line."""
    # In "By the Brygos Painter: a cup", "painter:" is not a label; in "…; painter: Lydos" it is one.
    anywhere, everything = any_name(_ANYWHERE), any_name(labels())
    begins = rf"(?:(?<=^)|(?<=[.;|,{CUT}] )){everything}(?= ?[:=])"
    named = rf"(?P<label>\b{anywhere}(?= ?[:=])|{begins}) ?[:=] ?"
    # In a list that begins with "1." the numbers belong to the labels; in "… Louvre F 6. Fabric: …" the 6 doesn't.
    numbered_names = any_name([*_ANYWHERE, "painter", "subject", "scene"])
    numbered = rf"(?:(?<![\w.-])\d{{1,2}}[.)] )?(?P<label>\b{numbered_names}(?= ?[:=])) ?[:=] ?"
    at_start = rf"(?:\(?\d{{1,2}}[.)] )?(?P<label>{everything}) ?(?:[:=]|\| )"
    return re.compile(named), re.compile(numbered), re.compile(at_start)
