"""The optimiser of the small jobs that train a whole network in one process."""

import torch

from vaserl.policy.schedule import learning_rate

WARMUP_SHARE = 0.05
MAX_GRADIENT_NORM = 1.0


class Stepper:
    """AdamW with weight decay on matrices and kernels only, gradients clipped to norm 1, the rate warmed up over a
    twentieth of `num_steps` and then on a cosine to almost nothing."""

    def __init__(self, model: torch.nn.Module, *, peak: float, weight_decay: float, num_steps: int) -> None:
        decayed = [p for p in model.parameters() if p.ndim >= 2]
        others = [p for p in model.parameters() if p.ndim < 2]
        groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups)
        self._parameters = [*decayed, *others]
        self._peak, self._num_steps, self._step = peak, num_steps, 0

    def __call__(self, loss: torch.Tensor) -> float:
        """One step down the gradient of `loss`. Returns: the loss."""
        self._step += 1
        rate = learning_rate(
            self._step,
            peak=self._peak,
            warmup_steps=max(round(WARMUP_SHARE * self._num_steps), 1),
            num_steps=self._num_steps,
            cosine=True,
        )
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, MAX_GRADIENT_NORM)
        self._optimizer.step()
        return float(loss.detach())
