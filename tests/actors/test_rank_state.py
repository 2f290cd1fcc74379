"""Tests that a learner continues from a copied training state exactly as the run that wrote it: on DeepSpeed's own
optimizers, on CPU."""

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from actors.learner import LearnerGroup
from actors.placement import placed
from vaserl.dataset import DataSet
from vaserl.planning.requests import actor_request
from vaserl.policy.tensor_file import read_tensors
from vaserl.runs.checkpoint.manifest import StoredFile
from vaserl.settings import CAPTION_PROMPT, ClusterSettings, DataSettings, LearnerSettings, ModelSettings, StartSettings
from vaserl.types import Demonstration

NUM_FRAMES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCheckpoint:
    """Files of a folder, with the digests that `write_snapshot` returned."""

    folder: Path
    files: Mapping[str, StoredFile]

    def read(self, name: str) -> bytes:
        content = (self.folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == self.files[name].sha256
        assert len(content) == self.files[name].num_bytes
        return content


@pytest.fixture(scope="module")
def demonstrations(dataset: Path) -> list[Demonstration]:
    return [
        Demonstration(clip=vase.clip, rotation=0, shift=(0, 0), turns=((CAPTION_PROMPT, vase.caption),))
        for vase in DataSet(dataset).vases("train")[:3]
    ]


def settings_of(stage: int, num_ranks: int, **changes: Any) -> LearnerSettings:
    """Returns settings with everything that a restored run must continue: clipping, decay, a falling rate."""
    changes = {"deepspeed": {"zero_optimization": {"stage": stage}}, **changes}
    return LearnerSettings(
        **{
            "method": "full",
            "train_vision": True,
            "num_ranks": num_ranks,
            "num_cpus": 0.5,
            "learning_rate": 1e-2,
            "schedule": "cosine",
            "warmup_steps": 1,
            "weight_decay": 0.1,
            "max_grad_norm": 1.0,
        }
        | changes
    )


@contextmanager
def started(
    model: Path, dataset: Path, settings: LearnerSettings, dtype: str = "float32", *, start: StartSettings | None = None
) -> Iterator[LearnerGroup]:
    """Starts the ranks of a learner, and stops them at the end of the block."""
    with placed({"learner": actor_request(settings)}, ClusterSettings()) as place:
        group = LearnerGroup(
            ModelSettings(path=model, dtype=dtype),
            DataSettings(path=dataset, num_frames=NUM_FRAMES),
            settings,
            place["learner"],
            seed=0,
            num_steps=4,
            start=start,
        )
        group.wait_until_ready()
        yield group


def steps(group: LearnerGroup, demonstrations: list[Demonstration], *numbers: int) -> list[dict[str, float]]:
    return [dict(group.imitate(number, demonstrations).metrics) for number in numbers]


def content(group: LearnerGroup) -> dict[str, bytes]:
    return {name: bytes(file) for name, file in group.weights(5).files.items()}


def interrupted(group: LearnerGroup, demonstrations, folder: Path) -> tuple[FolderCheckpoint, list, dict[str, bytes]]:
    """Trains four steps, and writes the state after the second one while the third runs.

    Returns: the checkpoint, the metrics of the steps 3 and 4, and the weights after step 4."""
    steps(group, demonstrations, 1, 2)
    group.snapshot()
    written: dict[str, StoredFile] = {}
    writer = threading.Thread(target=lambda: written.update(group.write_snapshot(str(folder))))
    writer.start()
    metrics = steps(group, demonstrations, 3, 4)
    writer.join()
    return FolderCheckpoint(folder=folder, files=written), metrics, content(group)


def mean_gap(files: dict[str, bytes], others: dict[str, bytes]) -> float:
    """Returns the mean absolute difference of the weights in two versions of a model's or adapter's files."""
    (name,) = (name for name in files if name.endswith(".safetensors"))
    tensors, more = read_tensors(files[name]), read_tensors(others[name])
    gaps = torch.cat([(tensor.float() - more[key].float()).abs().flatten() for key, tensor in tensors.items()])
    return float(gaps.mean())


MATRIX = [
    pytest.param(
        stage,
        dtype,
        num_ranks,
        marks=[] if (stage, dtype) in ((2, "float32"), (3, "bfloat16")) and num_ranks == 2 else [pytest.mark.slow],
        id=f"zero{stage}-{dtype}-{num_ranks}",
    )
    for stage in range(4)
    for dtype in ("float32", "bfloat16")
    for num_ranks in (1, 2)
]


@pytest.mark.parametrize(("stage", "dtype", "num_ranks"), MATRIX)
def test_restored_learner_continues_to_the_bit(
    cluster, tiny_model, dataset, demonstrations, tmp_path, stage, dtype, num_ranks
):
    metrics = continued(tiny_model, dataset, settings_of(stage, num_ranks), dtype, demonstrations, tmp_path)
    if (stage, dtype) != (0, "float32"):  # DeepSpeed reports no norm there
        assert metrics[0]["grad_norm"] > 1.0  # clipped
    assert metrics[0]["learning_rate"] > metrics[1]["learning_rate"]


ON_CPU = {"device": "cpu"}
OPTIONS = {
    "lora": {"method": "lora", "train_vision": False, "deepspeed": {"zero_optimization": {"stage": 2}}},
    # BF16_Optimizer, with gradients of float32
    "gradients": {"deepspeed": {"zero_optimization": {"stage": 1}, "data_types": {"grad_accum_dtype": "fp32"}}},
    # torch's AdamW instead of DeepSpeed's, which would have to be compiled
    "offload": {
        "deepspeed": {
            "zero_optimization": {"stage": 2, "offload_optimizer": ON_CPU},
            "zero_force_ds_cpu_optimizer": False,
        }
    },
    # several flat tensors for each group of parameters
    "sub-groups": {
        "deepspeed": {
            "zero_optimization": {
                "stage": 3,
                "sub_group_size": 20_000,
                "stage3_param_persistence_threshold": 100,
                "offload_param": ON_CPU,
                "offload_optimizer": ON_CPU,
            },
            "zero_force_ds_cpu_optimizer": False,
        }
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("option", OPTIONS)
def test_restored_learner_continues_to_the_bit_with_options(
    cluster, tiny_model, dataset, demonstrations, tmp_path, option
):
    continued(tiny_model, dataset, settings_of(0, 2, **OPTIONS[option]), "bfloat16", demonstrations, tmp_path)


def continued(model: Path, dataset: Path, settings: LearnerSettings, dtype: str, demonstrations, folder: Path) -> list:
    """Compares a run of four steps with one that is restored after the second step. Returns: the metrics of the steps 3
    and 4."""
    with started(model, dataset, settings, dtype) as group:
        checkpoint, metrics, weights = interrupted(group, demonstrations, folder)
    ranks = settings.num_ranks
    assert sorted(checkpoint.files) == [f"state-{rank:05d}-of-{ranks:05d}.safetensors" for rank in range(ranks)]
    with started(model, dataset, settings, dtype) as group:
        assert content(group) != weights
        group.restore(checkpoint)
        assert steps(group, demonstrations, 3, 4) == metrics
        assert content(group) == weights
    return metrics


RESHARDS = [
    ("float32", (1, 1), (2, 2)),
    ("float32", (2, 2), (2, 1)),
    ("float32", (2, 2), (3, 2)),
    ("bfloat16", (1, 2), (2, 2)),
    ("bfloat16", (2, 2), (3, 1)),
    ("bfloat16", (3, 2), (0, 1)),
    ("float32", (0, 2), (3, 2)),
]


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "written", "read"), RESHARDS)
def test_restored_learner_continues_at_another_stage_and_number_of_ranks(
    cluster, tiny_model, dataset, demonstrations, tmp_path, dtype, written, read
):
    """Sums over ranks are rounded differently, and AdamW's early steps are lr x sign(gradient): where a gradient is
    rounding noise, so is its sign. Therefore the mean difference is compared, with that which two steps made."""
    with started(tiny_model, dataset, settings_of(*written), dtype) as group:
        before = content(group)
        checkpoint, metrics, weights = interrupted(group, demonstrations, tmp_path)
    with started(tiny_model, dataset, settings_of(*read), dtype) as group:
        group.restore(checkpoint)
        after = steps(group, demonstrations, 3, 4)
        restored = content(group)
    tolerance = 1e-5 if dtype == "float32" else 1e-2
    for name in ("loss", "grad_norm"):
        assert [m[name] for m in after] == pytest.approx([m[name] for m in metrics], rel=tolerance)
    assert mean_gap(restored, weights) < (1e-3 if dtype == "float32" else 2e-2) * mean_gap(weights, before)
