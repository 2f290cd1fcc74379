"""A vase to learn from or to report on: a row that came through, without the photograph's own data."""

from collections.abc import Mapping
from dataclasses import dataclass

from vaserl.dataset.question import Question
from vaserl.dataset.row import Row
from vaserl.types import DIMENSIONS, Task

CAPTION_PROMPT = "Describe the vase."


@dataclass(frozen=True, slots=True, kw_only=True)
class Vase:
    """A vase that came through curation, with its clip and texts."""

    id: str
    """The museum's or the world's identifier."""
    record: Mapping[str, str]
    """Beazley-form fields, present ones only."""
    photo: str
    """Path or URL of the photograph that the vase was lifted from."""
    mesh: str
    """Path of the GLB, relative to the data set."""
    clip: str
    """Content hash of the turntable, hex."""
    caption: str
    """The catalogue's caption."""
    reference: str
    """The complete caption."""
    questions: tuple[Question, ...]
    """One for each dimension that the record states, and one for its provenance."""
    split: str
    """One of SPLITS."""

    @classmethod
    def of_row(cls, row: Row) -> "Vase":
        """Returns the vase of a row that came through."""
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

    def caption_task(self) -> Task:
        """Returns the task of describing the whole vase."""
        return Task(
            id=f"{self.id}/caption",
            clip=self.clip,
            prompt=CAPTION_PROMPT,
            dimensions=DIMENSIONS,
            record=self.record,
            reference=self.reference,
        )
