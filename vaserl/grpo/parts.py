"""Protocols of the parts of a training run that the loops call; `actors` implements them, and tests have small fakes.

Axis: P tasks or groups of the call.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from vaserl.settings import LossSettings
from vaserl.types import Batch, Group, Publication, ScoredGroup, Task, Update, Weights


class Engines(Protocol):
    """Engines that sample completions of tasks."""

    def generate(self, tasks: Sequence[Task], step: int, refill: int) -> list[Group]:
        """Returns one group of completions for each task, in order, [P]. (step, refill) set the sampling seeds."""
        ...

    def publish(self, weights: Weights) -> Publication:
        """Blocks until every engine serves these weights and its log-probabilities of a fixed probe text match the
        learner's.

        Raises: ParityError when they differ.
        """
        ...


class QueuedEngines(Protocol):
    """Engines that queue work: each one runs its calls one at a time, in the order of submission."""

    def submit_weights(self, weights: Weights) -> Any:
        """Queues new weights behind the calls submitted before. Returns the handle for `confirm` at once."""
        ...

    def confirm(self, publishing: Any) -> Publication:
        """Blocks until every engine serves the weights of a `submit_weights` and its log-probabilities of a fixed probe
        text match the learner's.

        Raises: ParityError when they differ.
        """
        ...

    def submit(self, tasks: Sequence[Task], step: int, refill: int) -> Any:
        """Queues tasks, to be sampled with the weights submitted last. Returns the handle for `collect` at once."""
        ...

    def collect(self, pending: Any) -> list[Group]:
        """Blocks until the tasks of a `submit` are sampled. Returns one group for each task, in order, [P]."""
        ...


class Rewards(Protocol):
    """The reward functions of a run."""

    def score(self, groups: Sequence[Group]) -> list[ScoredGroup]:
        """Returns the groups with the score of each completion, in order, [P]."""
        ...


class Learner(Protocol):
    """The processes (ranks) that train the policy."""

    def learn(self, batch: Batch, loss: LossSettings, temperature: float) -> Update:
        """Takes one optimizer step, or none for an empty batch. temperature: sampling temperature of the batch."""
        ...

    def weights(self, version: int) -> Weights:
        """Returns the current policy's weights, marked with a version number."""
        ...

    def save(self, folder: Path) -> None:
        """Writes the current policy as a complete Hugging Face model folder."""
        ...


class RunRecorder(Protocol):
    """Writer of a run's timeline, metrics, rollouts and saved weights."""

    def phase(self, step: int, name: str) -> AbstractContextManager[None]:
        """Returns a context manager that records its `with` block as one span of the run's timeline."""
        ...

    def pieces(self, step: int, phase: str, seconds: Mapping[str, float]) -> None:
        """Records how long each piece of a phase took. seconds: duration by name of the piece."""
        ...

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Records the metrics of a step and shows its progress."""
        ...

    def rollouts(self, step: int, scored: Sequence[ScoredGroup], advantages_P_G: Sequence[Sequence[float]]) -> None:
        """Records every completion of a step with its score and advantage (P groups of G completions)."""
        ...

    def keep(self, step: int, weights: Weights, learner: Learner) -> None:
        """Saves the weights that a step published, if the run's settings ask for a save after this step."""
        ...
