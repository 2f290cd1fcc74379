"""Converts facts to JSON: ids of the lexicons, signed historical years, names with role and qualifier."""

from collections.abc import Sequence
from typing import Any

from vaserl.rewards.vase.attribution import Attribution
from vaserl.rewards.vase.dates import YearInterval
from vaserl.rewards.vase.parse import Facts, Term
from vaserl.types import DIMENSIONS, Dimension


def facts_as_json(facts: Facts, dimensions: Sequence[Dimension] | None = None) -> dict[str, list[Any]]:
    """Returns the values of each of `dimensions` (default: all six); an empty list where nothing was read.

    Example: {"fabric": ["athenian"], "technique": ["black_figure"], "shape": ["amphora/neck"],
    "dating": [[-525, -475]], "decoration": ["warrior"],
    "attribution": [{"name": "antimenes", "role": "painter", "qualifier": ""}]}. A term that the lexicon doesn't know
    is given as its words. -525 is 525 BCE; there is no year 0, so ISO 8601 would write -0524.
    """
    return {dimension: [_value(value) for value in facts[dimension]] for dimension in dimensions or DIMENSIONS}


def _value(value: Term | YearInterval | Attribution | str) -> Any:
    if isinstance(value, Term):
        return value.id or value.text
    if isinstance(value, YearInterval):
        return [value.start, value.end]
    if isinstance(value, Attribution):
        return {"name": value.name, "role": value.role, "qualifier": value.qualifier}
    return value
