"""Formats numbers for the report: signs, percentages, intervals, durations."""

from collections.abc import Mapping
from typing import Any

Measured = Mapping[str, float]
"""A mean and the bounds of its confidence interval, under the keys "mean", "low" and "high"."""

MINUS = "\N{MINUS SIGN}"


def number(value: float, digits: int = 3) -> str:
    """Formats a number like 0.834 or −0.012, with a typographic minus. A number that rounds to zero gets no sign."""
    text = f"{abs(value):.{digits}f}"
    return MINUS + text if value < 0 and float(text) else text


def signed(value: float, digits: int = 3) -> str:
    """Formats a number with its sign, like +0.079 or −0.012. A number that rounds to zero gets no sign."""
    text = number(value, digits)
    return text if text.startswith(MINUS) or not float(text) else f"+{text}"


def percent(value: float) -> str:
    """Formats a share (0 to 1) as a whole percentage, like 62 %."""
    return f"{value * 100:.0f} %"


def with_interval(measured: Measured, digits: int = 3) -> str:
    """Formats a mean and its confidence interval, like 0.834 [0.800, 0.866]."""
    low, high = (number(measured[bound], digits) for bound in ("low", "high"))
    return f"{number(measured['mean'], digits)} [{low}, {high}]"


def difference(measured: Measured, digits: int = 3) -> str:
    """Formats a difference and its confidence interval, like +0.079 [+0.056, +0.100]."""
    low, high = (signed(measured[bound], digits) for bound in ("low", "high"))
    return f"{signed(measured['mean'], digits)} [{low}, {high}]"


def points(measured: Measured) -> str:
    """Formats a difference of two shares in percentage points, like +41 points [+32, +50]."""
    mean, low, high = (signed(100 * measured[bound], 0) for bound in ("mean", "low", "high"))
    return f"{mean} {'point' if mean[1:] == '1' else 'points'} [{low}, {high}]"


def direction(measured: Measured) -> int:
    """Returns 1 if the confidence interval lies above zero, -1 if it lies below zero, 0 if it contains zero."""
    return int(measured["low"] > 0) - int(measured["high"] < 0)


def duration(seconds: float) -> str:
    """Formats a duration in seconds like 4.3 s, 48 s, 12 min 3 s or 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(value: float) -> str:
    """Formats a number without decimals and with thousands separators, like 30,000."""
    return f"{value:,.0f}"


def enumeration(items: list[str]) -> str:
    """Joins the items like "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def dig(tree: Mapping[str, Any] | None, *path: str) -> Any:
    """Returns the value under a path of keys in nested mappings, or None where a key is absent."""
    node: Any = tree
    for key in path:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node
