"""Tests publishing weights to a real engine, merged and as an adapter: over many versions, every token comes from the
version that its completion states."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
import torch

from actors.placement import placed
from actors.rollout import RolloutPool
from vaserl.dataset import DataSet
from vaserl.errors import ParityError
from vaserl.planning.requests import actor_request
from vaserl.policy.adapter import ADAPTER_CONFIG, ADAPTER_TENSORS, AdapterWriter, add_lora
from vaserl.policy.fingerprint import probe_ids, probe_layout
from vaserl.policy.groups import samples_group
from vaserl.policy.layout import shared_prefix_layout
from vaserl.policy.policy import Policy, load_model
from vaserl.policy.prompter import Prompter
from vaserl.policy.tensor_file import TensorFile
from vaserl.policy.weights import make_weights
from vaserl.settings import ClusterSettings, DataSettings, ModelSettings, RolloutSettings
from vaserl.types import Fingerprint, Group, PromptSamples, Sample, Task, Weights

NUM_FRAMES = 8
NUM_SWAPS = {"merge": 200, "adapter": 40}
"""Number of versions published in each way; most of them in the default way."""
TOLERANCE = 1e-5
PROMPT = "Describe the vase. " * 12
"""A prompt that fills blocks of the engine's prefix cache; with a shorter one no stale prefix could be found."""
ENGINE_ARGS = {"max_model_len": 256, "max_num_seqs": 16, "block_size": 32, "enable_prefix_caching": True}


class Versions:
    """A fake learner in this process: an adapter for every version number, and the policy's log-probabilities with
    it."""

    def __init__(self, folder: Path, dataset: Path):
        self._prompter, self._model = Prompter(folder), load_model(folder)
        self._peft = add_lora(self._model, rank=4, alpha=8)
        self._writer = AdapterWriter(self._peft)
        self._policy = Policy(self._model).eval()
        self._clips = DataSet(dataset).clips
        self._pixels = {}
        self._ids = probe_ids(lambda text: self._prompter.tokenizer(text)["input_ids"])

    def set(self, version: int) -> None:
        """Gives the policy the LoRA matrices B of `version`, which differ much from those of other versions."""
        random = torch.Generator().manual_seed(version)
        for name, parameter in self._peft.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(std=0.2, generator=random)

    def weights(self, version: int) -> Weights:
        self.set(version)
        return make_weights(version, self._writer.files(), self.fingerprint())

    def drifting_weights(self, version: int, rate: float, dtype: torch.dtype, *, full: bool = False) -> Weights:
        """Returns weights without a fingerprint: `version` optimizer steps after an untrained adapter, each of which
        moves every entry of A and B by the learning rate. full: the whole model, with the steps on all weights."""
        random = torch.Generator().manual_seed(7)
        peft, state = self._peft, {}
        for name, parameter in peft.named_parameters():
            moved = version * rate * torch.randn(parameter.shape, generator=random).sign()
            if full and "lora_" not in name:
                short = name.removeprefix("base_model.model.").replace(".base_layer", "")
                state[short] = (parameter.data + moved).to(dtype)
            elif not full and "lora_" in name:
                start = torch.randn(parameter.shape, generator=random) * 0.05 if "lora_A" in name else 0.0
                state[name.replace(".default", "")] = (start + moved).to(dtype)
        if full:
            return make_weights(version, {"model.safetensors": bytes(TensorFile().fill(state))})
        config = self._writer.files()[ADAPTER_CONFIG]
        return make_weights(version, {ADAPTER_CONFIG: config, ADAPTER_TENSORS: bytes(TensorFile().fill(state))})

    def full_weights(self, version: int, *, vision_scale: float) -> Weights:
        """Returns the weights of the whole model, with the adapter merged and the vision tower's last layer scaled."""
        self.set(version)
        self._model.model.visual.merger.mlp[2].weight.data.mul_(vision_scale)
        self._peft.merge_adapter()
        state = {
            name.removeprefix("base_model.model.").replace(".base_layer", ""): parameter
            for name, parameter in self._peft.named_parameters()
            if "lora_" not in name
        }
        files = {"model.safetensors": TensorFile().fill(state)}
        weights = make_weights(version, files, self.fingerprint())
        self._peft.unmerge_adapter()
        return weights

    @torch.no_grad()
    def fingerprint(self) -> Fingerprint:
        logprobs, _ = self._policy([], probe_layout(self._ids))
        return Fingerprint(token_ids=self._ids, logprobs=tuple(logprobs.tolist()))

    @torch.no_grad()
    def gap(self, groups: list[Group], version: int) -> float:
        """Returns the largest |difference| of a sampled token's log-probability between the engine and this policy at
        `version`."""
        self.set(version)
        pixels = [self._load(group.task.clip) for group in groups]
        handed = [
            PromptSamples(
                clip=group.task.clip,
                prompt_ids=group.prompt_ids,
                samples=tuple(
                    Sample(token_ids=c.token_ids, logprobs=c.logprobs, advantage=0.0) for c in group.completions
                ),
            )
            for group in groups
        ]
        laid_out = [
            samples_group(h, p.grid, self._prompter.video_token_id) for h, p in zip(handed, pixels, strict=True)
        ]
        layout = shared_prefix_layout(laid_out)
        logprobs, _ = self._policy(pixels, layout)
        engine = torch.tensor([x for group in groups for c in group.completions for x in c.logprobs])
        return float((logprobs - engine).abs().max())

    def _load(self, clip: str):
        if clip not in self._pixels:
            self._pixels[clip] = self._prompter.pixels(self._clips.load(clip, NUM_FRAMES))
        return self._pixels[clip]


