"""The training state of one learner rank as a safetensors file of fragments, which any number of ranks can read.

| tensor | content |
|---|---|
| `shape/<parameter>` | shape of the whole parameter, int64 |
| `master/<parameter>@<first>` | piece of the flattened float32 master that begins at element `<first>` |
| `exp_avg/…@<first>`, `exp_avg_sq/…@<first>` | AdamW's two moments of the same piece; absent before the first update |
| `step/…@<first>` | number of updates of the piece, [1] int64; absent before the first update |
| `rng/torch`, `rng/cuda`, `rng/numpy…`, `rng/python…` | states of this rank's random number generators |

The model's own parameters are not stored: they are the masters, rounded. Gradients are not either: a state is taken
between two steps.
"""

import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch

from actors.fragments import Fragment
from vaserl.errors import DamagedCheckpointError, UserError
from vaserl.policy.tensor_file import read_tensors

MOMENTS = ("exp_avg", "exp_avg_sq")
_STATE_FILE = re.compile(r"state-(\d{5,})-of-(\d{5,})\.safetensors")

_SETTINGS = (
    "Use the settings of the run that wrote the checkpoint (model.path, learner.method, learner.train_vision, "
    "learner.lora)"
)
Shapes = Mapping[str, tuple[int, ...]]
"""Shape of each trained parameter, by name."""


class ReadableFiles(Protocol):
    """The files of a checkpoint."""

    @property
    def files(self) -> Mapping[str, object]:
        """The names of the checkpoint's files, as the keys of a mapping."""
        ...

    def read(self, name: str) -> bytes:
        """Returns the content of a file. Raises: UserError when its digest is not that of the manifest."""
        ...


def state_file(rank: int, num_ranks: int) -> str:
    """Returns the name of a rank's file: `state_file(1, 4)` is `state-00001-of-00004.safetensors`."""
    return f"state-{rank:05d}-of-{num_ranks:05d}.safetensors"


def state_tensors(
    fragments: Sequence[Fragment], optimizer: torch.optim.Optimizer, shapes: Shapes
) -> dict[str, torch.Tensor]:
    """Returns the tensors of a rank's file, without copying the pieces: they are views of the optimizer's memory.

    fragments: fragments that the file is to contain.

    Raises: UserError for an optimizer that keeps other tensors than AdamW's two moments.
    """
    tensors = {f"shape/{name}": torch.tensor(shape, dtype=torch.int64) for name, shape in shapes.items()}
    for fragment in fragments:
        place = f"{fragment.parameter}@{fragment.first}"
        tensors[f"master/{place}"] = fragment.of(fragment.updated)
        state = optimizer.state.get(fragment.updated)
        if not state:
            continue
        if set(state) != {"step", *MOMENTS}:
            raise UserError(
                f"checkpoints support AdamW only, but the optimizer of {fragment.parameter} keeps {sorted(state)}"
            )
        for moment in MOMENTS:
            tensors[f"{moment}/{place}"] = fragment.of(state[moment])
        tensors[f"step/{place}"] = torch.tensor([int(state["step"])])
    return tensors | rng_tensors()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """A piece of a parameter in a file."""

    first: int
    values: dict[str, torch.Tensor]
    step: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RestoredPiece:
    """The values of one fragment, gathered from files that may divide the parameter otherwise."""

    fragment: Fragment
    values: dict[str, torch.Tensor] = field(default_factory=dict)
    """[num_elements] float32, by kind: "master" and, unless the parameter was never updated, the two moments."""
    sources: list[tuple[int, int, str]] = field(default_factory=list)
    """(first element, end, file) of every part of `values`; elements are counted in the flattened parameter."""
    steps: set[int] = field(default_factory=set)
    """Numbers of updates of the parts; 0 for a part without moments."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RestoredState:
    """A rank's training state, read and checked but not yet used."""

    pieces: tuple[RestoredPiece, ...]
    rng: dict[str, torch.Tensor]
    """Tensors of the random number generators; empty if the checkpoint is of another number of ranks."""


