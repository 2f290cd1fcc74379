"""Which checkpoints of a run are kept."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Rules for the checkpoints that are kept; a checkpoint is kept if any rule applies to it.

    Example: Retention(keep_last=2, keep_every=100, best_metric="caption", pinned=frozenset({12}))
    """

    keep_last: int
    """Number of the newest checkpoints that are kept, at least 1."""
    keep_every: int = 0
    """Keeps the steps that are multiples of this number; 0 keeps none of them."""
    best_metric: str | None = None
    """Keeps the checkpoint with the largest value of this validation metric, the earliest one of equals. None keeps
    none for its metric."""
    pinned: frozenset[int] = frozenset()
    """Steps that are kept in any case."""

    def __post_init__(self) -> None:
        if self.keep_last < 1:
            raise ValueError(f"keep_last must be at least 1, got {self.keep_last}")


def steps_to_delete(retention: Retention, metrics: Mapping[int, Mapping[str, float]]) -> list[int]:
    """Returns the steps whose checkpoints no rule keeps, in ascending order.

    metrics: the validation metrics of each step that has a checkpoint; empty for a step that wasn't validated.
    """
    steps = sorted(metrics)
    kept = {*steps[-retention.keep_last :], *retention.pinned}
    if retention.keep_every:
        kept |= {step for step in steps if step % retention.keep_every == 0}
    best = retention.best_metric
    values = {step: metrics[step][best] for step in steps if best is not None and best in metrics[step]}
    if values:
        kept.add(max(values, key=lambda step: (values[step], -step)))
    return [step for step in steps if step not in kept]
