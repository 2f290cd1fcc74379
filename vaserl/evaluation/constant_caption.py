"""The caption that says the commonest thing of every dimension: the best that can be said without looking."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from vaserl.rewards.vase import Facts, caption_from_facts, reference_caption
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension

Value = TypeVar("Value", str, tuple)


def constant_caption(records: Sequence[Mapping[str, str]]) -> str:
    """The gold caption of the record that has each field's commonest value.

    A field that more records leave empty than share any value is left out, unless that would leave nothing. Ties: the
    first in the alphabet. Raises: ValueError when no record states one of the six dimensions.
    """
    commonest = _commonest({d: [record.get(FIELD_OF_DIMENSION[d], "") for record in records] for d in DIMENSIONS}, "")
    return reference_caption({FIELD_OF_DIMENSION[d]: value for d, value in commonest.items() if value})


def constant_caption_from_facts(facts: Sequence[Facts]) -> str:
    """The same of what was read, where there may be no records; the decoration in its bare words. Ties: the first in
    the values' order. Raises: ValueError when none of them states anything."""
    return caption_from_facts(Facts(**_commonest({d: [each[d] for each in facts] for d in DIMENSIONS}, ())))


def _commonest(values: Mapping[Dimension, Sequence[Value]], nothing: Value) -> dict[Dimension, Value]:
    """Of each dimension; `nothing` is a value like others, unless it would be the answer everywhere."""
    commonest: dict[Dimension, Value] = {d: _first(Counter(each), nothing) for d, each in values.items()}
    if any(commonest.values()):
        return commonest
    # most leave most open: then any stated value beats silence
    return {d: _first(Counter(value for value in each if value), nothing) for d, each in values.items()}


def _first(counts: Mapping[Value, int], nothing: Value) -> Value:
    return min(counts, key=lambda value: (-counts[value], value), default=nothing)
