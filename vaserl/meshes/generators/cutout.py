"""Prepares a photograph for generators, which expect an image without background."""

from pathlib import Path

from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.meshes.cutout.cutout import Cutout, CutoutError
from vaserl.meshes.cutout.method import CutoutMethod, cut_out_whole_vase
from vaserl.meshes.generators.generator import LiftFailure

MAX_SIDE = 2000
"""Largest length in pixels of a photograph's longer side; larger photographs are reduced. Generators use images of
about a thousand pixels."""


def cutout_for_generator(photo: Path, method: CutoutMethod) -> Cutout:
    """Returns the photograph, rotated as its EXIF orientation specifies and reduced to at most `MAX_SIDE` pixels, with
    the vase's mask.

    Raises: LiftFailure when the photograph can't be read, shows no whole vase from the side, or the vase can't be
    cut out.
    """
    try:
        image = read_photograph(photo, keep_alpha=True)
        image.thumbnail((MAX_SIDE, MAX_SIDE))
        return cut_out_whole_vase(image, method)
    except (UnreadablePhotograph, CutoutError) as error:
        raise LiftFailure(str(error)) from error
