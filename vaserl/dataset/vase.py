"""A vase for training or evaluation, made from the manifest row of a photograph that no stage rejected."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from vaserl.dataset.question import Question
from vaserl.dataset.row import Row
from vaserl.settings import CAPTION_PROMPT
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension, Task

SYNTHETIC_MUSEUM = "SYNTHETIC MUSEUM"
"""Beginning of the field "Collection Record" in the records of synthetic vases. By it a data set, and a model that is
trained on it, are known to be synthetic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vase:
    """A vase of the curated data set, with its turntable video and texts."""

    id: str
    """Identifier of the vase, from the museum or from the generator of synthetic vases."""
    record: Mapping[str, str]
    """The museum's record: text by field name of the Beazley archive, such as "Fabric"; without empty fields."""
    photo: str
    """Path or URL of the photograph from which the 3D model was generated."""
    mesh: str
    """Path of the 3D model (GLB), relative to the data set."""
    clip: str
    """SHA-256 of the turntable video in hexadecimal; the video's file is named after it."""
    caption: str
    """Catalogue caption, which supervised fine-tuning imitates; it may omit facts of the record."""
    reference: str
    """Complete caption, which states every fact of the record."""
    questions: tuple[Question, ...]
    """Questions about the vase: one for each dimension that the record states, and one for its provenance."""
    split: str
    """Split of the vase: train, val or test."""

    @classmethod
    def of_row(cls, row: Row) -> "Vase":
        """Returns the vase of a row that no stage rejected."""
        return cls(
            id=row.vase_id,
            record=row.record,
            photo=row.photo,
            mesh=row.mesh,
            clip=row.clip,
            caption=row.caption,
            reference=row.reference,
            questions=row.questions,
            split=row.split,
        )

    @property
    def is_synthetic(self) -> bool:
        """True if the record says that the vase is synthetic."""
        return self.record.get("Collection Record", "").startswith(SYNTHETIC_MUSEUM)

    def caption_task(self, prompt: str = CAPTION_PROMPT) -> Task:
        """Returns the task that asks the vision-language model for a caption of the whole vase. prompt: text of the
        user's message."""
        return Task(
            id=f"{self.id}/caption",
            clip=self.clip,
            prompt=prompt,
            dimensions=DIMENSIONS,
            record=self.record,
            reference=self.reference,
        )

    def question_tasks(self, topics: Collection[str]) -> list[Task]:
        """Returns a task for each question of the vase that is about one of the topics and has an answer.

        An answer about a dimension is scored by the record. Where the record does not state the dimension, and for
        questions about something else, the task has no dimension, and an answer is compared with the question's own.
        """
        tasks = []
        for number, question in enumerate(self.questions, start=1):
            if question.dimension not in topics or not question.answer.strip():
                continue
            stated: list[Dimension] = [
                d for d in DIMENSIONS if d == question.dimension and self.record.get(FIELD_OF_DIMENSION[d])
            ]
            tasks.append(
                Task(
                    id=f"{self.id}/question-{number}",
                    clip=self.clip,
                    prompt=question.question,
                    dimensions=tuple(stated),
                    record=self.record,
                    reference=question.answer,
                )
            )
        return tasks