@pytest.fixture(scope="module")
def versions(tiny_model: Path, dataset: Path) -> Versions:
    return Versions(tiny_model, dataset)


@pytest.fixture(scope="module")
def tasks(dataset: Path) -> list[Task]:
    return [dataclasses.replace(v.caption_task(), prompt=PROMPT) for v in DataSet(dataset).vases("train")][:2]


def start_pool(publish: str, dtype: str, model: Path, dataset: Path, placement) -> RolloutPool:
    settings = RolloutSettings.model_validate(
        {
            "publish": publish,
            "max_fingerprint_gap": TOLERANCE,
            "group_size": 2,
            "max_new_tokens": 4,
            "engine_args": ENGINE_ARGS,
        }
    )
    return RolloutPool(
        ModelSettings.model_validate({"path": model, "dtype": dtype}),
        DataSettings(path=dataset, num_frames=NUM_FRAMES),
        settings,
        placement["rollout"],
        max_lora_rank=4,  # vLLM has no such limit; the engine takes its next, 8
        seed=0,
    )


@pytest.fixture(scope="module", params=["adapter", "merge"])
def pool(request, cluster, tiny_model: Path, dataset: Path) -> Iterator[RolloutPool]:
    with placed({"rollout": actor_request(RolloutSettings())}, ClusterSettings()) as placement:
        yield start_pool(request.param, "float32", tiny_model, dataset, placement)


@pytest.fixture(scope="module", params=["merge", pytest.param("adapter", marks=pytest.mark.slow)])
def coarse_pool(request, cluster, tiny_model: Path, dataset: Path) -> Iterator[RolloutPool]:
    """Yields a pool in bfloat16."""
    with placed({"rollout": actor_request(RolloutSettings())}, ClusterSettings()) as placement:
        yield start_pool(request.param, "bfloat16", tiny_model, dataset, placement)


def inside(pool: RolloutPool, change):
    """Runs `change` on the worker object, in the worker's process."""
    return ray.get(pool._pool.actors[0].__ray_call__.remote(change))


