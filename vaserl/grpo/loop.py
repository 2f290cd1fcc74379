"""The GRPO loop, readable top to bottom, against Protocols: it runs on a cluster and against ten-line fakes alike.

On-policy: each step samples with the weights the last step published. The overlapped loop is `vaserl.grpo.loop_ahead`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from vaserl.errors import ParityError
from vaserl.grpo.metrics import step_metrics
from vaserl.grpo.refill import Credit, draw_with_signal
from vaserl.types import Batch, Group, Publication, ScoredGroup, Task, Update, Weights


class RolloutPool(Protocol):
    """The engines that answer tasks."""

    def generate(self, tasks: Sequence[Task], step: int, refill: int) -> list[Group]:
        """[P] one group for each task, in order; each refill of a step samples anew."""
        ...

    def publish(self, weights: Weights) -> Publication:
        """Returns when every engine serves these weights and has shown it.

        Raises: ParityError when an engine's fingerprint is not the learner's.
        """
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
    def pieces(self, step: int, phase: str, seconds: Mapping[str, float]) -> None: ...
    def metrics(self, step: int, values: dict[str, float]) -> None: ...
    def rollouts(self, step: int, scored: Sequence[ScoredGroup], credit_P_G: Sequence[Sequence[float]]) -> None: ...


def train(
    *,
    draw_tasks: Callable[[int, int], Sequence[Task]],
    rollout: RolloutPool,
    rewards: RewardPool,
    learner: Learner,
    recorder: RunRecorder,
    on_step: Callable[[int, dict[str, float], Weights], None],
    num_steps: int,
    punish: Callable[[Sequence[ScoredGroup]], Sequence[ScoredGroup]],
    credit: Callable[[Sequence[ScoredGroup]], Credit],
    assemble: Callable[[Sequence[ScoredGroup], Credit, int], Batch],
    max_refills: int,
    max_logprob_gap: float,
    extra_metrics: Callable[[Sequence[ScoredGroup]], Mapping[str, float]] = lambda scored: {},
) -> Weights:
    """Runs `num_steps` steps of sample, score, credit, learn, publish and returns the last published weights.

    draw_tasks: step (from 1), refill (0 is the first draw) -> tasks. punish: takes off the totals what length costs.
    credit: scored groups -> [P][G] advantages. assemble: groups, advantages, step -> what is learned from.
    on_step is called after each step with its metrics and weights.
    extra_metrics: a step's scored groups -> metrics of the run's own, beside those of `step_metrics`.

    Raises: ParityError when the learner's logprobs of the sampled tokens are further than `max_logprob_gap` from the
    engine's, as a mean over the step, or when an engine's fingerprint is not the learner's after a publish.
    """

    def grade(step: int, tasks: Sequence[Task], refill: int) -> Sequence[ScoredGroup]:
        with recorder.phase(step, "rollout"):
            groups = rollout.generate(tasks, step, refill)
        with recorder.phase(step, "reward"):
            return punish(rewards.score(groups))

    def learn_from(step: int, scored: Sequence[ScoredGroup]) -> tuple[Credit, Batch]:
        credit_P_G = credit(scored)
        return credit_P_G, assemble(scored, credit_P_G, step)

    weights = learner.weights(version=1)
    published = rollout.publish(weights)
    for step in range(1, num_steps + 1):
        drawn = draw_with_signal(step, draw_tasks, grade, learn_from, max_refills=max_refills)
        with recorder.phase(step, "learn"):
            update = learner.learn(drawn.batch)
        values = step_metrics(drawn.scored, drawn.credit_P_G, update, published)
        values |= {**drawn.metrics, **extra_metrics(drawn.scored)}
        with recorder.phase(step, "publish"):
            weights = learner.weights(version=step + 1)
            published = rollout.publish(weights)
        recorder.pieces(step, "learn", update.seconds)
        recorder.pieces(step, "publish", {**weights.seconds, **published.seconds})
        recorder.metrics(step, values)
        recorder.rollouts(step, drawn.scored, drawn.credit_P_G)
        on_step(step, values, weights)
        check_parity(step, values, max_logprob_gap)
    return weights


MAX_MISSING_SHARE = 0.01
"""Of a step's tokens, that the engine may give no logprob for: without them there is nothing to compare."""


def check_parity(step: int, values: Mapping[str, float], max_logprob_gap: float) -> None:
    """Raises: ParityError when a step's metrics say that learner and engine are too far apart, or can't tell."""
    if (missing := values.get("engine_missing", 0.0)) > MAX_MISSING_SHARE:
        raise ParityError(f"step {step}: the engine gave no log-probability for {missing:.1%} of the sampled tokens")
    if (gap := values.get("logprob_gap", 0.0)) > max_logprob_gap:
        raise ParityError(
            f"step {step}: learner and engine differ by {gap:.2e} in mean |log-probability| of the sampled tokens, "
            f"the limit is {max_logprob_gap:.2e} (max_logprob_gap). Their weights, positions or precision differ."
        )
