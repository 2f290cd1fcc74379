"""Rollout workers: one vLLM engine each, behind a pool with ordinary methods."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import ray
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from actors.engine import Engine, EngineOutput, Request, engine_environment
from vaserl.clip import ClipStore
from vaserl.models.adapter import write_weights
from vaserl.models.policy import Prompter
from vaserl.settings import DataSettings, ModelSettings, RolloutSettings
from vaserl.types import Completion, Group, Task, Weights

START_TIMEOUT_S = 600.0
CALL_TIMEOUT_S = 1800.0


class RolloutWorker:
    """An ordinary class that owns an engine; `ray.remote` makes it an actor."""

    def __init__(
        self,
        model: ModelSettings,
        data: DataSettings,
        settings: RolloutSettings,
        *,
        max_lora_rank: int | None,
    ):
        self._settings, self._num_frames = settings, data.num_frames
        self._prompter = Prompter(model.path)
        self._clips = ClipStore(data.path / "clips")
        self._folder = tempfile.TemporaryDirectory(prefix="vaserl-weights-", dir=_memory_disk())
        self._engine = Engine(
            model.path,
            dtype=model.dtype,
            max_lora_rank=max_lora_rank,
            eos_token_id=self._prompter.eos_token_id,
            engine_args=settings.engine_args,
        )
        self._max_lora_rank = max_lora_rank
        self._version = 0

    def ready(self) -> int:
        """The version served: 0 is the base as loaded."""
        return self._version

    def publish(self, weights: Weights) -> int:
        """Serves `weights` from the next request on; the answer is the version served."""
        folder = write_weights(weights, Path(self._folder.name))
        if self._max_lora_rank is None:
            self._engine.load_full(folder)
        else:
            self._engine.load_adapter(weights.version, folder)
        for file in folder.iterdir():
            file.unlink()
        self._version = weights.version
        return self._version

    def generate(
        self, tasks: Sequence[Task], seeds: Sequence[int], *, num_samples: int, temperature: float
    ) -> list[Group]:
        """One group of `num_samples` completions for each task."""
        requests = [
            Request(
                text=self._prompter.text(task.prompt),
                clip=self._clips.load(task.clip, self._num_frames),
                clip_hash=f"{task.clip}-{self._num_frames}",
                seed=seed,
            )
            for task, seed in zip(tasks, seeds, strict=True)
        ]
        outputs = self._engine.generate(
            requests,
            num_samples=num_samples,
            temperature=temperature,
            max_new_tokens=self._settings.max_new_tokens,
        )
        return [
            Group(task=task, prompt_ids=prompt_ids, completions=tuple(self._completion(o) for o in samples))
            for task, (prompt_ids, samples) in zip(tasks, outputs, strict=True)
        ]

    def _completion(self, output: EngineOutput) -> Completion:
        return Completion(
            text=self._prompter.decode(output.token_ids),
            token_ids=output.token_ids,
            logprobs=output.logprobs,
            finish_reason=output.finish_reason,
            weights_version=self._version,
        )


RolloutActor = ray.remote(RolloutWorker)


class RolloutPool:
    """N rollout workers with ordinary methods. Tasks are dealt out in turn, so a task's worker does not depend on
    which engine is faster, and a run repeats exactly."""

    def __init__(
        self,
        model: ModelSettings,
        data: DataSettings,
        settings: RolloutSettings,
        *,
        max_lora_rank: int | None,
        seed: int,
        placement: PlacementGroup,
        first_bundle: int,
    ):
        self._settings, self._seed, self._version = settings, seed, 0
        self._workers = [
            RolloutActor.options(
                num_cpus=settings.num_cpus,
                num_gpus=settings.num_gpus,
                scheduling_strategy=PlacementGroupSchedulingStrategy(placement, first_bundle + index),
                runtime_env={"env_vars": engine_environment(settings.num_gpus, settings.num_threads)},
            ).remote(model, data, settings, max_lora_rank=max_lora_rank)
            for index in range(settings.num_workers)
        ]

    def wait_until_ready(self) -> None:
        """Returns when every engine has loaded."""
        ray.get([worker.ready.remote() for worker in self._workers], timeout=START_TIMEOUT_S)

    def publish(self, weights: Weights) -> None:
        """Hands `weights` to every engine through the object store; returns when each has answered that it serves
        them.

        Raises: RuntimeError when an engine answers with another version.
        """
        reference = ray.put(weights)
        served = ray.get([worker.publish.remote(reference) for worker in self._workers], timeout=CALL_TIMEOUT_S)
        if any(version != weights.version for version in served):
            raise RuntimeError(f"published version {weights.version}, the engines serve {served}")
        self._version = weights.version

    def generate(self, tasks: Sequence[Task], step: int, refill: int = 0) -> list[Group]:
        """[P] groups of `group_size` completions at the training temperature. refill: 0 for the step's first draw.

        Raises: RuntimeError when a completion was written by other weights than the last published.
        """
        seeds = sampling_seeds(self._seed, step, len(tasks), refill)
        return self._deal(tasks, seeds, self._settings.group_size, self._settings.temperature)

    def greedy(self, tasks: Sequence[Task]) -> list[Group]:
        """[P] groups of one completion each, at temperature 0."""
        return self._deal(tasks, sampling_seeds(self._seed, 0, len(tasks)), 1, 0.0)

    def _deal(self, tasks: Sequence[Task], seeds: Sequence[int], num_samples: int, temperature: float) -> list[Group]:
        num_workers = len(self._workers)
        calls = [
            worker.generate.remote(
                tasks[index::num_workers], seeds[index::num_workers], num_samples=num_samples, temperature=temperature
            )
            for index, worker in enumerate(self._workers)
            if tasks[index::num_workers]
        ]
        groups: list[Group | None] = [None] * len(tasks)
        for index, dealt in enumerate(ray.get(calls, timeout=CALL_TIMEOUT_S)):
            groups[index::num_workers] = dealt
        for group in groups:
            assert group is not None
            for completion in group.completions:
                if completion.weights_version != self._version:
                    raise RuntimeError(
                        f"{group.task.id}: written by v{completion.weights_version}, but v{self._version} is current"
                    )
        return groups  # pyright: ignore[reportReturnType]


def sampling_seeds(seed: int, step: int, num_tasks: int, refill: int = 0) -> list[int]:
    """[P] one seed for each task of a step, a function of the run's seed, the step and the refill alone."""
    state = np.random.SeedSequence([seed, step, refill]).generate_state(num_tasks)
    return [int(value) & 0x7FFFFFFF for value in state]


def _memory_disk() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