class StaleLoading:
    """A fault of an engine's loading: "first" loads the first files it was given, "behind" those of the call before,
    and "half" mixes the tensors of the two last calls."""

    def __init__(self, pool: RolloutPool, kind: str):
        self._pool, self._kind = pool, kind

    def __enter__(self) -> None:
        kind = self._kind

        def install(worker) -> None:
            from vaserl.policy.adapter import read_adapter
            from vaserl.policy.tensor_file import TensorFile, read_tensors
            from vaserl.policy.weights import write_files

            engine, seen = worker._engine, []
            merged, adapter, full = engine.load_merged, engine.load_adapter, engine.load_full

            def chosen(files):
                seen.append({name: bytes(content) for name, content in files.items()})
                before = seen[0] if kind == "first" else seen[max(0, len(seen) - 2)]
                if kind != "half":
                    return before
                (file,) = [name for name in files if name.endswith(".safetensors")]
                tensors, old = read_tensors(seen[-1][file]), read_tensors(before[file])
                mixed = {name: (old if i % 2 else tensors)[name] for i, name in enumerate(sorted(tensors))}
                return {**seen[-1], file: bytes(TensorFile().fill(mixed))}

            def load_adapter(version, folder):
                adapter(version, write_files(chosen(read_adapter(folder)), folder))

            engine.load_merged = lambda files, base_copy: merged(chosen(files), base_copy)
            engine.load_adapter = load_adapter
            engine.load_full = lambda files, vision_changed: full(chosen(files), vision_changed=vision_changed)

        inside(self._pool, install)

    def __exit__(self, *_) -> None:
        def remove(worker) -> None:
            for name in ("load_merged", "load_adapter", "load_full"):
                delattr(worker._engine, name)

        inside(self._pool, remove)


def check_stale_loading(pool: RolloutPool, made, first: int) -> None:
    """Checks that a pool which loads the previous version's tensors, or half of them, is refused at once. made: returns
    the weights of a version. first: a version that was not published before."""
    for kind in ("first", "behind", "half"):
        with StaleLoading(pool, kind):
            pool.publish(made(first))
            with pytest.raises(ParityError, match=rf"engine 0 does not serve version {first + 1} "):
                pool.publish(made(first + 1))
        pool.publish(made(first + 2))
        first += 10


@pytest.mark.parametrize("rate", [1e-5, 1e-7], ids=str)
def test_rollout_pool_publish_refuses_a_version_one_small_step_old(pool: RolloutPool, versions: Versions, rate: float):
    """The log-probabilities of two versions differ by less than the limit of the fingerprint at these rates."""
    check_stale_loading(pool, lambda v: versions.drifting_weights(v, rate, torch.float32), 401 if rate == 1e-5 else 501)


def test_rollout_pool_publish_refuses_a_version_one_small_step_old_in_bfloat16(
    coarse_pool: RolloutPool, versions: Versions
):
    check_stale_loading(coarse_pool, lambda v: versions.drifting_weights(v, 1e-5, torch.bfloat16), 601)


@pytest.mark.slow
def test_rollout_pool_publish_mixes_no_versions_over_many_swaps(
    pool: RolloutPool, versions: Versions, tasks: list[Task], request: pytest.FixtureRequest
):
    first, num_swaps = None, NUM_SWAPS[request.node.callspec.params["pool"]]
    fingerprint_gap, gaps, to_neighbours = 0.0, [], []
    for version in range(1, num_swaps + 1):
        published = pool.publish(versions.weights(version))
        fingerprint_gap = max(fingerprint_gap, published.fingerprint_gap)
        # the same prompts and seeds each time, so that a stale cache would be used
        groups = pool.generate(tasks, step=1)
        first = first or groups
        gaps.append(versions.gap(groups, version))
        to_neighbours.append(min(versions.gap(groups, version - 1), versions.gap(groups, version + 1)))
        assert {c.weights_version for group in groups for c in group.completions} == {version}
    assert max(gaps) <= TOLERANCE
    assert fingerprint_gap <= TOLERANCE
    assert min(to_neighbours) > 1e-2

    # the first adapter again, after all others: bit-equal to its first answers
    pool.publish(dataclasses.replace(versions.weights(1), version=num_swaps + 1))
    again = pool.generate(tasks, step=1)
    assert first is not None
    for one, other in zip(first, again, strict=True):
        assert [c.token_ids for c in one.completions] == [c.token_ids for c in other.completions]
        assert [c.logprobs for c in one.completions] == [c.logprobs for c in other.completions]


def test_rollout_pool_publish_refuses_an_engine_that_kept_its_weights(pool: RolloutPool, versions: Versions):
    pool.publish(versions.weights(301))

    def keep(worker) -> None:
        worker._engine.load_adapter = worker._engine.load_merged = lambda *_: None

    inside(pool, keep)
    try:
        with pytest.raises(
            ParityError,
            match=r"engine 0 does not serve version 302 .* differ by .* the limit is 1\.00e-05",
        ):
            pool.publish(versions.weights(302))
    finally:
        inside(pool, lambda worker: (delattr(worker._engine, "load_adapter"), delattr(worker._engine, "load_merged")))
    assert pool.publish(versions.weights(303)).fingerprint_gap <= TOLERANCE