def read_state(
    checkpoint: ReadableFiles, fragments: Sequence[Fragment], shapes: Shapes, *, rank: int, num_ranks: int
) -> RestoredState:
    """Reads the values of these fragments from a checkpoint, and changes nothing.

    Reads no more files than necessary, beginning with those that lie nearest to this rank's share: at an unchanged
    number of ranks, a rank reads only its own file (at stage 0 also that of rank 0).

    shapes: shape of each trained parameter of the learner.

    Raises: UserError when the files are of another learner, DamagedCheckpointError when they are damaged or incomplete;
    both name the file and the parameter.
    """
    names = _state_files(checkpoint)
    pieces = [RestoredPiece(fragment=fragment) for fragment in fragments]
    rng: dict[str, torch.Tensor] = {}
    nearest = rank * len(names) // num_ranks
    for index in sorted(range(len(names)), key=lambda index: (abs(index - nearest), index)):
        stored = read_tensors(checkpoint.read(names[index]))
        if index == rank and len(names) == num_ranks:
            rng = {name: tensor.clone() for name, tensor in stored.items() if name.startswith("rng/")}
        parts = _parts(stored, shapes, names[index])
        for piece in pieces:
            _fill(piece, parts.get(piece.fragment.parameter, ()), names[index])
        if not any(_gaps(piece) for piece in pieces):
            break
    for piece in pieces:
        for first, end in _gaps(piece):
            raise DamagedCheckpointError(
                names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}",
                f"elements {first} to {end - 1} of the parameter {piece.fragment.parameter} are missing",
            )
    _check_steps(pieces, names[nearest])
    return RestoredState(pieces=tuple(pieces), rng=rng)


@torch.no_grad()
def write_masters(state: RestoredState) -> None:
    """Writes the masters that `read_state` read.

    Afterwards the model's own parameters are out of date: `actors.fragments.refresh_parameters` sets them.
    """
    for piece in state.pieces:
        piece.fragment.of(piece.fragment.updated).copy_(piece.values["master"])


@torch.no_grad()
def write_moments(state: RestoredState, optimizer: torch.optim.Optimizer) -> None:
    """Writes the moments and numbers of updates that `read_state` read; the optimizer's own are dropped."""
    for piece in state.pieces:
        optimizer.state.pop(piece.fragment.updated, None)
    for piece in state.pieces:
        fragment = piece.fragment
        (step,) = piece.steps
        if step == 0:
            continue
        kept = optimizer.state[fragment.updated]
        if not kept:
            on_device = optimizer.defaults["fused"] or optimizer.defaults["capturable"]
            kept["step"] = torch.tensor(float(step), device=fragment.updated.device if on_device else "cpu")
            kept.update({moment: torch.zeros_like(fragment.updated) for moment in MOMENTS})
        for moment in MOMENTS:
            fragment.of(kept[moment]).copy_(piece.values[moment])


def rng_tensors() -> dict[str, torch.Tensor]:
    """Returns the states of this process's random number generators: torch's on CPU and the current GPU, numpy's and
    Python's."""
    numpy_state: Any = np.random.get_state()
    _, keys, position, has_gauss, gauss = numpy_state
    _, words, python_gauss = random.getstate()
    tensors = {
        "rng/torch": torch.get_rng_state(),
        "rng/numpy": torch.tensor([*keys.tolist(), position, has_gauss]),
        "rng/numpy_gauss": torch.tensor([gauss], dtype=torch.float64),
        "rng/python": torch.tensor([*words, python_gauss is not None]),
        "rng/python_gauss": torch.tensor([python_gauss or 0.0], dtype=torch.float64),
    }
    if torch.cuda.is_available():
        tensors["rng/cuda"] = torch.cuda.get_rng_state()
    return tensors


def set_rng(tensors: Mapping[str, torch.Tensor]) -> None:
    """Sets the random number generators to states that `rng_tensors` returned; does nothing if there are none."""
    if not tensors:
        return
    torch.set_rng_state(tensors["rng/torch"])
    *keys, position, has_gauss = tensors["rng/numpy"].tolist()
    gauss = float(tensors["rng/numpy_gauss"])
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), position, has_gauss, gauss))
    *words, has_gauss = tensors["rng/python"].tolist()
    random.setstate((3, tuple(words), float(tensors["rng/python_gauss"]) if has_gauss else None))
    if torch.cuda.is_available() and "rng/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["rng/cuda"])


def _state_files(checkpoint: ReadableFiles) -> list[str]:
    """Returns the names of the ranks' files, in the order of the ranks."""
    names = sorted(name for name in checkpoint.files if _STATE_FILE.fullmatch(name))
    expected = [state_file(rank, len(names)) for rank in range(len(names))]
    if not names or names != expected:
        wanted = next((name for name in expected if name not in names), state_file(0, 1))
        raise DamagedCheckpointError(wanted, f"missing; the checkpoint has {', '.join(names) or 'no training state'}")
    return names


