"""The filters of photographs: quality, intactness, the best view."""

from pathlib import Path
from typing import ClassVar

import pydantic

from vaserl.settings.section import Section


class QualitySettings(Section):
    """The filter of bad photographs."""

    RENAMED: ClassVar = {"pool": "[pool.quality]"}

    enabled: bool = True
    """Runs the stage."""
    path: Path | None = None
    """Folder that `python -m launch train-quality` wrote, or a .safetensors file with the weights of a ResNet-50
    of two classes, low and high."""
    threshold: float | None = pydantic.Field(default=None, ge=0, le=1)
    """Least calibrated probability of high quality that passes; by default the one saved with the weights, or 0.5."""
    temperature: float | None = pydantic.Field(default=None, gt=0)
    """Divisor of the logits, which calibrates the probabilities; by default the one saved with the weights, or 1."""


class ThresholdSettings(Section):
    """The least score that passes, as a value or as a quantile of a sample of the collection."""

    threshold: float | None = None
    """The least score as a value."""
    quantile: float | None = pydantic.Field(default=None, gt=0, lt=1)
    """Instead of a value: the score that this share of a sample stays below. It is resolved once, before the pass, and
    written into the card."""
    sample: int = pydantic.Field(default=500, ge=20)
    """Photographs of that sample, drawn by `seed` from those that pass the earlier stages."""

    @pydantic.model_validator(mode="after")
    def _one_of_the_two(self):
        if self.threshold is not None and self.quantile is not None:
            raise ValueError("give threshold or quantile, not both")
        return self


class IntactSettings(ThresholdSettings):
    """The filter of photographs that show no whole vase. The score is the cosine to the intact family minus that to the
    best family against it; 0 is its threshold where none is given."""

    RENAMED: ClassVar = {"pool": "[pool.intact]"}

    enabled: bool = True
    """Runs the stage."""
    intact: tuple[str, ...] = (
        "a photograph of an intact vase",
        "a photograph of a complete Greek vase",
        "a whole painted vase with foot, body, neck and lip",
        "an undamaged ancient vase, entire and unbroken",
        "a museum photograph of an intact amphora",
        "a complete kylix with its foot and both handles",
        "an intact lekythos standing upright",
        "a restored krater, whole from foot to rim",
    )
    """Prompts for a complete vase."""
    against: dict[str, tuple[str, ...]] = pydantic.Field(
        default_factory=lambda: {
            "fragment": (
                "a fragment of pottery",
                "a broken sherd of a Greek vase",
                "a piece of a painted vase with broken edges",
                "pottery sherds",
                "an ostrakon, a potsherd with jagged edges",
                "joining fragments of a broken krater",
            ),
            "drawing": (
                "a drawing of a vase",
                "a line drawing of a Greek vase on paper",
                "an archaeological profile drawing of a pot",
                "an engraving of a painted vase from an old publication",
                "a sketch of a vase",
            ),
            "blur": (
                "a blurred photograph of a vase",
                "an unsharp picture of a Greek vase, out of focus",
                "a blurry photograph of pottery",
            ),
            "detail": (
                "a detail of a vase",
                "a close-up of the surface of a painted vase",
                "a detail of the figures painted on a Greek vase",
            ),
        },
        min_length=1,
    )
    """Families of prompts for what the stage should reject; the reason names the nearest one."""
    front: tuple[str, ...] = (
        "a photograph of an intact vase seen from the front",
        "a complete Greek vase, frontal view",
        "a vase at eye level, its profile from foot to lip in view",
    )
    """Prompts for a frontal view, by which the views of a vase are ranked."""
    not_front: tuple[str, ...] = (
        "a vase seen from above",
        "a photograph looking down into the mouth of a vase",
        "the underside of a vase, its foot seen from below",
    )
    """Prompts whose cosine is subtracted from that score; if empty, `front` alone ranks the views."""

    @pydantic.field_validator("intact", "front")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("needs at least one prompt")
        return value


class BestViewSettings(ThresholdSettings):
    """The choice of one view of each vase. The score is the cosine to `intact.front` minus that to `intact.not_front`.
    Without a threshold the best of a vase's views is kept whatever its score; with one, an only view has to reach it
    too."""


class TinyFilterSettings(Section):
    """Small filter models, trained on a synthetic world before the job."""

    num_vases: int = pydantic.Field(default=48, ge=8)
    """Vases of the synthetic world that the filters are trained on."""
    seed: int = 1_000_003
    """Seed of that world; it must differ from that of the world which is curated."""
    clip_steps: int = pydantic.Field(default=140, ge=1)
    """Steps for which the small CLIP is trained; fewer make a trial run faster and its choices worse."""
