"""Reads weights back from the model that vLLM serves, in the process of one of vLLM's workers.

On CPU, vLLM keeps only a packed form of a linear layer's matrix, which has no columns to index. So columns are read
through the layer's own multiplication: a one-hot input gives one column, exactly, because all other products are zero.
This is the multiplication that sampling uses, whatever form the weights have.

Like `actors.engine`, this file depends on vLLM's version.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vaserl.errors import UserError
from vaserl.policy.merge import LoraFactors, PristineBase, read_factors
from vaserl.policy.readback import ExpectedColumns, as_matrix, is_served, sampled_columns
from vaserl.policy.tensor_file import FileContent

_EMBEDDING, _HEAD = "model.language_model.embed_tokens.weight", "lm_head.weight"


def base_of(worker: Any, folder: Path, adapted: frozenset[str], base_copy: str) -> PristineBase:
    """Returns the worker's copy of the base weights, which the first call reads from the checkpoint."""
    if getattr(worker, "vaserl_base", None) is None:
        is_gpu, on_device = worker.device.type == "cuda", base_copy == "device"
        worker.vaserl_base = PristineBase(
            folder,
            adapted,
            device=worker.device if on_device else "cpu",
            pin_memory=is_gpu and not on_device,
        )
    return worker.vaserl_base


@torch.inference_mode()
def compare_adapter(worker: Any, version: int, files: Mapping[str, FileContent]) -> tuple[str, ...]:
    """Returns the names of the weights whose adapter in one worker's slot is not the one in the files.

    An adapter of another kind than plain LoRA, which the learner never makes, is not compared.
    """
    try:
        factors = read_factors(files, worker.device)
    except UserError:
        return ()
    return ServedModel(worker).differing_adapter(factors, version)


@torch.inference_mode()
def compare_merged(
    worker: Any, version: int, folder: Path, files: Mapping[str, FileContent], base_copy: str
) -> tuple[str, ...]:
    """Returns the names of the weights that one worker serves otherwise than merged with the adapter in the files."""
    factors = read_factors(files, worker.device)
    base = base_of(worker, folder, frozenset(factors), base_copy)
    return ServedModel(worker).differing(base.expected(factors, version), version)


