"""Settings of the questions about vases that a GRPO step asks beside requests for captions."""

from typing import Final, Literal

import pydantic

from vaserl.settings.section import Section

_ALL: Final = ("fabric", "technique", "shape", "dating", "decoration", "attribution", "other")


class QuestionSettings(Section):
    """Settings of question tasks in a GRPO run: questions of the data set with their answers. They are off by
    default."""

    share: float = pydantic.Field(default=0.0, ge=0, le=1)
    """Share of a step's tasks that are questions; the others request captions. It is rounded to a whole number of
    tasks, which each step has."""
    topics: tuple[Literal["fabric", "technique", "shape", "dating", "decoration", "attribution", "other"], ...] = _ALL
    """What the questions are about: the six dimensions, and "other" for those of imported conversations. Questions
    about the provenance are not asked, because a video does not show it."""

    @pydantic.model_validator(mode="after")
    def _asks_something(self):
        if self.share and not self.topics:
            raise ValueError("topics is empty, so there are no questions; name a topic, or set share = 0")
        return self
