"""The stage that makes a 3D model of the vase in a photograph. Its judging class is in `bodies.lift`."""

from collections.abc import Callable
from pathlib import Path

from vaserl.curation.settings import LiftSettings, PoolSettings
from vaserl.curation.source.read import folder_of
from vaserl.curation.stage import Column, KeptPhotograph, Recipe, Stage, StageContext
from vaserl.curation.stamps import file_stamps
from vaserl.errors import UserError
from vaserl.files.storage import joined
from vaserl.meshes.generators import (
    CommandSettings,
    GeneratorOptions,
    GivenSettings,
    Hunyuan3DSettings,
    TripoSGSettings,
)

MESH = Column(name="mesh", kind=str, file="{}")
"""Path of the vase's GLB, relative to the data set."""
SILHOUETTE = Column(name="silhouette_iou")
"""IoU of the 3D model's silhouette with the vase's in the photograph; NaN if not measured. The mesh gate replaces the
generator's value, which is that of the generator's own cut-out."""
FAULT = Column(name="model_fault", kind=str)
"""Why the generator itself doesn't believe its 3D model, for the mesh gate; "" if it knows no reason."""
OTHER_PHOTOS = Column(name="other_photos", kind=str)
"""Photographs from which the model was made besides the row's: a JSON list of the values of `photo`; "" if none."""
SEEN_SHARE = Column(name="seen_share")
"""Share of the vase's wall that the photographs show, if the model was made from several; NaN otherwise."""
_POOL = PoolSettings(num_workers=2, num_cpus=1, batch_size=1, timeout_s=1800)


def place_of_given(settings: LiftSettings, source: Path | str) -> Callable[[str], str] | None:
    """Returns a function from a vase's id to the path or URL of its existing 3D model; None if models are generated."""
    given = settings.arguments
    if not isinstance(given, GivenSettings):
        return None
    return lambda vase_id: joined(str(source), given.path.format(vase_id=vase_id))


def weights_of(settings: LiftSettings) -> list[Path]:
    """Returns the folders with the weights of the generator's networks, and their subfolders; [] without networks."""
    model = settings.arguments
    if not isinstance(model, TripoSGSettings | Hunyuan3DSettings):
        return []
    folders = [model.weights, *([model.rmbg] if isinstance(model, TripoSGSettings) and model.rmbg else [])]
    return [part for folder in folders for part in (folder, *sorted(p for p in folder.glob("*") if p.is_dir()))]


def _recipe(context: StageContext) -> Recipe:
    from vaserl.curation.bodies.lift import Lift
    from vaserl.meshes.cutout.method import files_of_method  # imports scipy

    settings, source = context.settings.lift, folder_of(context.settings.source)
    model = settings.arguments
    cutting = files_of_method(model.cutout) if isinstance(model, GeneratorOptions) else []
    weights = [file_stamps(folder) for folder in (*weights_of(settings), *cutting)]
    return Recipe(
        make=Lift,
        arguments=(settings, source, context.settings.dataset),
        depends={"folder": str(source), "weights": weights},
    )


def _check(context: StageContext) -> None:
    from vaserl.curation.bodies.lift import check_generator

    command, pool = context.settings.lift.arguments, context.settings.pool.of(LIFT.name, _POOL)
    if isinstance(command, CommandSettings) and pool.timeout_s <= command.longest_s:
        raise UserError(
            f"pool.lift.timeout_s = {pool.timeout_s:g} would kill the generator's command, "
            f"which may take {command.longest_s:g} s with its retries; "
            "raise pool.lift.timeout_s, or lower lift.generator_args.timeout_s"
        )
    check_generator(context.settings.lift, folder_of(context.settings.source))


def _tell(kept: KeptPhotograph) -> str:
    row = kept.row
    made = f"made {row.mesh}" if row.mesh else "made its model"
    if not row.other_photos:
        return made
    names = ", ".join(photo.rsplit("/", 1)[-1] for photo in row.other_photos)
    seen = row.scores.get(SEEN_SHARE.name)
    return f"{made} from it and {names}" + ("" if seen is None else f", {seen:.0%} of the wall shown")


LIFT = Stage(
    name="lift",
    section="lift",
    recipe=_recipe,
    check=_check,
    columns=(MESH, SILHOUETTE, FAULT, OTHER_PHOTOS, SEEN_SHARE),
    hint="lift.generator and lift.generator_args",
    pool=_POOL,
    tell=_tell,
)
