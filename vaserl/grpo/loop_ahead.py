"""The overlapped GRPO loop: while the learner trains on a step, the next one is sampled and scored.

The loop in `vaserl.grpo.loop` samples step k with the learner's current weights. This loop samples it with weights that
are `max_staleness` versions older, so that the engines need not wait for the learner. The schedule with max_staleness =
1 ("v2 3": weights v2 sample step 3; "workers": the steps that the reward workers score; "2->v3": the update of step 2
makes weights v3):

    engines   v1 1 2    v2 3     v3 4     v4 5
    workers       1      2        3        4
    learner        1->v2   2->v3    3->v4    4->v5

The schedule does not depend on the speed of engines, workers and learner: version max(1, k - max_staleness) samples
step k, so a run repeats exactly. The learner has version k when it learns step k, so no sample is more than
max_staleness versions old. The learner waits for slow engines and the engines wait for a slow learner; no sample is
dropped. The denominator of the importance ratio is the probability under the weights that generated the sample, so the
formula of the loss is that of the on-policy loop.
"""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from vaserl.grpo.checks import NonFiniteGuard, check_parity, check_staleness
from vaserl.grpo.draw import Draw
from vaserl.grpo.grpo import Grpo
from vaserl.grpo.idle import IdleSteps
from vaserl.grpo.lane import Lane
from vaserl.grpo.metrics import name_gap, staleness
from vaserl.grpo.parts import Learner, QueuedEngines, Rewards, RunRecorder
from vaserl.grpo.start import FIRST_STEP, LoopStart
from vaserl.grpo.validate import validate
from vaserl.types import Group, Publication, ScoredGroup, Task, Weights


def train_ahead(
    grpo: Grpo,
    engines: QueuedEngines,
    rewards: Rewards,
    learner: Learner,
    recorder: RunRecorder,
    start: LoopStart = FIRST_STEP,
) -> Weights:
    """Runs the steps of a run as `vaserl.grpo.loop.train` does, but on samples from weights up to `max_staleness`
    versions older than the learner's, and returns the weights published last. With max_staleness = 0 the two loops are
    equal.

    A step requests its refills after its first draw is scored, so the newest weights sample them while the learner
    waits.

    A continued run first publishes the older versions in `start`, each followed by the draws that it sampled in the
    uninterrupted run. If `start` lacks a version, the next one that is there samples those draws.

    Raises: UserError when the steps train nothing (`IdleSteps`). NonFiniteError when the loss or gradient of several
    steps in a row was not finite. ParityError when, after weights are published, an engine's logprobs of a fixed probe
    text differ from the learner's. ParityError also when engine and learner differ on the sampled tokens of a step
    whose samples come from the learner's current version. On other steps that difference includes the change of the
    policy since the samples were generated, so it is reported as `logprob_drift` and does not stop the run.
    StalenessError, before the step learns, when a sample comes from weights that are too old.
    """
    settings = grpo.settings
    idle = IdleSteps(settings.max_skipped_steps, start.metrics)
    num_steps, bound = settings.num_steps, settings.max_staleness
    nonfinite = NonFiniteGuard(settings.learner.max_nonfinite_steps)
    with Lane(recorder) as sampling, Lane(recorder) as scoring:
        ahead = _Ahead(engines, rewards, sampling, scoring)
        coming: deque[Future[list[ScoredGroup]]] = deque()
        weights, served = learner.weights(version=start.step), None
        begun = start.step
        for version in (*start.earlier, weights):
            ahead.republish(version)
            while begun <= min(version.version + bound, num_steps):
                coming.append(ahead.begin(grpo.draw(begun)))
                begun += 1
        if start.step == 1:
            validate(grpo, 0, ahead.greedy, rewards, recorder)
        for step in range(start.step, num_steps + 1):
            if grpo.stop_reason:
                break
            draw = grpo.draw(step)
            while draw.tasks:
                scored = ahead.begin(draw) if draw.refill else coming.popleft()
                draw = grpo.refill(draw, scored.result())
            check_staleness(draw.scored, step, bound)
            with recorder.phase(step, "learn"):
                update = learner.learn(draw.batch, settings.loss, settings.rollout.temperature)
            values = name_gap(grpo.metrics(draw, update, ahead.least_alike(draw), rewards))
            recorder.rollouts(step, draw.scored, draw.advantages_P_G)
            recorder.metrics(step, values)
            recorder.pieces(step, "learn", update.seconds)
            with recorder.phase(step, "weights"):
                weights = learner.weights(version=step + 1)
            served = sampling.submit(step, "publish", ahead.confirm, engines.submit_weights(weights))
            validation = validate(grpo, step, ahead.greedy, rewards, recorder)
            if (later := step + 1 + bound) <= num_steps:
                coming.append(ahead.begin(grpo.draw(later)))
            recorder.keep(step, weights, learner, validation)
            nonfinite.check(update)
            check_parity(step, values, settings.max_logprob_gap)
            idle.observe(step, values)
        if served is not None:
            served.result()
    nonfinite.finish()
    idle.finish()
    return weights


class _Ahead:
    """Queue of the draws that are being sampled and scored. One thread waits for the engines, another for the reward
    workers."""

    def __init__(self, engines: QueuedEngines, rewards: Rewards, sampling: Lane, scoring: Lane):
        self._engines, self._rewards = engines, rewards
        self._sampling, self._scoring = sampling, scoring
        self._published: dict[int, Publication] = {}

    def begin(self, draw: Draw) -> Future[list[ScoredGroup]]:
        """Queues the sampling of a draw's tasks, then their scoring, and returns the future of the scored groups."""
        pending = self._engines.submit(draw.tasks, draw.step, draw.refill)
        groups = self._sampling.submit(draw.step, "rollout", self._engines.collect, pending)
        return self._scoring.submit_after(draw.step, "reward", self._rewards.score, groups)

    def confirm(self, publishing: Any) -> None:
        """Blocks until every engine serves the weights of one `submit_weights` call, and stores the publication for
        `least_alike`."""
        publication = self._engines.confirm(publishing)
        self._published[publication.version] = publication

    def republish(self, weights: Weights) -> None:
        """Blocks until every engine serves weights that a step before the loop's first one has produced.

        The publication is recorded as that step's, because the killed job may have recorded the step, but not yet its
        publication.
        """
        publishing = self._engines.submit_weights(weights)
        if weights.version == 1:  # no step produced them
            self.confirm(publishing)
        else:
            self._sampling.submit(weights.version - 1, "publish", self.confirm, publishing).result()

    def greedy(self, tasks: Sequence[Task]) -> list[Group]:
        """Blocks until the engines have captioned tasks by greedy decoding with the weights submitted last."""
        return self._engines.collect(self._engines.submit_greedy(tasks))

    def least_alike(self, draw: Draw) -> Publication:
        """Returns the publication with the largest fingerprint gap among those whose weights sampled a step.

        The fingerprint gap is the mean difference between the engine's and the learner's logprobs of a fixed probe
        text.
        """
        wrote = [self._published[draw.step - age] for age in set(staleness(draw.scored, draw.step))]
        return max(wrote, key=lambda publication: publication.fingerprint_gap)
