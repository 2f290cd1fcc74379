"""The point at which a training loop begins: the first step of a run, or the step after a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass

from vaserl.types import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopStart:
    """The step at which a training loop begins, and the earlier weights that the overlapped loop needs for it."""

    step: int = 1
    """First step that the loop takes. The learner has version `step` of the weights then."""
    earlier: tuple[Weights, ...] = ()
    """Versions of the weights before version `step`, ascending, that sample the first steps of a continued overlapped
    run."""
    metrics: tuple[Mapping[str, float], ...] = ()
    """Metrics of the steps before `step`, by name, in the order of the steps."""


FIRST_STEP = LoopStart()
"""Beginning of a new run."""
