"""Computes the weighted sum of several reward functions' scores, and keeps the named parts of each score.

A function has no score for a completion if it returned None. The same holds if its remote service failed and the config
sets `on_failure = "neutral"`. The mean of the function's scores for the group's other completions is then used instead.
This function thus moves the completion neither above nor below the group's mean, and doesn't affect its advantage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vaserl.errors import UserError
from vaserl.rewards.call import FAILURES, BoundReward, Outcome, RewardError, Unavailable, bind, call_rewards
from vaserl.rewards.source import RewardSource, import_source, read_reward_source
from vaserl.types import Group, Score, ScoredGroup

if TYPE_CHECKING:
    from vaserl.settings import RewardSettings

# the two errors are listed because users' reward files import Unavailable from here
__all__ = ["RewardError", "Scorer", "Unavailable", "load_scorer", "make_scorer", "read_sources"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """Scores completions with a weighted sum of reward functions.

    Axes: F reward functions; P tasks, each with one group of completions; G completions of a group.
    """

    rewards: tuple[BoundReward, ...]
    """The F reward functions, in the order of the config."""
    weights: tuple[float, ...]
    """The F weights of the reward functions in the sum, in the same order."""
    questions: "Scorer | None" = None
    """Scorer of question tasks; None if this one scores them too."""

    @property
    def all_rewards(self) -> tuple[BoundReward, ...]:
        """The reward functions of captions, and those of questions."""
        return (*self.rewards, *(self.questions.rewards if self.questions else ()))

    def prepare(self, records: Sequence[Mapping[str, str]]) -> None:
        """Passes the museum's records of the training vases to each reward function that has a `prepare` method."""
        for reward in self.all_rewards:
            if hasattr(reward.function, "prepare"):
                reward.function.prepare(records)

    def check(self) -> list[str]:
        """Calls the `check` method of each reward function that has one.

        Returns: a warning for each service that does not answer and without which the run would go on (`on_failure`).
        Raises: UserError for any other service that does not answer; the message contains the function's name.
        """
        warnings = []
        for reward in self.rewards:
            if hasattr(reward.function, "check"):
                try:
                    reward.function.check()
                except FAILURES as error:
                    fault = f"reward {reward.name!r} has no service: {error}"
                    if reward.remote is None or reward.remote.on_failure == "stop":
                        raise UserError(fault) from error
                    warnings.append(fault)
        return warnings

    def score(self, group: Group) -> ScoredGroup:
        """Scores every completion of a group with the weighted sum of the reward functions.

        Raises: RewardError if a function raises, or returns a value that is not a finite score.
        """
        return self.score_all([group])[0]

    def score_all(self, groups: Sequence[Group]) -> list[ScoredGroup]:
        """Scores every completion of several groups; calls async and remote reward functions concurrently.

        Raises: RewardError if a function raises, or returns a value that is not a finite score.
        """
        if self.questions is not None:
            asked = iter(self.questions.score_all([group for group in groups if group.task.is_question]))
            others = replace(self, questions=None)
            captioned = iter(others.score_all([group for group in groups if not group.task.is_question]))
            return [next(asked if group.task.is_question else captioned) for group in groups]
        outcomes_F_P_G = call_rewards(self.rewards, groups)
        return [
            ScoredGroup(group=group, scores=self._sum(group, [outcomes_P_G[p] for outcomes_P_G in outcomes_F_P_G]))
            for p, group in enumerate(groups)
        ]

    def _sum(self, group: Group, outcomes_F_G: Sequence[Sequence[Outcome]]) -> tuple[Score, ...]:
        totals = [0.0] * len(group.completions)
        parts: list[dict[str, float]] = [{} for _ in group.completions]
        for reward, weight, outcomes_G in zip(self.rewards, self.weights, outcomes_F_G, strict=True):
            # a single function's parts keep their names; with several functions, each name is put before its parts
            prefix = "" if len(self.rewards) == 1 else f"{reward.name.rpartition(':')[2]}/"
            stated = [outcome.score.total for outcome in outcomes_G if outcome.score]
            neutral = sum(stated) / len(stated) if stated else 0.0
            for member, (score, failed) in enumerate(outcomes_G):
                totals[member] += weight * (neutral if score is None else score.total)
                if score is not None:
                    parts[member].update({f"{prefix}{part}": value for part, value in score.parts.items()})
                    if prefix:
                        parts[member][f"{prefix}total"] = score.total
                if reward.remote is not None:
                    parts[member][f"{prefix}failed"] = float(failed)
        return tuple(Score(total=total, parts=part) for total, part in zip(totals, parts, strict=True))


def make_scorer(settings: "RewardSettings", sources: Sequence[RewardSource] = ()) -> Scorer:
    """Imports the reward functions listed in the settings and returns the scorer that sums them.

    sources: code of the functions if it was read on another machine; if empty, the code is read on this machine.

    Raises: UserError if a function can't be found, imported or called, or if it needs more GPUs than
    `reward.num_gpus`; the message contains the function's name.
    """
    rewards: dict[str, BoundReward] = {}
    for source, name in zip(sources or read_sources(settings), settings.short_names, strict=True):
        found = import_source(source)
        needed = getattr(found, "num_gpus", 0)  # attribute of a function or class that needs GPUs
        if needed > settings.num_gpus:
            raise UserError(
                f"reward {source.name!r} needs num_gpus = {needed:g}, but reward.num_gpus is {settings.num_gpus:g}"
            )
        bound = bind(source.name, found, settings.arguments.get(name, {}), settings.remote.get(name))
        rewards[source.name] = bound
    return Scorer(
        rewards=tuple(rewards[name] for name in settings.functions),
        weights=settings.weights or (1.0,) * len(settings.functions),
        questions=_unweighted([rewards[name] for name in settings.questions]) if settings.questions else None,
    )


def _unweighted(rewards: Sequence[BoundReward]) -> Scorer:
    return Scorer(rewards=tuple(rewards), weights=(1.0,) * len(rewards))


def read_sources(settings: "RewardSettings") -> tuple[RewardSource, ...]:
    """Reads the code of each reward function listed in the settings from this machine.

    Raises: UserError if the code of a function can't be found; the message contains the function's name.
    """
    return tuple(map(read_reward_source, settings.all_functions))


def load_scorer(names: Sequence[str], weights: Sequence[float] = ()) -> Scorer:
    """Returns a scorer for reward functions that need no arguments.

    names: names of the functions, written as in a config. weights: weight of each function; all are 1 if empty.

    Raises: UserError if a function can't be found, imported or called.
    """
    from vaserl.settings import RewardSettings

    return make_scorer(RewardSettings(functions=tuple(names), weights=tuple(weights)))
