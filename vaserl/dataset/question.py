"""A question about a vase, and the topics that it may ask about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vaserl.types import Dimension

PROVENANCE = "provenance"
Topic = Dimension | Literal["provenance"]
"""What a question asks for: one of the six dimensions, or the provenance, which is where the vase was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about one topic, with the answer that the museum's record gives.

    Example: Question(dimension="fabric", question="What is the fabric of the vase?", answer="Athenian")
    """

    dimension: Topic
    question: str
    """Text of the question, as the vision-language model is given it."""
    answer: str
    """Text of the answer, as supervised fine-tuning teaches it."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Question":
        """Returns the question that a decoded JSON object holds; a missing key becomes an empty text."""
        return cls(**{name: value.get(name, "") for name in ("dimension", "question", "answer")})
