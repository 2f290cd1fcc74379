"""Validates the weights of a step within a training loop, if the step is due."""

from collections.abc import Callable, Mapping, Sequence

from vaserl.grpo.grpo import Grpo
from vaserl.grpo.parts import Rewards, RunRecorder
from vaserl.types import Group, Task


def validate(
    grpo: Grpo,
    step: int,
    greedy: Callable[[Sequence[Task]], list[Group]],
    rewards: Rewards,
    recorder: RunRecorder,
) -> Mapping[str, float]:
    """Captions and scores the run's validation vases with the weights that a step produced, if the step is due.

    Returns: the validation metrics by name; empty if the step is not due. step: 0 for the weights before the first
    step. greedy: function that captions tasks by greedy decoding with those weights.
    """
    validation = grpo.validation
    if validation is None or not validation.is_due(step):
        return {}
    with recorder.phase(step, "validate"):
        values = validation.record(step, rewards.score(greedy(validation.tasks)))
    recorder.track(step, values)
    return values
