"""The stage that rejects bad photographs: blurs, sketches and crops. Its judging class is in `bodies.quality`."""

from vaserl.curation.settings import PoolSettings, QualitySettings
from vaserl.curation.stage import Column, Measure, Recipe, Stage, StageContext
from vaserl.curation.stamps import file_stamps
from vaserl.errors import UserError

PROBABILITY = Column(name="quality")
"""Calibrated probability that the photograph is good."""
UNWANTED = frozenset({"blur", "sketch", "crop"})


def _recipe(context: StageContext) -> Recipe:
    from vaserl.curation.bodies.quality import Quality

    settings = context.settings.quality
    return Recipe(make=Quality, arguments=(settings,), depends={"weights": file_stamps(settings.path)})


def _check(context: StageContext) -> None:
    from vaserl.curation.bodies.quality import load_resnet

    path = context.settings.quality.path
    if path is None:
        raise UserError("quality.enabled needs quality.path, a ResNet; set it, or quality.enabled = false")
    load_resnet(path)


def _default_threshold(settings: QualitySettings) -> tuple[QualitySettings, str]:
    from vaserl.curation.bodies.quality import decision_of

    decision = decision_of(settings)
    chosen = {"threshold": decision.threshold, "temperature": decision.temperature}
    origin = "chosen when the classifier was trained" if decision.trained else "default"
    return settings.model_copy(update=chosen), origin


QUALITY = Stage(
    name="quality",
    section="quality",
    can_be_off=True,
    recipe=_recipe,
    check=_check,
    columns=(PROBABILITY,),
    measures=(Measure(name=PROBABILITY.name, limit="threshold"),),
    unwanted_kinds=UNWANTED,
    default_threshold=_default_threshold,
    hint="quality.threshold, and at quality.path: it may have been trained on too few photographs, or on others",
    pool=PoolSettings(batch_size=64),
)
