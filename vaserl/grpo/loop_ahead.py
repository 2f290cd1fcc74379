"""The overlapped GRPO loop: while the ranks learn a step, the engines sample the next one and the workers score it.

It differs from `vaserl.grpo.loop` in the weights that write step k. There they are the current ones; here they are
`max_staleness` versions older, so that the engines need not wait for the learner. With max_staleness = 1:

    engines   v1 1 2    v2 3     v3 4     v4 5
    workers       1      2        3        4
    learner        1->v2   2->v3    3->v4    4->v5

The schedule follows from the data, not from the speed of the parts: version max(1, k - max_staleness) writes step k,
so a run repeats exactly. The learner has version k when it learns step k, which bounds the staleness of each sample.
The learner waits for late engines and they wait for a late learner; nothing is dropped. The importance ratio is to the
logprobs of the weights that wrote the sample, so the loss is that of the on-policy loop.
"""

from collections import deque
from concurrent.futures import Future
from typing import Any

from vaserl.grpo.checks import check_parity, check_staleness
from vaserl.grpo.draw import Draw
from vaserl.grpo.grpo import Grpo
from vaserl.grpo.lane import Lane
from vaserl.grpo.metrics import name_gap, staleness
from vaserl.grpo.parts import Learner, QueuedEngines, Rewards, RunRecorder
from vaserl.types import Publication, ScoredGroup, Weights


def train_ahead(
    grpo: Grpo, engines: QueuedEngines, rewards: Rewards, learner: Learner, recorder: RunRecorder
) -> Weights:
    """Runs the steps of a run as `vaserl.grpo.loop.train` does, with samples of weights up to `max_staleness` versions
    older than the learner's, and returns the weights published last. With max_staleness = 0 the two loops are equal.

    A step asks for its refills when its first draw is scored, so the newest weights write them and the learner waits.

    Raises: ParityError when an engine's fingerprint is not the learner's after a publish, and when the logprobs differ
    on a step that the learner's own version wrote. On other steps the difference contains the policy's movement, so it
    is reported as `logprob_drift` and stops nothing. StalenessError when a sample is outside the bound, before the
    step learns.
    """
    settings = grpo.settings
    num_steps, bound = settings.num_steps, settings.max_staleness
    with Lane(recorder) as sampling, Lane(recorder) as scoring:
        ahead = _Ahead(engines, rewards, sampling, scoring)
        weights = learner.weights(version=1)
        ahead.confirm(engines.submit_weights(weights))
        coming = deque(ahead.begin(grpo.draw(step)) for step in range(1, min(1 + bound, num_steps) + 1))
        for step in range(1, num_steps + 1):
            draw = grpo.draw(step)
            while draw.tasks:
                scored = ahead.begin(draw) if draw.refill else coming.popleft()
                draw = grpo.refill(draw, scored.result())
            check_staleness(draw.scored, step, bound)
            with recorder.phase(step, "learn"):
                update = learner.learn(draw.batch, settings.loss, settings.rollout.temperature)
            with recorder.phase(step, "weights"):
                weights = learner.weights(version=step + 1)
            served = sampling.submit(step, "publish", ahead.confirm, engines.submit_weights(weights))
            if (later := step + 1 + bound) <= num_steps:
                coming.append(ahead.begin(grpo.draw(later)))
            values = name_gap(grpo.metrics(draw, update, ahead.least_alike(draw), rewards))
            recorder.pieces(step, "learn", update.seconds)
            recorder.metrics(step, values)
            recorder.rollouts(step, draw.scored, draw.advantages_P_G)
            recorder.keep(step, weights, learner)
            check_parity(step, values, settings.max_logprob_gap)
        served.result()
    return weights


class _Ahead:
    """The work in flight: one thread waits for the engines, another for the reward workers."""

    def __init__(self, engines: QueuedEngines, rewards: Rewards, sampling: Lane, scoring: Lane):
        self._engines, self._rewards = engines, rewards
        self._sampling, self._scoring = sampling, scoring
        self._published: dict[int, Publication] = {}

    def begin(self, draw: Draw) -> Future[list[ScoredGroup]]:
        """Queues a draw's tasks at the engines. They are scored as soon as they are sampled."""
        pending = self._engines.submit(draw.tasks, draw.step, draw.refill)
        groups = self._sampling.submit(draw.step, "rollout", self._engines.collect, pending)
        return self._scoring.submit_after(draw.step, "reward", self._rewards.score, groups)

    def confirm(self, publishing: Any) -> None:
        """Blocks until every engine serves the weights of a `submit_weights`."""
        publication = self._engines.confirm(publishing)
        self._published[publication.version] = publication

    def least_alike(self, draw: Draw) -> Publication:
        """Returns the publication with the largest fingerprint gap among the versions that wrote a step."""
        wrote = [self._published[draw.step - age] for age in set(staleness(draw.scored, draw.step))]
        return max(wrote, key=lambda publication: publication.fingerprint_gap)