def _parts(stored: Mapping[str, torch.Tensor], shapes: Shapes, file: str) -> dict[str, list[_Part]]:
    """Returns the pieces of each parameter that a file contains, by the parameter's name.

    Raises: UserError if the file is of a learner that trains other parameters, DamagedCheckpointError if its tensors
    do not fit each other.
    """
    _check_shapes(stored, shapes, file)
    parts: dict[str, list[_Part]] = {}
    for name in stored:
        kind, _, place = name.partition("/")
        if kind in ("master", *MOMENTS, "step") and f"master/{place}" not in stored:
            raise DamagedCheckpointError(file, f"{name} has no master/{place}")
        if kind != "master":
            continue
        parameter, _, first = place.rpartition("@")
        if parameter not in shapes:
            raise UserError(f"{file}: the parameter {parameter} is not trained by this learner. {_SETTINGS}")
        values = {key: stored[f"{key}/{place}"] for key in ("master", *MOMENTS) if f"{key}/{place}" in stored}
        step = int(stored.get(f"step/{place}", torch.zeros(1)))
        if len(values) != (1 + len(MOMENTS) if step else 1):
            raise DamagedCheckpointError(file, f"{place} lacks a moment or its number of updates")
        size, num_elements = stored[name].numel(), math.prod(shapes[parameter])
        for key, value in values.items():
            if value.dtype != torch.float32:
                raise DamagedCheckpointError(file, f"{key}/{place} has the type {value.dtype}, not torch.float32")
            if value.shape != (size,) or int(first) + size > num_elements:
                raise DamagedCheckpointError(
                    file,
                    f"{key}/{place} has the shape {list(value.shape)}, which does not fit master/{place} or the "
                    f"parameter's {num_elements} elements",
                )
        parts.setdefault(parameter, []).append(_Part(first=int(first), values=values, step=step))
    return parts


def _check_shapes(stored: Mapping[str, torch.Tensor], shapes: Shapes, file: str) -> None:
    """Raises UserError if the file is of a learner that trains other parameters."""
    found = {name.removeprefix("shape/"): tuple(t.tolist()) for name, t in stored.items() if name.startswith("shape/")}
    for name, shape in found.items():
        if name not in shapes:
            raise UserError(f"{file}: the parameter {name} is not trained by this learner. {_SETTINGS}")
        if shape != tuple(shapes[name]):
            raise UserError(
                f"{file}: the parameter {name} has the shape {list(shape)}, but in this learner {list(shapes[name])}. "
                f"{_SETTINGS}"
            )
    for name in shapes:
        if name not in found:
            raise UserError(f"{file}: the parameter {name}, which this learner trains, is missing. {_SETTINGS}")


def _fill(piece: RestoredPiece, parts: Sequence[_Part], file: str) -> None:
    """Copies those elements of a fragment that a file's parts of the same parameter contain."""
    fragment = piece.fragment
    start, end = fragment.first, fragment.first + fragment.num_elements
    for part in parts:
        low, high = max(part.first, start), min(part.first + len(part.values["master"]), end)
        if low >= high:
            continue
        for other_low, other_high, other in piece.sources:
            if low < other_high and other_low < high:
                raise DamagedCheckpointError(
                    file,
                    f"elements {max(low, other_low)} to {min(high, other_high) - 1} of the parameter "
                    f"{fragment.parameter} are in {other} too",
                )
        piece.sources.append((low, high, file))
        piece.steps.add(part.step)
        for kind, value in part.values.items():
            whole = piece.values.setdefault(kind, torch.empty(end - start))
            whole[low - start : high - start] = value[low - part.first : high - part.first]


def _gaps(piece: RestoredPiece) -> list[tuple[int, int]]:
    """Returns (first, end) of those ranges of the fragment's elements that no file contained so far."""
    gaps, position = [], piece.fragment.first
    end = position + piece.fragment.num_elements
    for low, high, _ in [*sorted(piece.sources), (end, end, "")]:
        if low > position:
            gaps.append((position, low))
        position = max(position, high)
    return gaps


def _check_steps(pieces: Sequence[RestoredPiece], file: str) -> None:
    """Raises UserError unless all parameters that are updated as one tensor have the same number of updates."""
    steps: dict[int, set[int]] = {}
    for piece in pieces:
        found = steps.setdefault(id(piece.fragment.updated), set())
        found |= piece.steps
        if len(found) > 1:
            raise UserError(
                f"{file}: the parameter {piece.fragment.parameter} was updated {max(piece.steps)} times, but others "
                f"{min(found)} or {max(found)} times; DeepSpeed updates them as one tensor. Restore at the ZeRO stage "
                "of the run that wrote the checkpoint"
            )
