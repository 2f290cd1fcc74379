"""Interface of an image-to-3D generator: it writes the GLB of a photographed vase or states why it can't."""

from pathlib import Path
from typing import Protocol


class LiftFailure(Exception):
    """A generator's failure to make a mesh of a photograph; the message becomes the reason in the photograph's row."""


class Generator(Protocol):
    """A callable that makes the mesh of a vase from a photograph."""

    def __call__(self, photo: Path, vase_id: str, glb: Path) -> float | None:
        """Writes the mesh of the vase in `photo` to the file `glb`.

        Returns: the intersection over union of the vase's silhouette in the photograph and the mesh's silhouette from
        the photograph's estimated camera; None when the generator doesn't measure it.

        Raises: LiftFailure when it can't make a mesh.
        """
        ...
