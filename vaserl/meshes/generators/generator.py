"""Interface of an image-to-3D generator, which writes a GLB of a photographed vase or raises an error with the
reason."""

from pathlib import Path
from typing import Protocol


class LiftFailure(Exception):
    """A generator's failure to make a mesh of a photograph; the message is stored as the reason in the photograph's
    row."""


class Generator(Protocol):
    """A callable that makes the mesh of a vase from a photograph."""

    def __call__(self, photo: Path, vase_id: str, glb: Path) -> float | None:
        """Writes the mesh of the vase in `photo` to the file `glb`.

        Returns: the intersection over union of two silhouettes, the vase's in the photograph and the mesh's from the
        photograph's estimated camera; None when the generator doesn't measure it.

        Raises: LiftFailure when no mesh can be made.
        """
        ...
