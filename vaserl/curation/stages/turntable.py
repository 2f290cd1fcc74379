"""The stage that renders one turn of each 3D model into a video clip. Its judging class is in `bodies.turntable`."""

from vaserl.curation.stage import Column, KeptPhotograph, Recipe, Stage, StageContext
from vaserl.dataset import clip_name

CLIP = Column(name="clip", kind=str, file=clip_name("{}"))
"""SHA-256 of the video's content; the video's file in clips/ is named after it."""


def _recipe(context: StageContext) -> Recipe:
    from vaserl.curation.bodies.turntable import Turntable

    return Recipe(make=Turntable, arguments=(context.settings.turntable, context.settings.dataset))


def _tell(kept: KeptPhotograph) -> str:
    clip = kept.row.clip
    return f"rendered {clip_name(clip)}" if clip else "rendered its clip"


TURNTABLE = Stage(
    name="turntable",
    section="turntable",
    recipe=_recipe,
    columns=(CLIP,),
    hint="what the generator of [lift] wrote to models/",
    tell=_tell,
)
