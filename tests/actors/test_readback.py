"""Tests the reading of served weights on fakes of vLLM's layers: shards of tensor parallelism, slots of adapters. The
real engine is in `tests/actors/test_publish.py`."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from actors.readback import ServedModel, _held_rows
from actors.rollout_worker import remove_leftovers
from vaserl.policy.merge import LoraFactors

QKV = {"output_partition_sizes": [4, 2, 2], "input_size_per_partition": 8, "input_size": 8, "tp_size": 2}
"""q, k and v of 8, 4 and 4 rows on two shards: each has 4, 2 and 2."""


@pytest.mark.parametrize(
    ("layer", "part", "first", "rows"),
    [
        ({**QKV, "tp_rank": 0}, 0, 0, [0, 1, 2, 3]),
        ({**QKV, "tp_rank": 1}, 0, 0, [4, 5, 6, 7]),
        ({**QKV, "tp_rank": 1}, 1, 4, [2, 3]),
        ({**QKV, "tp_rank": 1}, 2, 6, [2, 3]),
        # one k head of 2 rows, which both shards hold
        ({**QKV, "tp_rank": 1, "num_kv_head_replicas": 2}, 1, 4, [0, 1]),
        # a vision layer's q, k and v are one weight of 16 rows: q 0-7, k 8-11, v 12-15
        ({**QKV, "tp_rank": 1}, None, 0, [4, 5, 6, 7, 10, 11, 14, 15]),
        ({**QKV, "tp_rank": 0, "tp_size": 1}, None, 0, [0, 1, 2, 3, 4, 5, 6, 7]),
        # divided by its inputs, so each shard has all rows
        (
            {"output_size": 3, "input_size_per_partition": 4, "input_size": 8, "tp_size": 2, "tp_rank": 1},
            None,
            0,
            [0, 1, 2],
        ),
    ],
)
def test_held_rows(layer: dict, part: int | None, first: int, rows: list[int]):
    found = _held_rows(SimpleNamespace(**layer), part)
    assert (found[0], found[1].tolist()) == (first, rows)


class FakeModel(torch.nn.Module):
    """A model with one layer in which k and v are fused, and room for two adapters of rank 4 in it."""

    packed_modules_mapping = {"kv_proj": ["k_proj", "v_proj"]}  # noqa: RUF012
    hf_to_vllm_mapper = SimpleNamespace(_map_name=lambda name: name.replace("model.", "served.", 1))

    def __init__(self):
        super().__init__()
        self.served = torch.nn.Module()
        self.served.kv_proj = torch.nn.Module()
        self.served.kv_proj.tp_size = 1
        self.served.kv_proj.lora_a_stacked = tuple(torch.zeros(2, 1, 4, 6, dtype=torch.bfloat16) for _ in range(2))
        self.served.kv_proj.lora_b_stacked = tuple(torch.zeros(2, 1, 3, 4, dtype=torch.bfloat16) for _ in range(2))


def served_model(slots: list[int | None]) -> tuple[ServedModel, FakeModel]:
    model = FakeModel()
    manager = SimpleNamespace(_adapter_manager=SimpleNamespace(lora_index_to_id=slots))
    runner = SimpleNamespace(get_model=lambda: model, lora_manager=manager)
    return ServedModel(SimpleNamespace(model_runner=runner)), model


def test_served_model_compares_the_adapter_in_the_slot_of_its_id():
    served, model = served_model([6, 7])
    k, v = (LoraFactors(a=torch.full((2, 6), x), b=torch.full((3, 2), x), scale=0.3) for x in (0.1, 0.2))
    factors = {"model.k_proj.weight": k, "model.v_proj.weight": v}
    for part, one in enumerate((k, v)):
        model.served.kv_proj.lora_a_stacked[part][1, 0, :2] = one.a.bfloat16()
        model.served.kv_proj.lora_b_stacked[part][1, 0, :, :2] = one.b.bfloat16() * 0.3
    assert served.differing_adapter(factors, 7) == ()
    assert served.differing_adapter(factors, 6) == ("model.k_proj.weight", "model.v_proj.weight")
    # vLLM never activated this adapter
    assert served.differing_adapter(factors, 8) == ("model.k_proj.weight", "model.v_proj.weight")
    # the next bfloat16 number, in one entry of B
    model.served.kv_proj.lora_b_stacked[1][1, 0, 2, 1] *= 1 + 1 / 128
    assert served.differing_adapter(factors, 7) == ("model.v_proj.weight",)


def test_served_model_has_no_vision_tower_when_the_engine_gets_features():
    served, _ = served_model([None])
    assert served.has("model.k_proj.weight")
    served._mapper = SimpleNamespace(_map_name=lambda name: name.replace("model.", "", 1))
    assert not served.has("model.visual.blocks.0.attn.qkv.weight")


def test_served_model_names_a_weight_that_it_cant_find():
    served, _ = served_model([None])
    with pytest.raises(RuntimeError, match=r"the engine's model has no weight model\.q_proj\.weight"):
        served._find("model.q_proj.weight")


def test_remove_leftovers_removes_old_folders_only(tmp_path: Path):
    for name in ("vaserl-weights-old", "vaserl-weights-new", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter.bin").touch()
    two_hours_ago = time.time() - 7200
    for name in ("vaserl-weights-old", "other"):
        os.utime(tmp_path / name, (two_hours_ago, two_hours_ago))
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"vaserl-weights-new", "other"}
