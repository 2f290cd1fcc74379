"""The fragments of the trained parameters that one DeepSpeed rank updates, and where DeepSpeed keeps them.

| stage, precision | optimizer object | float32 master of a parameter | lies on |
|---|---|---|---|
| 0, float32 | torch's AdamW | the parameter itself | every rank |
| 0, bfloat16 | FP16_UnfusedOptimizer | a tensor of its shape | every rank |
| 1 and 2 | DeepSpeedZeroOptimizer, BF16_Optimizer | pieces of a flat tensor for each parameter group | one rank each |
| 3 | DeepSpeedZeroOptimizer_Stage3 | the same, for each sub-group | one rank each |

In all of them the model's own parameter is the master, rounded to the model's precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

Named = Sequence[tuple[str, torch.nn.Parameter]]
"""(name, parameter) of the trained parameters."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fragment:
    """A contiguous piece of a trained parameter: the part of its float32 master that this rank updates."""

    parameter: str
    """Name of the parameter."""
    shape: tuple[int, ...]
    """Shape of the whole parameter."""
    first: int
    """Number of the piece's first element in the flattened parameter."""
    num_elements: int
    updated: torch.Tensor
    """Tensor that the optimizer updates and keeps moments for; it contains the piece, and may contain others."""
    start: int
    """Number of the piece's first element in the flattened `updated`."""

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        """Returns the piece of `updated`, or of a tensor of its shape, as a flat view [num_elements]."""
        return tensor.detach().view(-1)[self.start : self.start + self.num_elements]


def inner_optimizer(engine: Any) -> torch.optim.Optimizer:
    """Returns torch's own optimizer, which DeepSpeed's optimizer wraps except at stage 0 in float32."""
    return getattr(engine.optimizer, "optimizer", engine.optimizer)


def local_fragments(engine: Any, trained: Named, rank: int) -> list[Fragment]:
    """Returns the fragments of the trained parameters that this rank updates, in the order of the parameters.

    At stage 0 those are all parameters, on every rank.
    """
    optimizer = engine.optimizer
    if hasattr(optimizer, "fp32_partitioned_groups_flat"):
        found = (_fragment_of_stage_3(optimizer, name, parameter, rank) for name, parameter in trained)
        return [fragment for fragment in found if fragment.num_elements > 0]
    if hasattr(optimizer, "fp32_groups"):
        groups = zip(optimizer.fp16_groups, optimizer.fp32_groups, strict=True)
        master = {id(p): copy for group, copies in groups for p, copy in zip(group, copies, strict=True)}
        return [_whole(name, parameter, master[id(parameter)]) for name, parameter in trained]
    if optimizer is inner_optimizer(engine):
        return [_whole(name, parameter, parameter) for name, parameter in trained]
    return [
        _fragment_of_stage_1_or_2(optimizer, name, parameter)
        for name, parameter in trained
        if getattr(parameter, "_hp_mapping", None) is not None
    ]


def is_replicated(engine: Any) -> bool:
    """Tells whether every rank has the whole training state (stage 0), instead of a part of its own."""
    return engine.zero_optimization_stage() == 0


@torch.no_grad()
def refresh_parameters(engine: Any) -> None:
    """Sets the model's parameters to the masters, rounded to the model's precision. All ranks must call it together."""
    optimizer = engine.optimizer
    if hasattr(optimizer, "fp32_partitioned_groups_flat"):
        optimizer._partition_all_parameters()
        for index in range(len(optimizer.fp16_groups)):
            optimizer._reassign_or_swap_out_partitioned_parameters(index)
        if persistent := optimizer.persistent_parameters:
            persistent[0].all_gather(persistent)
    elif hasattr(optimizer, "fp32_groups"):
        for parameters, masters in zip(optimizer.fp16_groups, optimizer.fp32_groups, strict=True):
            for parameter, master in zip(parameters, masters, strict=True):
                parameter.copy_(master)
    elif optimizer is not inner_optimizer(engine):
        optimizer.update_lp_params()


def _whole(name: str, parameter: torch.nn.Parameter, master: torch.Tensor) -> Fragment:
    return Fragment(
        parameter=name,
        shape=tuple(parameter.shape),
        first=0,
        num_elements=parameter.numel(),
        updated=master,
        start=0,
    )


def _fragment_of_stage_1_or_2(optimizer: Any, name: str, parameter: Any) -> Fragment:
    mapping = parameter._hp_mapping
    return Fragment(
        parameter=name,
        shape=tuple(parameter.shape),
        first=mapping.lp_fragment_address.start,
        num_elements=mapping.hp_fragment_address.numel,
        updated=optimizer.optimizer.param_groups[mapping.param_group_index]["params"][0],
        start=mapping.hp_fragment_address.start,
    )


def _fragment_of_stage_3(optimizer: Any, name: str, parameter: Any, rank: int) -> Fragment:
    """Returns the fragment of rank `rank`. The ranks' partitions are equally long, so the last ones may be padding in
    part or as a whole; padding belongs to no fragment."""
    group, start, size = optimizer.grad_position[optimizer.get_param_id(parameter)]
    first = rank * size
    return Fragment(
        parameter=name,
        shape=tuple(parameter.ds_shape),
        first=first,
        num_elements=max(min(size, parameter.ds_numel - first), 0),
        updated=optimizer.fp32_partitioned_groups_flat[group],
        start=start,
    )
