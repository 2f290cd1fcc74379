"""A fake engine and a fake learner that sleep instead of working, each in its own process.

With them the bench `overlap` measures the overhead of the training loop and of Ray alone.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray

from vaserl.runs.checkpoint.manifest import StoredFile
from vaserl.settings import LossSettings
from vaserl.types import Batch, Completion, Group, Publication, Score, ScoredGroup, Task, Update, Weights


class Sleeper:
    """Class of a Ray actor that replaces an engine or a learner: it sleeps and then returns made-up results."""

    def __init__(self, seconds: float):
        self._seconds, self._version = seconds, 0

    def publish(self, weights: Weights) -> int:
        self._version = weights.version
        return self._version

    def generate(self, tasks: Sequence[Task], group_size: int) -> list[Group]:
        time.sleep(self._seconds)
        completion = Completion(
            text="a vase", token_ids=(1, 2), logprobs=(-1.0, -1.0), finish_reason="stop", weights_version=self._version
        )
        return [Group(task=task, prompt_ids=(0,), completions=(completion,) * group_size) for task in tasks]

    def learn(self, batch: Batch) -> Update:
        time.sleep(self._seconds)
        return Update(step=batch.step, metrics={"loss": 0.0})


SleepingActor = ray.remote(Sleeper)


class SleepingEngines:
    """A fake pool of engines: one sleeping actor behind the methods of the pool that the training loops call."""

    def __init__(self, seconds: float, group_size: int):
        self._actor: Any = SleepingActor.options(num_cpus=0).remote(seconds)
        self._group_size = group_size

    def submit_weights(self, weights: Weights) -> Any:
        return self._actor.publish.remote(weights)

    def submit(self, tasks: Sequence[Task], step: int, refill: int) -> Any:
        return self._actor.generate.remote(tasks, self._group_size)

    def submit_greedy(self, tasks: Sequence[Task]) -> Any:
        return self._actor.generate.remote(tasks, 1)

    def greedy(self, tasks: Sequence[Task]) -> list[Group]:
        return self.collect(self.submit_greedy(tasks))

    def confirm(self, publishing: Any) -> Publication:
        return Publication(version=ray.get(publishing), fingerprint_gap=0.0, seconds={})

    def collect(self, pending: Any) -> list[Group]:
        return ray.get(pending)

    def publish(self, weights: Weights) -> Publication:
        return self.confirm(self.submit_weights(weights))

    def generate(self, tasks: Sequence[Task], step: int, refill: int) -> list[Group]:
        return self.collect(self.submit(tasks, step, refill))


class SleepingLearner:
    """A fake learner: one sleeping actor behind the methods of the learner that the training loops call."""

    def __init__(self, seconds: float):
        self._actor: Any = SleepingActor.options(num_cpus=0).remote(seconds)

    def learn(self, batch: Batch, loss: LossSettings, temperature: float) -> Update:
        return ray.get(self._actor.learn.remote(batch))

    def weights(self, version: int) -> Weights:
        return Weights(version=version, files={}, digest="")

    def save(self, folder: Path) -> None:
        """Writes nothing, because a fake learner has no policy."""

    def snapshot(self) -> None:
        """Copies nothing, because a fake learner has no state."""

    def write_snapshot(self, place: str) -> dict[str, StoredFile]:
        """Writes nothing. Returns: no files."""
        return {}


class AlternatingRewards:
    """A fake reward that scores the completions of a group 0, 1, 0, 1, …"""

    def score(self, groups: Sequence[Group]) -> list[ScoredGroup]:
        return [
            ScoredGroup(
                group=group, scores=tuple(Score(total=float(n % 2), parts={}) for n in range(len(group.completions)))
            )
            for group in groups
        ]
