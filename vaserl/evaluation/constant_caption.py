"""Makes the constant answer: one caption for all vases, with the commonest value of every dimension."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from vaserl.rewards.vase import Facts, caption_from_facts, reference_caption
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension

Value = TypeVar("Value", str, tuple)


def constant_caption(records: Sequence[Mapping[str, str]]) -> str:
    """Returns the reference of a record that has each field's commonest value, the alphabetically first on a tie.

    A field that is empty in more records than share any value is left out, unless that would leave no field.

    Raises: ValueError when no record states one of the six dimensions.
    """
    commonest = _commonest({d: [record.get(FIELD_OF_DIMENSION[d], "") for record in records] for d in DIMENSIONS}, "")
    return reference_caption({FIELD_OF_DIMENSION[d]: value for d, value in commonest.items() if value})


def constant_caption_from_facts(facts: Sequence[Facts]) -> str:
    """Makes the constant caption from parsed facts, for targets without records; it lists the decoration as bare words.

    On a tie the lowest value wins. Raises: ValueError when none of the facts has a value.
    """
    return caption_from_facts(Facts(**_commonest({d: [each[d] for each in facts] for d in DIMENSIONS}, ())))


def _commonest(values: Mapping[Dimension, Sequence[Value]], nothing: Value) -> dict[Dimension, Value]:
    """Returns each dimension's commonest value; `nothing` (unstated) counts as one, unless it would win everywhere."""
    commonest: dict[Dimension, Value] = {d: _first(Counter(each), nothing) for d, each in values.items()}
    if any(commonest.values()):
        return commonest
    # `nothing` is the commonest in every dimension: take the commonest stated values
    return {d: _first(Counter(value for value in each if value), nothing) for d, each in values.items()}


def _first(counts: Mapping[Value, int], nothing: Value) -> Value:
    return min(counts, key=lambda value: (-counts[value], value), default=nothing)
