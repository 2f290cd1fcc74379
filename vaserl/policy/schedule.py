"""The learning rate of a step."""

import math

FINAL_SHARE = 0.02


def learning_rate(step: int, *, peak: float, warmup_steps: int, num_steps: int, cosine: bool) -> float:
    """The rate of `step` (from 1): linear warm-up to `peak`, then constant or along a cosine to a fiftieth of it."""
    if step <= warmup_steps:
        return peak * step / warmup_steps
    if not cosine:
        return peak
    done = (step - warmup_steps) / max(num_steps - warmup_steps, 1)
    return peak * max(FINAL_SHARE, 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))
