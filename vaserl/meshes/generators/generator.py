"""Interface of an image-to-3D generator, which writes a GLB of a photographed vase or raises an error with the
reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherView:
    """A further photograph of the vase, from another side than the main photograph, which shows its front."""

    photo: Path
    side: Literal["right", "back", "left"] | None
    """Side that it shows; the right side is on the right of the main photograph. None: the right or the left one, and
    another photograph shows the back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOfViews:
    """What a generator reports of a mesh that it made from several photographs."""

    silhouette_iou: float
    """Intersection over union of the silhouettes of mesh and main photograph; see `Generator`."""
    seen_share: float
    """Share of the vase's wall that the photographs show, 0 to 1."""
    used: tuple[int, ...]
    """Indices of the further photographs that were used; the others were unsuitable."""
    fault: str
    """Why the generator itself doesn't believe the mesh; "" if it knows no reason."""


@runtime_checkable
class GeneratorOfViews(Generator, Protocol):
    """A generator that can also use several photographs of a vase."""

    def from_views(self, photo: Path, others: Sequence[OtherView], glb: Path) -> ModelOfViews:
        """Writes the mesh of the vase in `photo` and `others` to the file `glb`.

        Raises: LiftFailure when no mesh can be made of `photo`.
        """
        ...
