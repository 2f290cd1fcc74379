"""A question about a vase, and what it may ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from vaserl.types import Dimension

PROVENANCE = "provenance"
Topic = Dimension | Literal["provenance"]
"""What a question asks for: a dimension, or where the vase was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about one topic, with the answer that the record gives.

    Example: Question(dimension="fabric", question="What is the fabric of the vase?", answer="Athenian")
    """

    dimension: Topic
    question: str
    """The words that the model is given."""
    answer: str
    """The words that the model is taught to answer."""

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Question":
        """Returns the question of a decoded JSON object; a key that is absent gives an empty text."""
        return cls(**{name: value.get(name, "") for name in ("dimension", "question", "answer")})
