"""A question about a vase, and the topics of such questions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vaserl.types import Dimension

PROVENANCE = "provenance"
OTHER = "other"
Topic = Dimension | Literal["provenance", "other"]
"""Subject of a question: one of the six dimensions, the provenance, which is where the vase was found, or another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about one topic, with the answer that the museum's record gives.

    Example: Question(dimension="fabric", question="What is the fabric of the vase?", answer="Athenian")
    """

    dimension: Topic
    question: str
    """Text of the question, as it is put to the vision-language model."""
    answer: str
    """Text of the answer, which the vision-language model learns in supervised fine-tuning."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Question":
        """Returns the question that is stored in a decoded JSON object; a missing key becomes an empty text."""
        return cls(**{name: value.get(name, "") for name in ("dimension", "question", "answer")})
