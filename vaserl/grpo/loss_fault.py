"""Names the cause of a loss that is not finite."""

from collections.abc import Sequence

import torch

_FLOAT32_MAX = float(torch.finfo(torch.float32).max)


def loss_fault(loss: float, tensors: dict[str, torch.Tensor], advantages: Sequence[float] = ()) -> str:
    """Returns a sentence about what made a micro-batch's `loss` NaN or infinite.

    tensors: inputs of the loss, by what they are called in the sentence. advantages: the advantages as computed from
    the rewards, before they were rounded to float32; empty in supervised fine-tuning.
    """
    largest = max((abs(advantage) for advantage in advantages), default=0.0)
    if not largest <= _FLOAT32_MAX:
        cause = (
            f"an advantage of size {largest:.3g} is beyond float32 (largest {_FLOAT32_MAX:.3g}): the reward functions "
            "return values that are too large"
        )
    elif wrong := [
        f"{int((~tensor.isfinite()).sum())} of {tensor.numel()} {name}"
        for name, tensor in tensors.items()
        if not bool(tensor.isfinite().all())
    ]:
        cause = f"{' and '.join(wrong)} are NaN or infinite"
    else:
        cause = f"every input is finite, but the sum overflows float32 (largest advantage {largest:.3g})"
    return f"the loss is {loss}: {cause}"
