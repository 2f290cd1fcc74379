"""What every generator is: a photograph and a path in, a GLB or the reason why not out."""

from pathlib import Path
from typing import Protocol


class LiftFailure(Exception):
    """No model came of this photograph; the message says why."""


class Generator(Protocol):
    """Writes the model of a photograph."""

    def __call__(self, photo: Path, vase_id: str, glb: Path) -> float | None:
        """Writes `glb`; returns how well the model's silhouette covers the photograph's (intersection over union) if
        it has measured that, with the photograph's own camera. Raises: LiftFailure."""
        ...
