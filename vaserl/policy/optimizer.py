"""The learning-rate schedule and weight decay of every training job, and the optimizer of the jobs that train a whole
small network."""

import math
from collections.abc import Iterable
from typing import Any

import torch

_FINAL_SHARE = 0.02
_WARMUP_SHARE = 0.05
_MAX_GRADIENT_NORM = 1.0


def learning_rate(step: int, *, peak: float, warmup_steps: int, num_steps: int, cosine: bool) -> float:
    """Returns the learning rate of `step`, counted from 1. The rate rises linearly to `peak` in the first
    `warmup_steps` steps. Afterwards it is constant or, if `cosine` is True, follows a cosine down to 2 % of `peak`."""
    if step <= warmup_steps:
        return peak * step / warmup_steps
    if not cosine:
        return peak
    done = (step - warmup_steps) / max(num_steps - warmup_steps, 1)
    return peak * max(_FINAL_SHARE, 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def decay_groups(parameters: Iterable[torch.nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    """Returns the parameter groups of an optimizer: `weight_decay` for matrices and tensors with more axes, none for
    parameters with fewer than two axes (norms and biases). A group without parameters is left out."""
    parameters = list(parameters)
    decayed = [p for p in parameters if p.ndim >= 2]
    others = [p for p in parameters if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


class ScheduledAdamW:
    """AdamW with gradients clipped to norm 1, and with weight decay only for parameters that have at least two axes.
    The learning rate rises during the first 5 % of `num_steps` and follows a cosine down afterwards."""

    def __init__(self, model: torch.nn.Module, *, peak: float, weight_decay: float, num_steps: int) -> None:
        groups = decay_groups(model.parameters(), weight_decay)
        self._optimizer = torch.optim.AdamW(groups)
        self._parameters = [parameter for group in groups for parameter in group["params"]]
        self._peak, self._num_steps, self._step = peak, num_steps, 0

    def __call__(self, loss: torch.Tensor) -> float:
        """Computes the gradient of `loss` and makes one optimizer step. Returns: the loss as a float."""
        self._step += 1
        rate = learning_rate(
            self._step,
            peak=self._peak,
            warmup_steps=max(round(_WARMUP_SHARE * self._num_steps), 1),
            num_steps=self._num_steps,
            cosine=True,
        )
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, _MAX_GRADIENT_NORM)
        self._optimizer.step()
        return float(loss.detach())
