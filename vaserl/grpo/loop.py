"""The on-policy GRPO loop: each step samples with the weights that the previous step published.

`vaserl.grpo.loop_ahead` is the loop in which sampling and learning overlap.
"""

from vaserl.grpo.checks import NonFiniteGuard, check_parity
from vaserl.grpo.grpo import Grpo
from vaserl.grpo.parts import Engines, Learner, Rewards, RunRecorder
from vaserl.types import Weights


def train(grpo: Grpo, engines: Engines, rewards: Rewards, learner: Learner, recorder: RunRecorder) -> Weights:
    """Runs all steps of a run (sample, score, learn, publish) and returns the weights published last.

    Raises: ParityError when the learner's logprobs of a step's sampled tokens differ from the engine's by more than
    `max_logprob_gap` on average, or when after a publish an engine's logprobs of a fixed probe text differ from the
    learner's by more than `max_fingerprint_gap`. NonFiniteError when the loss or gradient of several steps in a row was
    not finite.
    """
    settings = grpo.settings
    nonfinite = NonFiniteGuard(settings.learner.max_nonfinite_steps)
    weights = learner.weights(version=1)
    published = engines.publish(weights)
    for step in range(1, settings.num_steps + 1):
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
        with recorder.phase(step, "publish"):
            weights = learner.weights(version=step + 1)
            published = engines.publish(weights)
        recorder.pieces(step, "learn", update.seconds)
        recorder.pieces(step, "publish", {**weights.seconds, **published.seconds})
        recorder.metrics(step, values)
        recorder.rollouts(step, draw.scored, draw.advantages_P_G)
        recorder.keep(step, weights, learner)
        nonfinite.check(update)
        check_parity(step, values, settings.max_logprob_gap)
    nonfinite.finish()
    return weights
