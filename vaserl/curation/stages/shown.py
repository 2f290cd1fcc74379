"""The stage that asks the cut-out network what each photograph shows, where no CLIP model scores the views.

It rejects nothing: the lift refuses what it can't use, and other generators may use what the network doesn't know. Its
judging class is in `bodies.shown`.
"""

from vaserl.curation.settings import CurateSettings
from vaserl.curation.stage import Column, KeptPhotograph, Recipe, Stage, StageContext
from vaserl.curation.stages.intact import INTACT
from vaserl.curation.stamps import file_stamps
from vaserl.meshes.generators import GeneratorOptions

SIDE_VIEW = Column(name="side")
"""Probability that the photograph shows a whole vase from the side; NaN if the network didn't judge it."""
FROM_ABOVE = Column(name="above")
"""Probability that it shows one from above, from where its wall is seen too."""


def _cutout(settings: CurateSettings) -> str:
    from vaserl.meshes.cutout.method import NETWORK  # imports scipy

    generator = settings.lift.arguments
    return generator.cutout if isinstance(generator, GeneratorOptions) else NETWORK


def _recipe(context: StageContext) -> Recipe:
    from vaserl.curation.bodies.shown import Shown
    from vaserl.meshes.cutout.method import files_of_method

    cutout = _cutout(context.settings)
    weights = [file_stamps(path) for path in files_of_method(cutout)]
    return Recipe(make=Shown, arguments=(cutout,), depends={"cutout": cutout, "weights": weights})


def _check(context: StageContext) -> None:
    from vaserl.meshes.cutout.method import check_method

    check_method(_cutout(context.settings))


def _no_clip_looks(settings: CurateSettings) -> bool:
    return not INTACT.is_enabled(settings)


def _tell(kept: KeptPhotograph) -> str:
    scores = kept.row.scores
    if SIDE_VIEW.name not in scores:
        return "not judged, as it is transparent beside the vase"
    return f"a whole vase from the side {scores[SIDE_VIEW.name]:.0%}, from above {scores[FROM_ABOVE.name]:.0%}"


SHOWN = Stage(
    name="shown",
    is_needed=_no_clip_looks,
    recipe=_recipe,
    check=_check,
    columns=(SIDE_VIEW, FROM_ABOVE),
    hint="lift.generator_args.cutout",
    tell=_tell,
)
