"""Settings of the stages that select photographs: quality, intactness, best view."""

from pathlib import Path
from typing import ClassVar

import pydantic

from vaserl.settings.section import Section


class QualitySettings(Section):
    """Settings of the filter that rejects photographs of low quality."""

    RENAMED: ClassVar = {"pool": "[pool.quality]"}

    enabled: bool = True
    """Runs the stage; if false, the stage is skipped."""
    path: Path | None = None
    """Folder that `python -m launch train-quality` wrote, or a .safetensors file with the weights of a ResNet-50
    of two classes, in this order: low quality, high quality."""
    threshold: float | None = pydantic.Field(default=None, ge=0, le=1)
    """Least calibrated probability of high quality at which a photograph passes; by default the threshold saved with
    the weights, or 0.5."""
    temperature: float | None = pydantic.Field(default=None, gt=0)
    """Number by which the logits are divided to calibrate the probabilities; by default the temperature saved with the
    weights, or 1."""


class ThresholdSettings(Section):
    """Settings of a stage's threshold, which is the least score at which a photograph passes: a value, or a quantile of
    the scores of a sample of the collection."""

    threshold: float | None = None
    """The threshold as a value."""
    quantile: float | None = pydantic.Field(default=None, gt=0, lt=1)
    """The threshold as a quantile, instead of a value: this share of a sample of photographs scores below it. Its value
    is computed once, before the filters start, and written into the data set's card."""
    sample: int = pydantic.Field(default=500, ge=20)
    """Number of photographs in the sample that the quantile is computed from. They are drawn with `seed` from the
    photographs that pass the earlier stages."""

    @pydantic.model_validator(mode="after")
    def _one_of_the_two(self):
        if self.threshold is not None and self.quantile is not None:
            raise ValueError("threshold and quantile can't be set together; set only one")
        return self


class IntactSettings(ThresholdSettings):
    """Settings of the filter that rejects photographs without a whole vase. OpenCLIP scores each photograph: its cosine
    similarity to the prompts of `intact` minus that to the nearest family of prompts in `against`. The default
    threshold is 0."""

    RENAMED: ClassVar = {"pool": "[pool.intact]"}

    enabled: bool = True
    """Runs the stage; if false, the stage is skipped."""
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
    """Families (lists) of prompts for photographs that the stage rejects, by name of the family. The reason for a
    rejection states the family that is most similar to the photograph."""
    front: tuple[str, ...] = (
        "a photograph of an intact vase seen from the front",
        "a complete Greek vase, frontal view",
        "a vase at eye level, its profile from foot to lip in view",
    )
    """Prompts for a frontal view, by which the photographs of a vase are ranked."""
    not_front: tuple[str, ...] = (
        "a vase seen from above",
        "a photograph looking down into the mouth of a vase",
        "the underside of a vase, its foot seen from below",
    )
    """Prompts for views that are not frontal. A photograph's cosine similarity to them is subtracted from that to
    `front`. If there are none, `front` alone ranks the photographs of a vase."""

    @pydantic.field_validator("intact", "front")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one prompt is required")
        return value


class BestViewSettings(ThresholdSettings):
    """Settings of the choice of one photograph of each vase. The score is the photograph's cosine similarity to the
    prompts of `intact.front` minus that to `intact.not_front`; without `intact`, what the cut-out network sees and the
    views' names decide. Without a threshold the best photograph of a vase is kept whatever its score. With a threshold,
    photographs with a lower score are rejected, even if the vase has no others."""


class TinyFilterSettings(Section):
    """Settings of small filter networks that are trained on synthetic vases before the job. They are for synthetic
    photographs: on real ones they hardly do better than chance."""

    num_vases: int = pydantic.Field(default=48, ge=8)
    """Number of synthetic vases that the small networks are trained on."""
    seed: int = 1_000_003
    """Seed of those synthetic vases. It must differ from the seed of the synthetic vases that are curated; otherwise
    the networks filter the photographs that they were trained on."""
    clip_steps: int = pydantic.Field(default=140, ge=1)
    """Training steps of the small CLIP network; fewer steps make a trial run faster and its choices worse."""