@torch.inference_mode()
def compare_columns(worker: Any, version: int, columns: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the names of the weights whose columns in one worker's model are not the given ones."""
    served = ServedModel(worker)
    if served.is_tied and _EMBEDDING in columns:
        # on CPU the output layer multiplies with a packed copy of the matrix that it shares with the embedding
        columns = {**columns, _HEAD: columns[_EMBEDDING]}
    # float32 from bfloat16 is exact, so a learner may send columns in either precision
    expected = (
        (name, ExpectedColumns(exact=torch.as_tensor(values, device=worker.device).double()))
        for name, values in columns.items()
        if served.has(name)
    )
    return served.differing(expected, version)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """The part of a weight's compared columns that one shard of an engine holds."""

    values: torch.Tensor
    """[rows of the shard, columns of the shard]"""
    rows: torch.Tensor
    """Indices of the rows within the whole weight."""
    positions: list[int]
    """Indices of the columns among the compared ones."""


class ServedModel:
    """The model that a vLLM worker serves, whose weights are found by their names in the Hugging Face model."""

    def __init__(self, worker: Any):
        self._worker = worker
        model = worker.model_runner.get_model()
        self._modules: dict[str, Any] = dict(model.named_modules())
        self._mapper = model.hf_to_vllm_mapper
        self._fused = {
            leaf: (fused, index)
            for fused, leaves in model.packed_modules_mapping.items()
            for index, leaf in enumerate(leaves)
            if leaf != fused
        }
        self._outputs: tuple[Any, tuple[torch.Tensor, list[int]]] | None = None

    def differing(self, expected: Iterable[tuple[str, ExpectedColumns]], version: int) -> tuple[str, ...]:
        """Returns the names of the weights whose served columns are not the expected ones.

        expected: (name in the Hugging Face model, columns that `sampled_columns` chooses for this version).
        Raises: RuntimeError when the engine's model has no such weight.
        """
        return tuple(name for name, columns in expected if not self._serves(name, columns, version))

    def differing_adapter(self, factors: Mapping[str, LoraFactors], adapter_id: int) -> tuple[str, ...]:
        """Returns the names of the weights whose adapter in the served slot is not the one in `factors`, entry by
        entry.

        adapter_id: vLLM's id of the adapter. All names are returned when no slot has an adapter with this id.
        """
        slots = self._worker.model_runner.lora_manager._adapter_manager.lora_index_to_id
        if adapter_id not in slots:
            return tuple(factors)
        slot = slots.index(adapter_id)
        differing = []
        for name, one in factors.items():
            layer, part = self._find(name)
            served_a = layer.lora_a_stacked[part or 0][slot, 0]
            served_b = layer.lora_b_stacked[part or 0][slot, 0]
            # vLLM converts both factors and then multiplies B, in the same precision
            a, b = one.a.to(served_a.dtype), one.b.to(served_b.dtype) * one.scale
            if layer.tp_size > 1:
                a, b = _sharded(layer, part, a, b)
            same_a = torch.equal(served_a[: a.shape[0], : a.shape[1]], a.to(served_a.device))
            same_b = torch.equal(served_b[: b.shape[0], : b.shape[1]], b.to(served_b.device))
            if not (same_a and same_b):
                differing.append(name)
        return tuple(differing)

    @property
    def is_tied(self) -> bool:
        """True if the output layer has the embedding's matrix."""
        head, embedding = self._find(_HEAD)[0], self._find(_EMBEDDING)[0]
        return getattr(head, "weight", None) is getattr(embedding, "weight", None)

    def has(self, name: str) -> bool:
        """Tells whether the engine serves this part of the model at all. An engine that gets features has no vision
        tower."""
        return not self._mapped(name).startswith("visual.") or self._has_parameters("visual")

    def _has_parameters(self, module: str) -> bool:
        return any(True for _ in self._modules[module].parameters()) if module in self._modules else False

    def _serves(self, name: str, expected: ExpectedColumns, version: int) -> bool:
        window = self._window(name, version)
        if int(window.rows[-1]) >= len(expected.exact):
            return False

        def shard(whole: torch.Tensor) -> torch.Tensor:
            return whole[window.rows.to(whole.device)][:, window.positions]

        error = None if expected.error is None else shard(expected.error)
        return is_served(window.values, ExpectedColumns(exact=shard(expected.exact), error=error))

    def _window(self, name: str, version: int) -> _Window:
        from vllm.model_executor.layers.linear import LinearBase
        from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead, VocabParallelEmbedding

        layer, part = self._find(name)
        layer = getattr(layer, "base_layer", layer)
        leaf = name.rsplit(".", 1)[1]
        if leaf == "weight" and isinstance(layer, (LinearBase, ParallelLMHead)):
            width = layer.embedding_dim if isinstance(layer, ParallelLMHead) else layer.input_size
            columns, positions = self._multiplied(layer, width, version)
        else:
            matrix = as_matrix(getattr(layer, leaf))
            chosen = sampled_columns(matrix.shape[1], version)
            columns, positions = matrix[:, chosen], list(range(len(chosen)))
        if isinstance(layer, VocabParallelEmbedding):  # a ParallelLMHead is one too
            held = layer.shard_indices
            rows = torch.arange(held.org_vocab_start_index, held.org_vocab_end_index)
            return _Window(values=columns[: len(rows)], rows=rows, positions=positions)
        if isinstance(layer, LinearBase):
            first, rows = _held_rows(layer, part)
            return _Window(values=columns[first : first + len(rows)], rows=rows, positions=positions)
        return _Window(values=columns, rows=torch.arange(len(columns)), positions=positions)

    def _multiplied(self, layer: Any, width: int, version: int) -> tuple[torch.Tensor, list[int]]:
        """Returns the compared columns of a layer's matrix that this shard holds, [rows, columns], and their positions
        among the compared ones. Fused weights of one layer share a multiplication."""
        if self._outputs is not None and self._outputs[0] is layer:
            return self._outputs[1]
        num_held = getattr(layer, "input_size_per_partition", width)
        first = layer.tp_rank * num_held if num_held < width else 0
        columns = sampled_columns(width, version)
        positions = [k for k, column in enumerate(columns) if first <= column < first + num_held]
        held = torch.tensor([columns[k] - first for k in positions], device=layer.weight.device)
        one_hot = torch.nn.functional.one_hot(held.long(), num_held).to(layer.weight.dtype)
        found = (layer.quant_method.apply(layer, one_hot, bias=None).T, positions)
        self._outputs = (layer, found)
        return found

    def _mapped(self, name: str) -> str:
        return self._mapper._map_name(name)

    def _find(self, name: str) -> tuple[Any, int | None]:
        """Returns the layer with a weight, and the index of the weight among those that vLLM fuses into the layer's
        matrix; None if the layer's matrix is the weight."""
        path = self._mapped(name).rsplit(".", 1)[0]
        if path in self._modules:
            return self._modules[path], None
        parent, leaf = path.rsplit(".", 1)
        fused, index = self._fused.get(leaf, (leaf, 0))
        if f"{parent}.{fused}" not in self._modules:
            raise RuntimeError(f"the engine's model has no weight {name}, so what it serves can't be checked")
        return self._modules[f"{parent}.{fused}"], index


def _held_rows(layer: Any, part: int | None) -> tuple[int, torch.Tensor]:
    """Returns the rows of a weight that this shard of a layer holds: the first row's index in the shard's matrix, and
    the indices of all rows in the whole weight.

    part: index of the weight among those that are fused into the matrix, None if the matrix is the weight. A vision
    layer's q, k and v are one weight, and each of the three is divided over the shards.
    """
    sizes = list(getattr(layer, "output_partition_sizes", None) or [layer.output_size])
    is_split_by_row = layer.tp_size > 1 and getattr(layer, "input_size_per_partition", 0) == layer.input_size
    starts, whole_start = [], 0
    for index, size in enumerate(sizes):
        # k and v heads that are fewer than the shards are held by several shards
        replicas = getattr(layer, "num_kv_head_replicas", 1) if index else 1
        shard = layer.tp_rank // replicas if is_split_by_row else 0
        starts.append(shard * size if part is not None else whole_start + shard * size)
        whole_start += size * layer.tp_size // replicas if is_split_by_row else size
    held = [torch.arange(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    return (0, torch.cat(held)) if part is None else (sum(sizes[:part]), held[part])


def _sharded(layer: Any, part: int | None, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns this shard's part of the factors A and B of a layer that is divided over several GPUs."""
    if part is None:
        return layer.slice_lora_a(a), layer.slice_lora_b(b)
    size, shard = layer.output_slices[part], layer.output_ids[part]
    return a, b[size * shard : size * (shard + 1)]
