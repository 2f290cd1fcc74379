"""The stage that rejects photographs that don't show a whole vase. Its judging class, in `bodies.intact`, uses CLIP."""

from vaserl.curation.settings import IntactSettings, PoolSettings
from vaserl.curation.stage import Column, Measure, Recipe, Stage, StageContext
from vaserl.curation.stamps import file_stamps
from vaserl.errors import UserError

INTACTNESS = Column(name="intact")
"""Cosine similarity of the photograph to the prompts for a whole vase, minus the largest of its cosine similarities to
the families (lists) of other prompts."""
FRONT = Column(name="front")
"""Score of how frontally the vase is shown; of a vase's views, the one with the highest score is kept."""
DEFAULT_THRESHOLD = 0.0
"""Default threshold of the score `intact`. A photograph with score 0 is as similar to the prompts for a whole vase as
to the most similar family of other prompts."""


def _recipe(context: StageContext) -> Recipe:
    from vaserl.curation.bodies.intact import Intact

    settings, model = context.settings.intact, context.settings.open_clip
    return Recipe(make=Intact, arguments=(settings, model), depends={"weights": file_stamps(model.path)})


def _check(context: StageContext) -> None:
    from vaserl.encoders.open_clip import load_open_clip

    if context.settings.open_clip.path is None:
        raise UserError("intact.enabled needs open_clip.path, an OpenCLIP model; set it, or intact.enabled = false")
    load_open_clip(context.settings.open_clip)


def _default_threshold(settings: IntactSettings) -> tuple[IntactSettings, str]:
    return settings.model_copy(update={"threshold": DEFAULT_THRESHOLD}), "default"


INTACT = Stage(
    name="intact",
    section="intact",
    can_be_off=True,
    recipe=_recipe,
    check=_check,
    columns=(INTACTNESS, FRONT),
    measures=(Measure(name=INTACTNESS.name, limit="threshold"),),
    unwanted_kinds=frozenset({"fragment", "sketch", "blur", "crop"}),
    default_threshold=_default_threshold,
    hint="intact.threshold, or give intact.quantile instead; and at open_clip.path",
    pool=PoolSettings(batch_size=64),
)
