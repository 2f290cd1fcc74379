"""Tests the learner for each stage of ZeRO and each precision, on ranks that are started once.

A step whose loss or gradient is NaN or infinite is not applied and leaves no trace in the optimizer: the steps around
it give the same weights, to the bit, as without it. A model with tied embeddings is trained and saved."""

import dataclasses
import math
from pathlib import Path

import pytest
import ray
import torch

from actors.learner import LearnerGroup, _Rank
from actors.placement import placed
from tests.actors.test_learner import NUM_FRAMES, grpo_batch, learner_settings
from vaserl.dataset import DataSet
from vaserl.planning.requests import actor_request
from vaserl.policy.fingerprint import mean_gap, probe_layout
from vaserl.policy.pixel_cache import PixelCache
from vaserl.policy.policy import Policy, load_model
from vaserl.policy.prompter import Prompter
from vaserl.policy.tensor_file import read_tensors
from vaserl.settings import CAPTION_PROMPT, ClusterSettings, DataSettings, LoraSettings, LossSettings, ModelSettings
from vaserl.types import Batch, Demonstration, Update

LOSS = LossSettings(variant="dr_grpo", token_budget=9)
BEYOND_FLOAT32 = 1e39
"""The largest float32 is 3.4e38."""
IN_FAST_TESTS = {(0, "float32"), (1, "bfloat16"), (3, "float32")}
STAGES = [
    pytest.param(
        {"zero_optimization": {"stage": stage}},
        dtype,
        id=f"zero{stage}-{dtype}",
        marks=() if (stage, dtype) in IN_FAST_TESTS else pytest.mark.slow,
    )
    for stage in (0, 1, 2, 3)
    for dtype in ("float32", "bfloat16")
]
OPTIONS = [
    pytest.param(
        {"zero_optimization": {"stage": 1}, "data_types": {"grad_accum_dtype": "fp32"}},
        "bfloat16",
        id="zero1-float32-accumulation",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        {
            "zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}},
            "zero_force_ds_cpu_optimizer": False,
        },
        "bfloat16",
        id="zero2-offload",
        marks=pytest.mark.slow,
    ),
]


class RestartingRank(_Rank):
    """A rank whose model and optimizer can be built anew, with other settings, in the same process: loading torch and
    DeepSpeed takes longer than all steps of these tests."""

    def restart(self, model: ModelSettings, data: DataSettings, learner, address: str, port: int) -> None:
        self.__init__(model, data, learner, rank=self._rank, seed=0, num_steps=9)  # pyright: ignore
        self.join(address, port)
        self._factor = 1.0
        parameter = next(p for p in self._policy.parameters() if p.requires_grad)
        parameter.register_hook(lambda gradient: gradient * self._factor)

    def spoil_weights(self) -> None:
        """Sets the trained parameters to NaN."""
        for parameter in self._policy.parameters():
            if parameter.requires_grad:
                parameter.data.fill_(math.nan)

    def multiply_gradient(self, factor: float) -> None:
        """Multiplies one gradient by `factor` from now on."""
        self._factor = factor


@pytest.fixture(scope="module")
def batch(tiny_model: Path, dataset: Path) -> Batch:
    prompter = Prompter(tiny_model)
    return grpo_batch(dataset, prompter, PixelCache(DataSet(dataset).clips, prompter, NUM_FRAMES))


def with_last_advantage(batch: Batch, advantage: float) -> Batch:
    """Returns the batch with another advantage for one of the five completions."""
    *others, last = batch.groups
    samples = (dataclasses.replace(last.samples[0], advantage=advantage), *last.samples[1:])
    return dataclasses.replace(batch, groups=(*others, dataclasses.replace(last, samples=samples)))


class Ranks:
    """The ranks of a learner, restarted for each stage of ZeRO and each precision."""

    def __init__(self, group: LearnerGroup, model: Path, data: Path):
        self.group, self._model, self._data = group, model, DataSettings(path=data, num_frames=NUM_FRAMES)
        self._meeting = group.meeting_point()

    def restart(self, dtype: str, model_folder: Path | None = None, **changes) -> None:
        settings = learner_settings(num_ranks=len(self.group._pool.actors), **changes)
        model = ModelSettings.model_validate({"path": model_folder or self._model, "dtype": dtype})
        ray.get([rank.restart.remote(model, self._data, settings, *self._meeting) for rank in self.group._pool.actors])

    def learn(self, batches: list[Batch]) -> tuple[list[Update], str]:
        """Returns the updates of the steps, and the digest of the weights after the last one."""
        return [self.group.learn(batch, LOSS, 0.9) for batch in batches], self.group.weights(1).digest

    def learn_with_gradient(self, batch: Batch, factor: float) -> Update:
        """Takes a step in which the last rank multiplies one gradient by `factor`."""
        last = self.group._pool.actors[-1]
        ray.get(last.multiply_gradient.remote(factor))
        update = self.group.learn(batch, LOSS, 0.9)
        ray.get(last.multiply_gradient.remote(1.0))
        return update


@pytest.fixture(
    scope="module", params=[pytest.param(1, id="1-rank", marks=pytest.mark.slow), pytest.param(2, id="2-ranks")]
)
def ranks(request, cluster, tiny_model, dataset):
    settings = learner_settings(num_ranks=request.param)
    with (
        placed({"learner": actor_request(settings)}, ClusterSettings()) as placement,
        pytest.MonkeyPatch.context() as m,
    ):
        m.setattr("actors.learner.LearnerActor", ray.remote(RestartingRank))
        group = LearnerGroup(
            ModelSettings(path=tiny_model, dtype="float32"),
            DataSettings(path=dataset, num_frames=NUM_FRAMES),
            settings,
            placement["learner"],
            seed=0,
            num_steps=9,
        )
        yield Ranks(group, tiny_model, dataset)


