"""Settings of a training run's checkpoints."""

from typing import Annotated

import pydantic

from vaserl.settings.section import Section
from vaserl.settings.submitted import WRITTEN_OR_URL

EVERY_STEP = 1
"""Number of steps between two checkpoints with LoRA, whose state is small."""
EVERY_FULL = 25
"""Number of steps between two checkpoints with all weights trained, whose state takes 12 bytes for each of them."""


class CheckpointSettings(Section):
    """Settings of the checkpoints from which a killed run continues."""

    path: Annotated[str, WRITTEN_OR_URL] = ""
    """Folder or fsspec URL that the checkpoints are written to. If empty, they are written to `checkpoints` in the
    run's folder. It must be reachable from all learner ranks, and each run needs its own."""
    every: int | None = pydantic.Field(default=None, ge=0)
    """Number of steps between two checkpoints; a killed run repeats at most as many steps. 0 writes none. If not set, 1
    with LoRA and 25 with learner.method = "full"."""
    keep_last: int = pydantic.Field(default=2, ge=1)
    """Number of the newest checkpoints that are kept. With 2, a run whose newest checkpoint is damaged continues from
    the one before."""
    keep_every: int = pydantic.Field(default=0, ge=0)
    """Also keeps the checkpoints of steps that are multiples of this number; 0 keeps none of them."""
    keep_best: bool = True
    """If true, also keeps the checkpoint with the best validation metric. Has no effect without validation."""
    max_failed: int = pydantic.Field(default=10, ge=1)
    """Number of checkpoints in a row that may fail, for example because the disk is full, before the run stops. Until
    then it continues and keeps the older checkpoints."""

    def interval(self, method: str) -> int:
        """Returns the number of steps between two checkpoints; 0 means none. method: value of learner.method."""
        return self.every if self.every is not None else (EVERY_FULL if method == "full" else EVERY_STEP)
