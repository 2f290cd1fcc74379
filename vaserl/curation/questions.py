"""Questions about a vase, one for each dimension that its record states."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from vaserl.curation.batch import Batch, remaining, with_column
from vaserl.dataset import Question
from vaserl.rewards import gold_caption, lexicon, parse_record
from vaserl.rewards.attribution import display
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension


class Questions:
    """Adds `questions`: [{"dimension", "question", "answer"}, …] as JSON."""

    def __call__(self, batch: Batch) -> Batch:
        texts = {}
        for index in remaining(batch):
            questions = questions_about(json.loads(batch["record"][index]))
            texts[index] = json.dumps([asdict(question) for question in questions], ensure_ascii=False)
        return with_column(batch, "questions", texts, "[]")


def questions_about(record: Mapping[str, str]) -> tuple[Question, ...]:
    """ "What is the fabric of the vase?" and its like for what the record states, in the order of the dimensions."""
    return tuple(
        Question(dimension=dimension, question=question_about(dimension), answer=answer)
        for dimension in DIMENSIONS
        if (answer := answer_of(record, dimension))
    )


def question_about(dimension: Dimension) -> str:
    """As it is put to the model."""
    return f"What is the {'date' if dimension == 'dating' else dimension} of the vase?"


def answer_of(record: Mapping[str, str], dimension: Dimension) -> str:
    """The record's value in the words of its caption: "red-figure", "the Antimenes Painter"; "" if it states none."""
    facts = parse_record(record)
    if not facts[dimension]:
        return ""
    if dimension == "dating":
        return " and ".join(str(interval) for interval in facts.dating)
    if dimension == "attribution":
        return display(facts.attribution[0])  # the others are alternatives
    if dimension == "decoration":
        field = FIELD_OF_DIMENSION[dimension]
        return gold_caption({field: record[field]}).partition("depicting ")[2].rstrip(".")
    return " and ".join(lexicon(dimension)[term.id].names[0] if term.id else term.text for term in facts[dimension])
