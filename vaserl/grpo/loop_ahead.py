"""The overlapped GRPO loop: while the learner trains on a step, the next one is sampled and scored.

It differs from `vaserl.grpo.loop` in the weights that sample step k. There they are the learner's current ones; here
they are `max_staleness` versions older, so that the engines need not wait for the learner. With max_staleness = 1
("v2 3": weights v2 sample step 3; "2->v3": the update of step 2 makes weights v3):

    engines   v1 1 2    v2 3     v3 4     v4 5
    workers       1      2        3        4
    learner        1->v2   2->v3    3->v4    4->v5

The schedule does not depend on the speed of the parts: version max(1, k - max_staleness) samples step k, so a run
repeats exactly. The learner has version k when it learns step k, which bounds the staleness of each sample. The learner
waits for slow engines and the engines wait for a slow learner; no sample is dropped. The denominator of the importance
ratio is the probability under the weights that generated the sample, so the loss is that of the on-policy loop.
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
    """Runs all steps of a run as `vaserl.grpo.loop.train` does, on samples from weights up to `max_staleness` versions
    older than the learner's, and returns the weights published last. With max_staleness = 0 the two loops are equal.

    A step requests its refills after its first draw is scored, so the newest weights sample them while the learner
    waits.

    Raises: ParityError when after a publish an engine's logprobs of a fixed probe text differ from the learner's, or
    when the logprobs of the sampled tokens do on a step that the learner's own version sampled. On other steps that
    difference contains the change of the policy since, so it is reported as `logprob_drift` and does not stop the run.
    StalenessError, before the step learns, when a sample comes from weights that are too old.
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
    """The draws that are being sampled and scored: one thread waits for the engines, another for the reward workers."""

    def __init__(self, engines: QueuedEngines, rewards: Rewards, sampling: Lane, scoring: Lane):
        self._engines, self._rewards = engines, rewards
        self._sampling, self._scoring = sampling, scoring
        self._published: dict[int, Publication] = {}

    def begin(self, draw: Draw) -> Future[list[ScoredGroup]]:
        """Queues the sampling and then the scoring of a draw's tasks, and returns the future of the scored groups."""
        pending = self._engines.submit(draw.tasks, draw.step, draw.refill)
        groups = self._sampling.submit(draw.step, "rollout", self._engines.collect, pending)
        return self._scoring.submit_after(draw.step, "reward", self._rewards.score, groups)

    def confirm(self, publishing: Any) -> None:
        """Blocks until every engine serves the weights of a `submit_weights`, and keeps the result for
        `least_alike`."""
        publication = self._engines.confirm(publishing)
        self._published[publication.version] = publication

    def least_alike(self, draw: Draw) -> Publication:
        """Returns, of the publications whose weights sampled a step, the one with the largest fingerprint gap (mean
        difference between the engine's and the learner's logprobs of a fixed probe text)."""
        wrote = [self._published[draw.step - age] for age in set(staleness(draw.scored, draw.step))]
        return max(wrote, key=lambda publication: publication.fingerprint_gap)
