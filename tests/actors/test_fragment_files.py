"""Tests of the files of a training state without DeepSpeed: one flat tensor, divided among ranks as ZeRO does."""

import random

import numpy as np
import pytest
import torch

from actors.fragments import Fragment
from actors.rank_state import (
    read_state,
    rng_tensors,
    set_rng,
    state_file,
    state_tensors,
    write_masters,
    write_moments,
)
from vaserl.errors import DamagedCheckpointError, UserError
from vaserl.policy.tensor_file import TensorFile, read_tensors

SHAPES = {"a": (3, 4), "b": (5,)}  # flattened one after the other: a in 0 to 11, b in 12 to 16, padding in 17
NUM_ELEMENTS = 18


class Files:
    """A checkpoint in memory."""

    def __init__(self, files: dict[str, bytes]):
        self.files = files
        self.num_reads = 0

    def read(self, name: str) -> bytes:
        self.num_reads += 1
        return self.files[name]

    def changed(self, file: str, **tensors: torch.Tensor | None) -> "Files":
        """Returns the checkpoint with tensors of one file replaced, or removed where the value is None."""
        found = read_tensors(self.files[file]) | {name.replace("__", "/"): value for name, value in tensors.items()}
        kept = {name: value for name, value in found.items() if value is not None}
        return Files({**self.files, file: TensorFile().fill(kept).tobytes()})


class FlatRank:
    """The part of the flat tensor that rank `rank` of `num_ranks` updates, with its AdamW."""

    def __init__(self, rank: int, num_ranks: int, fill: float = 0.0):
        self.rank, self.num_ranks = rank, num_ranks
        size = NUM_ELEMENTS // num_ranks
        begin = rank * size
        self.flat = torch.full((size,), fill, requires_grad=True)
        self.optimizer = torch.optim.AdamW([self.flat], lr=0.1)
        self.fragments = []
        for name, start, num_elements in (("a", 0, 12), ("b", 12, 5)):
            low, high = max(start, begin), min(start + num_elements, begin + size)
            if low < high:
                place = {"first": low - start, "num_elements": high - low, "start": low - begin}
                self.fragments.append(Fragment(parameter=name, shape=SHAPES[name], updated=self.flat, **place))

    def train(self, num_steps: int) -> None:
        for step in range(num_steps):
            size = len(self.flat)
            self.flat.grad = torch.sin(torch.arange(self.rank * size, (self.rank + 1) * size) * (step + 1.0))
            self.optimizer.step()

    def file(self) -> bytes:
        return TensorFile().fill(state_tensors(self.fragments, self.optimizer, SHAPES)).tobytes()

    def restore(self, files: Files) -> None:
        state = read_state(files, self.fragments, SHAPES, rank=self.rank, num_ranks=self.num_ranks)
        write_masters(state)
        write_moments(state, self.optimizer)
        set_rng(state.rng)


def ranks_of(num_ranks: int, num_steps: int = 0) -> list[FlatRank]:
    ranks = [FlatRank(rank, num_ranks) for rank in range(num_ranks)]
    for rank in ranks:
        rank.train(num_steps)
    return ranks


def checkpoint(num_ranks: int, num_steps: int) -> Files:
    ranks = ranks_of(num_ranks, num_steps)
    return Files({state_file(rank.rank, num_ranks): rank.file() for rank in ranks})


def whole(ranks: list[FlatRank]) -> torch.Tensor:
    """Returns the parameters' elements, without the padding, which belongs to no fragment."""
    return torch.cat([rank.flat.detach() for rank in ranks])[:17]


@pytest.mark.parametrize(("written", "read"), [(1, 1), (2, 2), (1, 2), (2, 1), (2, 3), (3, 2), (3, 9)])
def test_ranks_continue_to_the_bit_whatever_the_number_of_ranks(written: int, read: int):
    files, ranks = checkpoint(written, 3), ranks_of(read)
    uninterrupted = ranks_of(read, 3)
    for rank in ranks:
        rank.restore(files)
    assert torch.equal(whole(ranks), whole(uninterrupted))
    for rank in [*ranks, *uninterrupted]:
        rank.train(2)
    assert torch.equal(whole(ranks), whole(uninterrupted))


def test_read_state_reads_only_the_rank_s_own_file_if_the_number_is_unchanged():
    files = checkpoint(3, 1)
    rank = FlatRank(1, 3)
    state = read_state(files, rank.fragments, SHAPES, rank=1, num_ranks=3)
    assert files.num_reads == 1
    assert state.rng


def test_moments_can_be_taken_without_the_masters():
    (written,), (rank,) = ranks_of(1, 3), [FlatRank(0, 1, fill=7.0)]
    files = Files({state_file(0, 1): written.file()})
    write_moments(read_state(files, rank.fragments, SHAPES, rank=0, num_ranks=1), rank.optimizer)
    assert torch.equal(rank.flat.detach(), torch.full((18,), 7.0))
    state, expected = rank.optimizer.state[rank.flat], written.optimizer.state[written.flat]
    assert {name: value.flatten()[:17].tolist() for name, value in state.items()} == {
        name: value.flatten()[:17].tolist() for name, value in expected.items()
    }