@pytest.mark.parametrize(("deepspeed", "dtype"), STAGES + OPTIONS)
def test_step_that_is_not_finite_leaves_no_trace(ranks: Ranks, batch: Batch, deepspeed: dict, dtype: str):
    changes = {"deepspeed": deepspeed, "max_tokens_per_micro_batch": 1}
    changes |= {"method": "lora", "train_vision": False, "lora": LoraSettings(rank=8, alpha=16)}
    ranks.restart(dtype, **changes)
    sound, expected = ranks.learn([batch, batch])
    ranks.restart(dtype, **changes)
    (first, *faulty), _ = ranks.learn([batch, with_last_advantage(batch, BEYOND_FLOAT32)])
    faulty += [ranks.learn_with_gradient(batch, factor) for factor in (math.inf, math.nan)]
    (last,), found = ranks.learn([batch])
    assert found == expected
    assert (first.metrics, last.metrics) == (sound[0].metrics, sound[1].metrics)
    flags = [(u.metrics["skipped"], u.metrics["nonfinite"]) for u in (first, *faulty, last)]
    assert flags == [(0, 0), (1, 1), (1, 1), (1, 1), (0, 0)]
    assert first.metrics["grad_norm"] > 0
    assert "an advantage of size 1e+39 is beyond float32" in faulty[0].nonfinite
    assert all("the norm of the gradient is" in update.nonfinite for update in faulty[1:])
    assert last.nonfinite == ""


def demonstration_of(dataset: Path) -> Demonstration:
    vase = DataSet(dataset).vases("train")[0]
    return Demonstration(clip=vase.clip, rotation=0, shift=(0, 0), turns=((CAPTION_PROMPT, vase.caption),))


def test_supervised_step_with_nan_weights_names_the_log_probabilities(ranks: Ranks, dataset: Path):
    ranks.restart("float32", deepspeed={"zero_optimization": {"stage": 0}})
    item = demonstration_of(dataset)
    sound = ranks.group.imitate(1, [item, item])
    assert (sound.metrics["skipped"], sound.metrics["nonfinite"], sound.nonfinite) == (0.0, 0.0, "")
    assert sound.metrics["grad_norm"] > 0
    ray.get([rank.spoil_weights.remote() for rank in ranks.group._pool.actors])
    update = ranks.group.imitate(2, [item, item])
    assert (update.metrics["skipped"], update.metrics["nonfinite"]) == (1.0, 1.0)
    assert "log-probabilities are NaN or infinite" in update.nonfinite


@pytest.mark.parametrize("stage", [3, pytest.param(0, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.slow)])
def test_weight_decay_spares_norms_and_biases(ranks: Ranks, tiny_model: Path, dataset: Path, stage: int):
    """Compares a first step with weight decay to one without. AdamW subtracts rate x decay x weight, and nothing else
    differs."""
    rate, found = 1e-3, {}
    for decay in (0.0, 0.5):
        zero = {"zero_optimization": {"stage": stage}}
        ranks.restart("float32", learning_rate=rate, weight_decay=decay, train_vision=False, deepspeed=zero)
        ranks.group.imitate(1, [demonstration_of(dataset)] * 2)
        found[decay] = read_tensors(ranks.group.weights(2).files["model.safetensors"])
    before = dict(load_model(tiny_model).named_parameters())
    trained = [name for name in before if "visual" not in name]
    assert {before[name].ndim for name in trained} == {1, 2}
    for name in trained:
        step = found[0.0][name] - found[0.5][name]
        expected = rate * 0.5 * before[name] if before[name].ndim == 2 else torch.zeros_like(step)
        assert torch.allclose(step, expected.detach(), atol=1e-7), name


@pytest.mark.parametrize(
    ("method", "stage", "dtype"),
    [
        ("full", 3, "float32"),
        ("lora", 1, "float32"),
        pytest.param("full", 1, "bfloat16", marks=pytest.mark.slow),
        pytest.param("full", 0, "float32", marks=pytest.mark.slow),
    ],
)
def test_tied_model_is_saved_as_it_was_trained(
    ranks: Ranks, tied_model: Path, dataset: Path, tmp_path: Path, method: str, stage: int, dtype: str
):
    changes = {"method": method, "train_vision": False, "deepspeed": {"zero_optimization": {"stage": stage}}}
    ranks.restart(dtype, tied_model, **changes)
    before = ranks.group.fingerprint()
    for step in (1, 2, 3):
        ranks.group.imitate(step, [demonstration_of(dataset)] * 2)
    trained = ranks.group.fingerprint()
    assert mean_gap(before.logprobs, trained.logprobs) > 0.02
    ranks.group.save(tmp_path / "saved")
    saved = load_model(tmp_path / "saved", getattr(torch, dtype)).eval()
    assert saved.lm_head.weight is saved.get_input_embeddings().weight
    with torch.no_grad():
        logprobs = Policy(saved)([], probe_layout(trained.token_ids))[0].tolist()
    # the adapter that was merged rounds otherwise than beside its base
    assert mean_gap(logprobs, trained.logprobs) <= (1e-5 if dtype == "float32" else 5e-3)
    if method == "full":
        names = read_tensors(ranks.group.weights(4).files["model.safetensors"]).keys()
        assert "model.language_model.embed_tokens.weight" in names and "lm_head.weight" not in names
