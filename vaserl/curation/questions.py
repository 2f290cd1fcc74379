"""Questions about a vase, one for each dimension that its record states."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from vaserl.curation.batch import Batch, remaining, with_column
from vaserl.dataset import Question
from vaserl.rewards import gold_answer
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
    """"What is the fabric of the vase?" and its like, in the order of the dimensions."""
    return tuple(
        Question(dimension=dimension, question=question_about(dimension), answer=gold_answer(record, dimension))
        for dimension in DIMENSIONS
        if record.get(FIELD_OF_DIMENSION[dimension])
    )


def question_about(dimension: Dimension) -> str:
    """As it is put to the model."""
    return f"What is the {'date' if dimension == 'dating' else dimension} of the vase?"
