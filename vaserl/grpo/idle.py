"""Stops a GRPO run whose steps train nothing.

A step trains nothing if all of its groups have equal rewards within the group, or if `loss.mask_truncated` leaves out
every completion. Single steps of this kind are normal. A run of them produces weights that equal the base model's, and
without a check such a run ends like a successful one.
"""

from collections import deque
from collections.abc import Iterable, Mapping

from vaserl.errors import UserError


class IdleSteps:
    """Counts a run's steps that trained nothing, in total and in a row.

    Call `observe` after the metrics of each step are recorded, and `finish` after the last step.
    """

    def __init__(self, max_skipped_steps: int, earlier: Iterable[Mapping[str, float]] = ()):
        """max_skipped_steps: number of idle steps in a row that stops the run; 0 sets no limit. earlier: metrics of the
        steps before a resume, which are counted as well and never stop the run."""
        self._limit = max_skipped_steps
        self._recent: deque[Mapping[str, float]] = deque(maxlen=max(1, max_skipped_steps))
        self._num_in_row = self.num_idle = self.num_steps = 0
        for values in earlier:
            self._count(values)

    def observe(self, step: int, values: Mapping[str, float]) -> None:
        """Counts one step. values: the step's metrics.

        Raises: UserError when `max_skipped_steps` steps in a row trained nothing.
        """
        self._count(values)
        if self._limit and self._num_in_row >= self._limit:
            raise UserError(
                f"step {step}: the last {self._num_in_row} steps trained nothing: {_reason(self._recent)}. The run is "
                "stopped, because more steps of this kind would change nothing either (max_skipped_steps = "
                f"{self._limit})"
            )

    def finish(self) -> None:
        """Checks that a step of the run trained something.

        Raises: UserError when all steps of the run trained nothing.
        """
        if self.num_steps and self.num_idle == self.num_steps:
            raise UserError(
                f"none of the run's {self.num_steps} steps trained anything: {_reason(self._recent)}. The last weights "
                "equal the first ones"
            )

    def _count(self, values: Mapping[str, float]) -> None:
        is_idle = _is_idle(values)
        self.num_steps += 1
        self.num_idle += is_idle
        self._num_in_row = self._num_in_row + 1 if is_idle else 0
        if not is_idle:
            self._recent.clear()
        else:
            self._recent.append(values)


def _is_idle(values: Mapping[str, float]) -> bool:
    """Tells whether a step had no reward signal to learn from. With loss.beta > 0 such a step is not skipped, but it
    only moves the policy back to the reference."""
    # a step that was skipped because its loss or gradient is not finite had a signal
    return (bool(values.get("skipped")) and not values.get("nonfinite")) or values.get("zero_variance_share") == 1.0


def _reason(steps: Iterable[Mapping[str, float]]) -> str:
    """Returns what the steps have in common, and the setting to change."""
    rows = list(steps)

    def low_to_high(name: str) -> str:
        found = [row[name] for row in rows if name in row]
        low, high = min(found, default=0.0), max(found, default=0.0)
        return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"

    rewards = f"reward mean {low_to_high('reward/mean')}, std {low_to_high('reward/std')}"
    if all(row.get("zero_variance_share") == 1.0 for row in rows):
        return (
            f"in every group the rewards were equal ({rewards}), so no completion is better than the others. Check "
            "the reward functions on a few completions, or raise rollout.temperature or rollout.group_size"
        )
    if all(row.get("truncated_share") == 1.0 for row in rows):
        return (
            "all completions were cut at rollout.max_new_tokens, and loss.mask_truncated leaves cut completions out "
            f"({rewards}). Raise rollout.max_new_tokens, or set loss.mask_truncated to false"
        )
    return (
        f"the groups with unequal rewards had only completions that loss.mask_truncated leaves out ({rewards}; share "
        f"of cut completions {low_to_high('truncated_share')}, of groups with equal rewards "
        f"{low_to_high('zero_variance_share')}). Raise rollout.max_new_tokens, or set loss.mask_truncated to false"
    )
