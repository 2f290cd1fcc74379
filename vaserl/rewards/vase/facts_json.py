"""Converts the facts about a vase to JSON: ids of lexicon entries, signed years, artists' names with their roles."""

from collections.abc import Sequence
from typing import Any

from vaserl.rewards.vase.attribution import Attribution
from vaserl.rewards.vase.dates import YearInterval
from vaserl.rewards.vase.facts import Facts, Term
from vaserl.types import DIMENSIONS, Dimension


def facts_as_json(facts: Facts, dimensions: Sequence[Dimension] | None = None) -> dict[str, list[Any]]:
    """Returns the values of each of `dimensions` (default: all six); an empty list for a dimension without a value.

    Example: {"fabric": ["athenian"], "technique": ["black_figure"], "shape": ["amphora/neck"],
    "dating": [[-525, -475]], "decoration": ["warrior"],
    "attribution": [{"name": "antimenes", "role": "painter", "qualifier": ""}]}.
    A term that isn't in the lexicon is replaced by its words. -525 is 525 BCE; there is no year 0, unlike in ISO 8601,
    where 525 BCE is -0524.
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