def test_rollout_pool_publish_refuses_a_wrong_scale(pool: RolloutPool, versions: Versions):
    weights = versions.weights(311)
    config = json.loads(bytes(weights.files[ADAPTER_CONFIG]))
    files = {**weights.files, ADAPTER_CONFIG: json.dumps({**config, "lora_alpha": 9}).encode()}
    with pytest.raises(ParityError, match="version 311"):
        pool.publish(make_weights(311, files, weights.fingerprint))


def test_rollout_pool_publish_refuses_another_base(pool: RolloutPool, versions: Versions):
    """Changes the learner's base by a thousandth in one matrix, but not the engine's."""
    matrix = versions._model.model.language_model.layers[0].mlp.down_proj.base_layer.weight
    pristine = matrix.detach().clone()
    matrix.data.mul_(1.001)
    weights = versions.weights(321)
    matrix.data.copy_(pristine)
    with pytest.raises(ParityError, match="version 321"):
        pool.publish(weights)


def test_rollout_pool_publish_refuses_damaged_bytes(pool: RolloutPool, versions: Versions):
    weights = versions.weights(331)
    with pytest.raises(ray.exceptions.RayTaskError, match="version 331 of the weights was damaged in transfer"):
        pool.publish(dataclasses.replace(weights, digest="0" * 64))


def test_rollout_pool_publish_without_invalidating_prefixes_shows(
    pool: RolloutPool, versions: Versions, tasks: list[Task]
):
    """Shows that the test of many versions can fail: if the prefix caches are kept, an engine with merged weights
    answers from prefixes of the old version."""
    pool.publish(versions.weights(341))
    pool.generate(tasks, step=1)
    inside(pool, lambda worker: setattr(worker._engine, "drop_prefixes", lambda: None))
    pool.publish(versions.weights(342))
    gap = versions.gap(pool.generate(tasks, step=1), 342)
    inside(pool, lambda worker: delattr(worker._engine, "drop_prefixes"))
    is_merging = inside(pool, lambda worker: worker._settings.publish == "merge")
    # prefixes of an adapter are cached under its id, so they need no invalidation
    assert gap > 1e-2 if is_merging else gap <= TOLERANCE


# whole models are published to engines without support for adapters
@pytest.mark.parametrize("pool", ["merge"], indirect=True, scope="module")
def test_rollout_pool_publish_keeps_encoded_clips_until_the_vision_tower_changes(
    pool: RolloutPool, versions: Versions, tasks: list[Task]
):
    def count_encodings(worker) -> None:
        model = worker._engine._llm.llm_engine.model_executor.driver_worker.model_runner.get_model()
        worker.num_encoded = 0

        def count(*_) -> None:
            worker.num_encoded += 1

        model.visual.register_forward_hook(count)

    def encoded_by(weights: Weights) -> int:
        pool.publish(weights)
        before = inside(pool, lambda worker: worker.num_encoded)
        groups = pool.generate(tasks, step=1)
        assert versions.gap(groups, weights.version) <= TOLERANCE
        return inside(pool, lambda worker: worker.num_encoded) - before

    inside(pool, count_encodings)
    assert encoded_by(versions.weights(351)) == 0
    assert encoded_by(versions.weights(352)) == 0
    # no digest of the vision tower was known before
    assert encoded_by(versions.full_weights(353, vision_scale=1.0)) > 0
    assert encoded_by(versions.full_weights(354, vision_scale=1.0)) == 0
    assert encoded_by(versions.full_weights(355, vision_scale=2.0)) > 0
    assert encoded_by(versions.full_weights(356, vision_scale=0.5)) > 0


@pytest.mark.parametrize("pool", ["merge"], indirect=True, scope="module")
def test_rollout_pool_publish_refuses_a_whole_model_one_small_step_old(pool: RolloutPool, versions: Versions):
    check_stale_loading(pool, lambda v: versions.drifting_weights(v, 1e-5, torch.float32, full=True), 701)
