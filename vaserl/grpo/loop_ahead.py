"""The overlapped GRPO loop: while the ranks learn a step, the engines write the next one and the workers score it.

It is `vaserl.grpo.loop` with another answer to one question: which weights write step k. There they are the current
ones, here those of `max_staleness` versions before, so that engines need not wait for the learner. With
max_staleness = 1:

    engines   v1 1 2    v2 3     v3 4     v4 5
    workers       1      2        3        4
    learner        1->v2   2->v3    3->v4    4->v5

The schedule follows from the data, never from who is faster: step k is written by version max(1, k - max_staleness),
so a run repeats exactly. The learner has version k when it learns step k, which bounds the staleness of each sample.
Where engines are late the learner waits, where the learner is late they do; nothing is dropped. The importance ratio
is to the logprobs of the weights that wrote the sample, so the loss is the same as on-policy.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol, TypeVar

from vaserl.grpo.loop import Learner, RewardPool, RunRecorder, check_parity
from vaserl.grpo.metrics import staleness, step_metrics
from vaserl.grpo.refill import Credit, draw_with_signal
from vaserl.types import Batch, Group, Publication, ScoredGroup, Task, Weights

_T = TypeVar("_T")


class QueuedRolloutPool(Protocol):
    """Engines that are given work ahead: each does it in the order of the calls, one thing after the other."""

    def submit_weights(self, weights: Weights) -> Any:
        """Returns at once; an engine takes them when it has done what it was given before."""
        ...

    def confirm(self, publishing: Any) -> Publication:
        """Returns when every engine serves the weights of a `submit_weights` and has shown it.

        Raises: ParityError when an engine's fingerprint is not the learner's.
        """
        ...

    def submit(self, tasks: Sequence[Task], step: int, refill: int) -> Any:
        """Returns at once; the tasks are answered with the weights that were submitted last."""
        ...

    def collect(self, pending: Any) -> list[Group]:
        """[P] the groups of a `submit`, one for each task, in order."""
        ...


class StalenessError(RuntimeError):
    """A sample is older than the bound, or newer than the learner: the engines did not keep the order."""


def train_ahead(
    *,
    draw_tasks: Callable[[int, int], Sequence[Task]],
    rollout: QueuedRolloutPool,
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
    max_staleness: int,
    extra_metrics: Callable[[Sequence[ScoredGroup]], Mapping[str, float]] = lambda scored: {},
) -> Weights:
    """Runs `num_steps` steps as `vaserl.grpo.loop.train` does, with samples of weights up to `max_staleness` versions
    before the learner's, and returns the last published weights. With max_staleness = 0 the two are equal.

    Refills are asked for when a step is scored, so the newest weights write them, and the learner waits.

    Raises: ParityError when an engine's fingerprint is not the learner's after a publish, and on a step that the
    learner's own version wrote when their logprobs differ. On other steps that difference is the policy's movement
    too, so it is reported as `logprob_drift` and stops nothing. StalenessError before a sample outside the bound would
    be learned.
    """
    with Lane(recorder) as engines, Lane(recorder) as workers:

        def begin(step: int, refill: int, tasks: Sequence[Task]) -> Future[Sequence[ScoredGroup]]:
            """Hands tasks to the engines, behind what they have; they are scored as soon as they are there."""
            pending = rollout.submit(tasks, step, refill)
            groups = engines.run(step, "rollout", partial(rollout.collect, pending))
            return workers.run(step, "reward", lambda: punish(rewards.score(groups.result())), after=groups)

        def grade(step: int, tasks: Sequence[Task], refill: int) -> Sequence[ScoredGroup]:
            return (begin(step, refill, tasks) if refill else coming.popleft()).result()

        def learn_from(step: int, scored: Sequence[ScoredGroup]) -> tuple[Credit, Batch]:
            credit_P_G = credit(scored)
            return credit_P_G, assemble(scored, credit_P_G, step)

        published: dict[int, Publication] = {}

        def serve(publishing: Any) -> None:
            publication = rollout.confirm(publishing)
            published[publication.version] = publication

        weights = learner.weights(version=1)
        serve(rollout.submit_weights(weights))
        coming = deque(begin(step, 0, draw_tasks(step, 0)) for step in range(1, min(1 + max_staleness, num_steps) + 1))
        for step in range(1, num_steps + 1):
            drawn = draw_with_signal(step, draw_tasks, grade, learn_from, max_refills=max_refills)
            check_staleness(drawn.scored, step, max_staleness)
            with recorder.phase(step, "learn"):
                update = learner.learn(drawn.batch)
            with recorder.phase(step, "weights"):
                weights = learner.weights(version=step + 1)
            served = engines.run(step, "publish", partial(serve, rollout.submit_weights(weights)))
            if (later := step + 1 + max_staleness) <= num_steps:
                coming.append(begin(later, 0, draw_tasks(later, 0)))
            wrote = [published[step - age] for age in set(staleness(drawn.scored, step))]
            least_alike = max(wrote, key=lambda publication: publication.fingerprint_gap)
            values = name_gap(step_metrics(drawn.scored, drawn.credit_P_G, update, least_alike))
            values |= {**drawn.metrics, **extra_metrics(drawn.scored)}
            recorder.pieces(step, "learn", update.seconds)
            recorder.metrics(step, values)
            recorder.rollouts(step, drawn.scored, drawn.credit_P_G)
            on_step(step, values, weights)
            check_parity(step, values, max_logprob_gap)
        served.result()
    return weights


def check_staleness(scored: Sequence[ScoredGroup], version: int, max_staleness: int) -> None:
    """Raises: StalenessError when a sample was not written by one of the `max_staleness` versions before the learner's
    `version`, or by that itself."""
    ages = staleness(scored, version)
    for age in (min(ages), max(ages)):
        if not 0 <= age <= max_staleness:
            raise StalenessError(
                f"step {version}: a sample was written by v{version - age}, but the learner has v{version} and "
                f"max_staleness is {max_staleness}"
            )


def name_gap(values: dict[str, float]) -> dict[str, float]:
    """Calls mean |log pi - log pi_sampler| by what it says: `logprob_gap`, learner against engine, where the learner's
    own version wrote the step; `logprob_drift`, that and how far the policy has moved since, where an older one did."""
    if values["staleness/max"] > 0 and "logprob_gap" in values:
        return {"logprob_drift" if name == "logprob_gap" else name: value for name, value in values.items()}
    return values


class Lane:
    """A thread that does one thing after the other in the order in which they were given, each as a phase of the
    run's timeline. After a failure it does nothing more: whatever comes later fails with the same error.

    Leaving it does not wait for what is under way, which after a failure elsewhere could be long.
    """

    def __init__(self, recorder: RunRecorder):
        self._recorder = recorder
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._last: Future[Any] | None = None

    def run(self, step: int, phase: str, work: Callable[[], _T], *, after: Future[Any] | None = None) -> Future[_T]:
        """Gives it `work`, to be begun when `after` is there, too; the phase is the work alone, without the waiting."""
        earlier = [future for future in (self._last, after) if future is not None]

        def item() -> _T:
            for future in earlier:
                future.result()
            with self._recorder.phase(step, phase):
                return work()

        self._last = future = self._thread.submit(item)
        return future

    def __enter__(self) -> "Lane":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
