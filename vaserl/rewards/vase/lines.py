"""Splits a text into normalised lines: paragraphs, list items, table cells and HTML blocks are lines of their own.

A line break separates two statements, as on a museum's label: "Attributed to the Briseis Painter⏎Terracotta,
red-figure". It separates nothing in prose that was wrapped at a fixed width; such lines are joined.
"""

import html
import re

from vaserl.rewards.vase.text import normalize


def text_lines(text: str, max_chars: int) -> list[str]:
    """Returns the normalised lines of the first `max_chars` characters of a text, without empty lines.

    The cells of a table's row are separated by "|", and a list item has no bullet.
    """
    text = text[:max_chars]
    if "<" in text or "&" in text:
        text = _BLOCK.sub("\n", html.unescape(text) if "&" in text else text)
    text = _GLUED.sub(r"\n\g<0>", text)
    if "Date" in text:
        text = _GLUED_DATE.sub("Date: ", text)
    if "•" in text:
        text = text.replace("•", "\n")
    if len(text.splitlines()) < 2:
        normal = normalize(text, max_chars)
        return [normal] if normal else []
    raw = [line.strip() for line in text.splitlines()]
    if len(raw) > _MOST_LINES:
        raw[_MOST_LINES - 1 :] = [" ; ".join(raw[_MOST_LINES - 1 :])]
    lines = _unwrapped(raw)
    normal = (_BULLET.sub("", normalize(line.replace("\t", " | "), max_chars)).strip("| ") for line in lines)
    return [line for line in normal if line]


_BLOCK = re.compile(r"</?(?:p|div|br|li|ul|ol|tr|td|th|table|h[1-6]|d[dlt]|section|article)\b[^<>]*>", re.IGNORECASE)
# "Side A: lionSide B: deer", "kraters5th century"; one character is consumed, because the search for it is fast
_GLUED = re.compile(r"[A-Z\d](?<=[a-z]{3}.)(?:(?<!\d)(?=[a-z]{2})|(?<=\d)(?=(?:st|nd|rd|th) [Cc]ent))")
_GLUED_DATE = re.compile(
    r"^Date(?=(?:first|second|third|fourth|last|early|late|mid|ca|c\.|about|around|\d))", re.MULTILINE
)
_MOST_LINES = 150
"""Number of lines beyond which the rest of a text is one line, so that a flood of line breaks takes no time."""
_BULLET = re.compile(r"^[·>*-]+ +")
_OPEN_END = re.compile(r"(?:\b(?:the|of|by|to|and|or|a|an|with|in|on|from|at|near)|[,-])$", re.IGNORECASE)
_WIDEST_WRAP, _NARROWEST_WRAP = 110, 55
_SHARE_OF_FULL_LINES = 0.6
_FULL_LINE = 0.75


def _unwrapped(raw: list[str]) -> list[str]:
    """Joins lines that a fixed width broke: nearly all lines are then equally long, or a line ends with "the"."""
    lengths = [len(line) for line in raw if line]
    widest = max(lengths, default=0)
    num_full = sum(length >= _FULL_LINE * widest for length in lengths)
    wrapped = (
        len(lengths) > 2
        and _NARROWEST_WRAP <= widest <= _WIDEST_WRAP
        and num_full >= _SHARE_OF_FULL_LINES * len(lengths)
    )
    lines: list[str] = []
    for index, line in enumerate(raw):
        before = raw[index - 1] if index else ""
        if line.startswith(("and ", "or ")) and any(lines):  # a list goes on: "Briseis Painter⏎and Brygos"
            while not lines[-1]:
                lines.pop()
            lines[-1] += f" {line}"
            continue
        full = wrapped and len(before) >= _FULL_LINE * widest and before[-1:] not in ".:;!?|"
        if before and line and ":" not in line[:24] and (full or (_OPEN_END.search(before) and len(before) > 3)):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return lines
