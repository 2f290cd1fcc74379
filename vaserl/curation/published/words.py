"""Builds the record of a vase that was published without a record, from its questions or its caption."""

from collections.abc import Mapping, Sequence

from vaserl.rewards.vase import Facts, lexicon, parse_caption, parse_record
from vaserl.rewards.vase.attribution import display
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension


def record_from_questions(questions: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Returns a record that contains, for each field, the answer to the question about that field. Answers that the
    reward function can't parse are left out. If several questions are about the same field, the first answer is used.
    """
    record: dict[str, str] = {}
    for question in questions:
        field = FIELD_OF_DIMENSION.get(question["dimension"])  # pyright: ignore[reportArgumentType]
        if field and parse_record({field: question["answer"]})[question["dimension"]]:  # pyright: ignore[reportArgumentType]
            record.setdefault(field, question["answer"])
    return record


def record_from_caption(caption: str) -> dict[str, str]:
    """Returns a record with the values that the reward function finds in the caption. A value is left out if the reward
    function would parse it differently in a record."""
    facts = parse_caption(caption)
    record = {}
    for dimension in DIMENSIONS:
        field, value = FIELD_OF_DIMENSION[dimension], _value(facts, dimension)
        if value and parse_record({field: value})[dimension] == facts[dimension]:
            record[field] = value
    return record


def _value(facts: Facts, dimension: Dimension) -> str:
    if dimension == "dating":
        return " and ".join(f"{interval.start} to {interval.end}" for interval in facts.dating)
    if dimension == "decoration":
        return ", ".join(facts.decoration)
    if dimension == "attribution":
        return " | ".join(display(attribution) for attribution in facts.attribution)
    return " and ".join(lexicon(dimension)[term.id].names[0] if term.id else term.text for term in facts[dimension])
