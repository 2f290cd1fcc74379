"""The parts of a training run as the loops use them; `actors` implements them, tests fake them in ten lines each."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from vaserl.settings import LossSettings
from vaserl.types import Batch, Group, Publication, ScoredGroup, Task, Update, Weights


class Engines(Protocol):
    """Engines that sample completions of tasks."""

    def generate(self, tasks: Sequence[Task], step: int, refill: int) -> list[Group]:
        """Returns [P] one group for each task, in order. (step, refill) decide the seeds of the samples."""
        ...

    def publish(self, weights: Weights) -> Publication:
        """Blocks until every engine serves these weights and has passed the fingerprint check.

        Raises: ParityError when an engine's fingerprint is not the learner's.
        """
        ...


class QueuedEngines(Protocol):
    """Engines that queue work: each one runs its calls one at a time, in the order of submission."""

    def submit_weights(self, weights: Weights) -> Any:
        """Queues new weights behind the work submitted before. Returns at once, with the handle for `confirm`."""
        ...

    def confirm(self, publishing: Any) -> Publication:
        """Blocks until every engine serves the weights of a `submit_weights` and has passed the fingerprint check.

        Raises: ParityError when an engine's fingerprint is not the learner's.
        """
        ...

    def submit(self, tasks: Sequence[Task], step: int, refill: int) -> Any:
        """Queues tasks, which the weights submitted last will answer. Returns at once, with the handle for
        `collect`."""
        ...

    def collect(self, pending: Any) -> list[Group]:
        """Returns [P] the groups of a `submit`, one for each task, in order; blocks until they are complete."""
        ...


class Rewards(Protocol):
    """Reward functions."""

    def score(self, groups: Sequence[Group]) -> list[ScoredGroup]:
        """Returns [P] the groups with their scores, in order."""
        ...


class Learner(Protocol):
    """The ranks that hold the trained policy."""

    def learn(self, batch: Batch, loss: LossSettings, temperature: float) -> Update:
        """Takes one optimizer step; none when the batch is empty. `temperature` is that of sampling."""
        ...

    def weights(self, version: int) -> Weights:
        """Returns the current policy under a version number."""
        ...

    def save(self, folder: Path) -> None:
        """Writes the current policy as a complete Hugging Face folder."""
        ...


class RunRecorder(Protocol):
    """The record of a run: its timeline, metrics, rollouts and saved weights."""

    def phase(self, step: int, name: str) -> AbstractContextManager[None]:
        """Times the body as one span of the timeline."""
        ...

    def pieces(self, step: int, phase: str, seconds: Mapping[str, float]) -> None:
        """Records how a phase's seconds divide."""
        ...

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Records the metrics of a step and shows its progress."""
        ...

    def rollouts(self, step: int, scored: Sequence[ScoredGroup], advantages_P_G: Sequence[Sequence[float]]) -> None:
        """Records every completion of a step."""
        ...

    def keep(self, step: int, weights: Weights, learner: Learner) -> None:
        """Saves the weights that a step published, if the run saves those of this step."""
        ...