def test_restore_of_step_0_leaves_the_moments_empty():
    (rank,) = ranks_of(1, 2)
    rank.restore(checkpoint(1, 0))
    assert not rank.optimizer.state.get(rank.flat)
    assert torch.equal(whole([rank]), torch.zeros(17))


FILE = "state-00001-of-00002.safetensors"  # has a from 9 on and b: elements 9 to 16 of 17
THREE, FIVE = torch.zeros(3), torch.zeros(5)
DAMAGE = {
    "gap": (
        {"master__a@9": None, "exp_avg__a@9": None, "exp_avg_sq__a@9": None, "step__a@9": None},
        r"state-00000-of-00002.safetensors … state-00001-of-00002.safetensors: elements 9 to 11 of the parameter a are "
        "missing",
    ),
    "overlap": (
        {"master__a@2": THREE, "exp_avg__a@2": THREE, "exp_avg_sq__a@2": THREE, "step__a@2": torch.tensor([3])},
        rf"{FILE}: elements 2 to 4 of the parameter a are in state-00000-of-00002.safetensors too",
    ),
    "no master": ({"master__b@0": None}, rf"{FILE}: [a-z_]+/b@0 has no master/b@0"),
    "moment missing": ({"exp_avg__b@0": None}, rf"{FILE}: b@0 lacks a moment or its number of updates"),
    "step missing": ({"step__b@0": None}, rf"{FILE}: b@0 lacks a moment or its number of updates"),
    "moment's shape": ({"exp_avg__b@0": THREE}, rf"{FILE}: exp_avg/b@0 has the shape \[3\], which does not fit"),
    "too long": (
        {f"{kind}__b@0": torch.zeros(6) for kind in ("master", "exp_avg", "exp_avg_sq")},
        rf"{FILE}: master/b@0 has the shape \[6\], which does not fit master/b@0 or the parameter's 5 elements",
    ),
    "type": ({"master__b@0": FIVE.to(torch.bfloat16)}, rf"{FILE}: master/b@0 has the type torch.bfloat16"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_read_state_names_file_and_parameter_of_damage_and_changes_nothing(damage: str):
    tensors, message = DAMAGE[damage]
    rank = FlatRank(0, 1, fill=7.0)
    with pytest.raises(DamagedCheckpointError, match=message):
        rank.restore(checkpoint(2, 3).changed(FILE, **tensors))
    assert torch.equal(rank.flat.detach(), torch.full((18,), 7.0))
    assert not rank.optimizer.state


OTHER = {
    "unknown": ({"shape__c": torch.tensor([2])}, {}, "the parameter c is not trained by this learner"),
    "unknown piece": ({"master__c@0": FIVE}, {}, "the parameter c is not trained by this learner"),
    "missing": ({"shape__b": None}, {}, "the parameter b, which this learner trains, is missing"),
    "shape": ({}, {"a": (4, 3)}, r"the parameter a has the shape \[3, 4\], but in this learner \[4, 3\]"),
}


@pytest.mark.parametrize("case", OTHER)
def test_read_state_refuses_the_state_of_another_learner(case: str):
    tensors, shapes, message = OTHER[case]
    rank = FlatRank(1, 2)
    files = checkpoint(2, 3).changed(FILE, **tensors)
    with pytest.raises(UserError, match=rf"{FILE}: {message}.*learner\.lora"):
        read_state(files, rank.fragments, SHAPES | shapes, rank=1, num_ranks=2)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "state-00000-of-00001.safetensors: missing; the checkpoint has no training state"),
        (["state-00001-of-00002.safetensors"], "state-00000-of-00001.safetensors: missing"),
        (["state-00000-of-00001.safetensors", "state-00000-of-00002.safetensors"], "state-00001-of-00002.* missing"),
    ],
)
def test_read_state_needs_the_files_of_all_ranks(names: list[str], message: str):
    with pytest.raises(DamagedCheckpointError, match=message):
        read_state(Files(dict.fromkeys(names, b"")), [], SHAPES, rank=0, num_ranks=1)


def test_read_state_refuses_unequal_numbers_of_updates_in_one_tensor():
    """Plain AdamW (stage 0) counts the updates of each parameter, ZeRO those of a flat tensor."""
    with pytest.raises(UserError, match="parameter b was updated 2 times, but others 2 or 3 times"):
        FlatRank(0, 1).restore(checkpoint(2, 3).changed(FILE, **{"step__b@0": torch.tensor([2])}))


def test_state_tensors_refuse_another_optimizer():
    rank = FlatRank(0, 1)
    rank.optimizer = torch.optim.SGD([rank.flat], lr=0.1, momentum=0.9)
    rank.train(1)
    with pytest.raises(UserError, match="AdamW only, but the optimizer of a keeps"):
        rank.file()


def test_restored_random_numbers_continue():
    rank = FlatRank(0, 1)
    files = Files({state_file(0, 1): rank.file()})

    def drawn() -> tuple[object, ...]:
        return (
            torch.rand(3).tolist(),
            np.random.rand(3).tolist(),
            np.random.randn(),
            random.random(),
            random.gauss(0, 1),
        )

    np.random.randn(), random.gauss(0, 1)  # both keep the second number of a pair
    files = Files({state_file(0, 1): rank.file()})
    expected = drawn()
    drawn()
    rank.restore(files)
    assert drawn() == expected
    assert not {"rng/cuda"} & set(rng_tensors()) or torch.cuda.is_available()
