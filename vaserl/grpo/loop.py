"""The on-policy GRPO loop: each step samples with the weights that the previous step published.

`vaserl.grpo.loop_ahead` is the loop in which sampling and learning overlap.
"""

from vaserl.grpo.checks import NonFiniteGuard, check_parity
from vaserl.grpo.grpo import Grpo
from vaserl.grpo.idle import IdleSteps
from vaserl.grpo.parts import Engines, Learner, Rewards, RunRecorder
from vaserl.grpo.start import FIRST_STEP, LoopStart
from vaserl.grpo.validate import validate
from vaserl.types import Weights


def train(
    grpo: Grpo,
    engines: Engines,
    rewards: Rewards,
    learner: Learner,
    recorder: RunRecorder,
    start: LoopStart = FIRST_STEP,
) -> Weights:
    """Runs the steps of a run from `start` on (sample, score, learn, publish, validate) and returns the weights
    published last.

    A step's metrics and completions are recorded before its weights are published, so that they are there if the
    engines refuse the weights.

    Raises: UserError when the steps train nothing (`IdleSteps`). NonFiniteError when the loss or gradient of several
    steps in a row was not finite. ParityError when the learner's logprobs of a step's sampled tokens differ from the
    engine's by more than `max_logprob_gap` on average, or when after a publish weights that are read back from an
    engine are not the published ones, or its logprobs of a fixed probe text differ from the learner's by more than
    `max_fingerprint_gap`.
    """
    settings = grpo.settings
    nonfinite = NonFiniteGuard(settings.learner.max_nonfinite_steps)
    idle = IdleSteps(settings.max_skipped_steps, start.metrics)
    weights = learner.weights(version=start.step)
    published = engines.publish(weights)
    if start.step == 1:
        validate(grpo, 0, engines.greedy, rewards, recorder)
    for step in range(start.step, settings.num_steps + 1):
        if grpo.stop_reason:
            break
        draw = grpo.draw(step)
        while draw.tasks:
            with recorder.phase(step, "rollout"):
                groups = engines.generate(draw.tasks, step, draw.refill)
            with recorder.phase(step, "reward"):
                scored = rewards.score(groups)
            draw = grpo.refill(draw, scored)
        with recorder.phase(step, "learn"):
            update = learner.learn(draw.batch, settings.loss, settings.rollout.temperature)
        values = grpo.metrics(draw, update, published, rewards)
        recorder.rollouts(step, draw.scored, draw.advantages_P_G)
        recorder.metrics(step, values)
        recorder.pieces(step, "learn", update.seconds)
        with recorder.phase(step, "publish"):
            weights = learner.weights(version=step + 1)
            published = engines.publish(weights)
        recorder.pieces(step, "publish", {**weights.seconds, **published.seconds})
        validation = validate(grpo, step, engines.greedy, rewards, recorder)
        recorder.keep(step, weights, learner, validation)
        nonfinite.check(update)
        check_parity(step, values, settings.max_logprob_gap)
        idle.observe(step, values)
    nonfinite.finish()
    idle.finish()
    return weights
