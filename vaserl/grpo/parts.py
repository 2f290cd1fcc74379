"""Interfaces (Protocols) of the objects that the training loops call: engines, rewards, learner, validator
and recorder.

The package `actors` implements them, and the tests use small fakes. Axis: P, the tasks or groups passed to a call.
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
        """Returns one group of completions for each task, in order, [P]. The sampling seeds depend on `step` and
        `refill`."""
        ...

    def greedy(self, tasks: Sequence[Task]) -> list[Group]:
        """Returns a group of one completion at temperature 0 (greedy decoding) for each task, in order, [P]."""
        ...

    def publish(self, weights: Weights) -> Publication:
        """Loads these weights into every engine, blocks until all engines serve them, and checks weights that are read
        back from each engine, and its log-probabilities of a fixed probe text.

        Raises: ParityError when weights that an engine serves are not the published ones, or when its log-probabilities
        differ from the learner's.
        """
        ...


class QueuedEngines(Protocol):
    """Engines that queue work: each one runs its calls one at a time, in the order of submission."""

    def submit_weights(self, weights: Weights) -> Any:
        """Queues the loading of new weights after the calls submitted before. Returns at once, with a handle for
        `confirm`."""
        ...

    def confirm(self, publishing: Any) -> Publication:
        """Blocks until every engine serves the weights of one `submit_weights` call, and checks weights that are read
        back from each engine, and its log-probabilities of a fixed probe text.

        publishing: handle that `submit_weights` returned.

        Raises: ParityError when weights that an engine serves are not the published ones, or when its log-probabilities
        differ from the learner's.
        """
        ...

    def submit(self, tasks: Sequence[Task], step: int, refill: int) -> Any:
        """Queues tasks, to be sampled with the weights submitted last. Returns at once, with a handle for `collect`."""
        ...

    def submit_greedy(self, tasks: Sequence[Task]) -> Any:
        """Queues tasks, to be captioned by greedy decoding with the weights submitted last. Returns at once, with a
        handle for `collect`."""
        ...

    def collect(self, pending: Any) -> list[Group]:
        """Blocks until the tasks of one `submit` or `submit_greedy` call are sampled. Returns one group for each task,
        in order, [P].

        pending: handle that `submit` or `submit_greedy` returned.
        """
        ...


class Rewards(Protocol):
    """The reward functions of a run."""

    def score(self, groups: Sequence[Group]) -> list[ScoredGroup]:
        """Returns the groups with the score of each completion, in order, [P]."""
        ...


class Learner(Protocol):
    """The processes (ranks) that train the policy."""

    def learn(self, batch: Batch, loss: LossSettings, temperature: float) -> Update:
        """Takes one optimizer step, or none for an empty batch. temperature: temperature at which the batch was
        sampled."""
        ...

    def weights(self, version: int) -> Weights:
        """Returns the current policy's weights, marked with a version number."""
        ...

    def save(self, folder: Path) -> None:
        """Writes the current policy as a complete Hugging Face model folder."""
        ...

    def snapshot(self) -> None:
        """Copies the training state of every rank to host memory, for `write_snapshot`."""
        ...

    def write_snapshot(self, place: str) -> Mapping[str, Any]:
        """Writes the copied state to a folder or URL. Returns: size and SHA-256 of each file, by name."""
        ...


class Validator(Protocol):
    """Validation of the weights on held-out vases during a run.

    The loop captions the vases and scores the captions; the validator computes and stores the metrics.
    """

    @property
    def tasks(self) -> Sequence[Task]:
        """Tasks that every validation captions, [P]; empty if validation is off."""
        ...

    def is_due(self, step: int) -> bool:
        """Tells whether the weights that a step produced are to be validated. Step 0 stands for the weights before the
        first step."""
        ...

    def record(self, step: int, scored: Sequence[ScoredGroup]) -> Mapping[str, float]:
        """Writes the captions and metrics of one validation to the run folder. Returns: the metrics by name.

        scored: the groups of `tasks`, each with one greedy completion.
        """
        ...

    @property
    def stop_reason(self) -> str:
        """Reason why the run is to stop early, decided from all validations recorded so far; empty if it goes on."""
        ...


class RunRecorder(Protocol):
    """Writer of a run's timeline, metrics, rollouts and saved weights."""

    def phase(self, step: int, name: str) -> AbstractContextManager[None]:
        """Returns a context manager that records its `with` block as one span of the run's timeline."""
        ...

    def pieces(self, step: int, phase: str, seconds: Mapping[str, float]) -> None:
        """Records the duration of each part of a phase. seconds: duration by name of the part."""
        ...

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Records the metrics of a step and shows its progress."""
        ...

    def track(self, step: int, values: Mapping[str, float]) -> None:
        """Sends values, such as a validation's metrics, to the run's trackers."""
        ...

    def rollouts(self, step: int, scored: Sequence[ScoredGroup], advantages_P_G: Sequence[Sequence[float]]) -> None:
        """Records every completion of a step with its score and advantage (P groups of G completions)."""
        ...

    def keep(self, step: int, weights: Weights, learner: Learner, validation: Mapping[str, float]) -> None:
        """Begins a checkpoint of a step and saves the weights that it published, if the run's settings request it.

        validation: validation metrics of the step; empty if it was not validated.
        """
        ...
