"""A record for a vase of which only texts were published: what they state, in the fields that records have."""

from collections.abc import Mapping, Sequence

from vaserl.rewards.vase import Facts, lexicon, parse_caption, parse_record
from vaserl.rewards.vase.attribution import display
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension


def record_from_questions(questions: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The answers, each in the field that its question asks for, as far as the reward's parser can read them there."""
    record: dict[str, str] = {}
    for question in questions:
        field = FIELD_OF_DIMENSION.get(question["dimension"])  # pyright: ignore[reportArgumentType]
        if field and parse_record({field: question["answer"]})[question["dimension"]]:  # pyright: ignore[reportArgumentType]
            record.setdefault(field, question["answer"])
    return record


def record_from_caption(caption: str) -> dict[str, str]:
    """What the reward's parser finds in the caption; a value that would be read otherwise in a record is left out."""
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
