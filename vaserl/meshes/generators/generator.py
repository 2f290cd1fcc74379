"""Interface of a generator: it makes the GLB of a photograph or states why it can't."""

from pathlib import Path
from typing import Protocol


class LiftFailure(Exception):
    """The generator made no model of this photograph; the message states the reason and becomes the row's reason."""


class Generator(Protocol):
    """Makes the mesh of a vase from a photograph."""

    def __call__(self, photo: Path, vase_id: str, glb: Path) -> float | None:
        """Writes `glb`.

        Returns: the intersection over union of the mesh's silhouette, seen by the photograph's camera, and the vase's
        in the photograph; None when the generator doesn't measure it.

        Raises: LiftFailure.
        """
        ...
