"""The GRPO loop, readable top to bottom, against Protocols: it runs on a cluster and against ten-line fakes alike.

On-policy: each step samples with the weights the last step published. The overlapped loop is not a flag in here.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from vaserl.grpo import assemble
from vaserl.metrics import step_metrics
from vaserl.types import Batch, Group, ScoredGroup, Task, Update, Weights


class RolloutPool(Protocol):
    """The engines that answer tasks."""

    def generate(self, tasks: Sequence[Task], step: int) -> list[Group]:
        """[P] one group for each task, in order."""
        ...

    def publish(self, weights: Weights) -> None:
        """Returns when every engine serves these weights."""
        ...


class RewardPool(Protocol):
    """The workers that score groups."""

    def score(self, groups: Sequence[Group]) -> list[ScoredGroup]:
        """[P] in order."""
        ...


class Learner(Protocol):
    """The ranks that hold the trained policy."""

    def learn(self, batch: Batch) -> Update:
        """One optimizer step."""
        ...

    def weights(self, version: int) -> Weights:
        """The current policy under a version number."""
        ...


class RunRecorder(Protocol):
    """Where the run's traces go."""

    def phase(self, step: int, name: str) -> AbstractContextManager[None]: ...
    def metrics(self, step: int, values: dict[str, float]) -> None: ...
    def rollouts(self, step: int, scored: Sequence[ScoredGroup], credit_P_G: Sequence[Sequence[float]]) -> None: ...


class ParityError(RuntimeError):
    """Learner and engine disagree about the policy: what is sampled is not what is trained."""


def train(
    *,
    draw_tasks: Callable[[int], Sequence[Task]],
    rollout: RolloutPool,
    rewards: RewardPool,
    learner: Learner,
    recorder: RunRecorder,
    on_step: Callable[[int, dict[str, float], Weights], None],
    num_steps: int,
    credit: Callable[[Sequence[ScoredGroup]], Sequence[Sequence[float]]],
    keep_without_signal: bool,
    max_logprob_gap: float,
    extra_metrics: Callable[[Sequence[ScoredGroup]], Mapping[str, float]] = lambda scored: {},
) -> Weights:
    """Runs `num_steps` steps of sample, score, credit, learn, publish and returns the last published weights.

    draw_tasks: step (from 1) -> its tasks. credit: scored groups -> [P][G] advantages.
    on_step is called after each step with its metrics and weights.
    keep_without_signal: learn from groups of equal rewards too, for the sake of a KL term.
    extra_metrics: a step's scored groups -> metrics of the run's own, beside those of `step_metrics`.

    Raises: ParityError when the learner's logprobs of the sampled tokens are further than `max_logprob_gap` from the
    engine's, as a mean over the step.
    """
    weights = learner.weights(version=1)
    rollout.publish(weights)
    for step in range(1, num_steps + 1):
        with recorder.phase(step, "rollout"):
            groups = rollout.generate(draw_tasks(step), step)
        with recorder.phase(step, "reward"):
            scored = rewards.score(groups)
        credit_P_G = credit(scored)
        batch = assemble(scored, credit_P_G, step, keep_without_signal=keep_without_signal)
        with recorder.phase(step, "learn"):
            update = learner.learn(batch)
        with recorder.phase(step, "publish"):
            weights = learner.weights(version=step + 1)
            rollout.publish(weights)
        values = {**step_metrics(scored, credit_P_G, update), **extra_metrics(scored)}
        recorder.metrics(step, values)
        recorder.rollouts(step, scored, credit_P_G)
        on_step(step, values, weights)
        if (gap := values.get("logprob_gap", 0.0)) > max_logprob_gap:
            raise ParityError(
                f"step {step}: learner and engine differ by {gap:.2e} in mean |log-probability| of the sampled tokens, "
                f"the limit is {max_logprob_gap:.2e} (max_logprob_gap). Their weights, positions or precision differ."
            )
    return weights
