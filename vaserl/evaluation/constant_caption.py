"""Writes one caption for all vases, which states the commonest value of every dimension (such as the shape)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from vaserl.rewards.vase import Facts, caption_from_facts, reference_caption
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension

Value = TypeVar("Value", str, tuple)


def constant_caption(records: Sequence[Mapping[str, str]]) -> str:
    """Returns the reference caption of a record that has the commonest value in each field.

    If several values of a field are equally common, the alphabetically first is used. If a field is most often empty,
    it is left out; but if that holds for all fields, the commonest values other than the empty one are used.

    Raises: ValueError if no record states any of the six dimensions.
    """
    commonest = _commonest({d: [record.get(FIELD_OF_DIMENSION[d], "") for record in records] for d in DIMENSIONS}, "")
    return reference_caption({FIELD_OF_DIMENSION[d]: value for d, value in commonest.items() if value})


def constant_caption_from_facts(facts: Sequence[Facts]) -> str:
    """Writes a caption with the commonest value of each dimension, for targets whose museum records are unknown.

    facts: facts of each target, parsed from a caption or a record. If several values are equally common, the first in
    sorting order is used. The decoration is written as a list of words.

    Raises: ValueError if no target has a value in any dimension.
    """
    return caption_from_facts(Facts(**_commonest({d: [each[d] for each in facts] for d in DIMENSIONS}, ())))


def _commonest(values: Mapping[Dimension, Sequence[Value]], nothing: Value) -> dict[Dimension, Value]:
    """Returns each dimension's commonest value. The empty value, `nothing`, counts as a value like the others.

    But if `nothing` is the commonest in all dimensions, it isn't counted.
    """
    commonest: dict[Dimension, Value] = {d: _first(Counter(each), nothing) for d, each in values.items()}
    if any(commonest.values()):
        return commonest
    # `nothing` is the commonest in every dimension: take the commonest stated values
    return {d: _first(Counter(value for value in each if value), nothing) for d, each in values.items()}


def _first(counts: Mapping[Value, int], nothing: Value) -> Value:
    return min(counts, key=lambda value: (-counts[value], value), default=nothing)
