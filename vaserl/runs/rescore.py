"""Applies another reward to the stored completions of a GRPO run and computes the advantages that result.

The advantages are computed with the run's settings. The completions passed to the reward functions have no
log-probabilities.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vaserl.errors import UserError
from vaserl.grpo import advantages, punish_overlong
from vaserl.rewards import Scorer
from vaserl.rewards.vase import REWARD_VERSION
from vaserl.runs.rows import RolloutRow
from vaserl.runs.run import Run
from vaserl.settings import TrainSettings
from vaserl.types import Completion, Group, ScoredGroup, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One completion with its reward and advantage, under the run's reward (old) and under another reward (new)."""

    step: int
    task: str
    """Id of the task (a prompt about one vase)."""
    member: int
    """Index of the completion in its group (completions sampled for one task), from 0."""
    old_reward: float
    """Total reward of the completion under the run's reward."""
    new_reward: float
    """Total reward of the completion under the other reward."""
    old_advantage: float
    new_advantage: float
    text: str
    """Text of the completion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """Comparison of a run's reward (old) with another reward (new) over all completions of the run."""

    num_completions: int
    num_groups: int
    old_version: str | None
    """Version of the vase reward that the run's scores are of; None if the run used other reward functions only."""
    new_version: str | None
    """Version of the vase reward that computes the new scores; None if the other reward has no vase reward."""
    old_mean: float
    """Mean of the run's reward over all completions."""
    new_mean: float
    """Mean of the other reward over all completions."""
    rank_correlation: float | None
    """Spearman's rank correlation between the old and the new reward over all completions. None if one of the rewards
    is the same for all completions."""
    rank_correlation_in_group: float | None
    """Spearman's rank correlation between the old and the new reward within a group, averaged over the groups in which
    both rewards vary. None if there is no such group."""
    sign_changes: float
    """Fraction of completions whose old and new advantages have opposite signs."""
    lost: float
    """Fraction of completions whose old advantage is not 0 and whose new advantage is 0."""
    gained: float
    """Fraction of completions whose old advantage is 0 and whose new advantage is not 0."""
    biggest: tuple[Change, ...]
    """Completions whose advantage changes most, sorted by the size of the change, largest first."""


def rescore(run: Run, scorer: Scorer, *, num_biggest: int = 20) -> Rescored:
    """Scores all stored completions of a GRPO run with `scorer` and compares the result with the run's own reward.

    Before that, the museum's records stored with the completions are passed to `scorer.prepare`.

    num_biggest: number of completions in `Rescored.biggest`.

    Raises: UserError if the run has no stored completions or they can't be read; RewardError if a reward function
    fails.
    """
    if not run.steps:
        raise UserError(f"{run.path} has no rollouts; a GRPO run stores them with every step")
    settings = run.settings
    records = {row.task: row.record for step in run.steps for row in run.rollouts(step)}
    scorer.prepare([record for record in records.values() if record])
    changes: list[list[Change]] = []
    for step in run.steps:
        rows_P_G = list(_groups(run.rollouts(step)))
        scored = scorer.score_all([_group(rows_G) for rows_G in rows_P_G])
        scored = punish_overlong(scored, settings.overlong, settings.rollout.max_new_tokens)
        new_P_G = _new_advantages(scored, settings)
        changes += [_changes(r, s, new_G) for r, s, new_G in zip(rows_P_G, scored, new_P_G, strict=True)]
    used = any(name.startswith(_VASE_REWARDS) for name in settings.reward.all_functions)
    now = any(reward.name.startswith(_VASE_REWARDS) for reward in scorer.all_rewards)
    return _summary(changes, num_biggest, run.versions.vase_reward if used else None, REWARD_VERSION if now else None)


_VASE_REWARDS = ("vaserl.rewards:", "vaserl.rewards.vase")


def _groups(rows: Sequence[RolloutRow]) -> Iterator[list[RolloutRow]]:
    """Yields the rows of each group. A new group starts at each row with member 0; the task's id can't be used, because
    two consecutive groups may have the same task."""
    group: list[RolloutRow] = []
    for row in rows:
        if group and row.member == 0:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _group(rows_G: Sequence[RolloutRow]) -> Group:
    first = rows_G[0]
    task = Task(
        id=first.task,
        clip=first.clip,
        prompt=first.prompt,
        dimensions=first.dimensions,
        record=first.record,
        reference=first.reference,
    )
    completions = tuple(
        Completion(
            text=row.completion,
            token_ids=row.token_ids,
            logprobs=(),
            finish_reason=row.finish_reason,
            weights_version=row.weights_version,
        )
        for row in rows_G
    )
    return Group(task=task, prompt_ids=(), completions=completions)


def _new_advantages(scored: Sequence[ScoredGroup], settings: TrainSettings) -> list[tuple[float, ...]]:
    weights = settings.advantage.weights if settings.advantage.per_dimension else None
    if weights and not any(set(weights) & set(score.parts) for group in scored for score in group.scores):
        return advantages(scored)  # the run's weights name no part of the other reward
    return advantages(scored, normalise=settings.loss.normalise_advantages, part_weights=weights)


def _changes(rows_G: Sequence[RolloutRow], scored: ScoredGroup, new_G: Sequence[float]) -> list[Change]:
    return [
        Change(
            step=row.step,
            task=row.task,
            member=row.member,
            old_reward=row.reward,
            new_reward=score.total,
            old_advantage=row.advantage,
            new_advantage=advantage,
            text=row.completion,
        )
        for row, score, advantage in zip(rows_G, scored.scores, new_G, strict=True)
    ]


def _summary(
    changes_P_G: Sequence[Sequence[Change]], num_biggest: int, old_version: str | None, new_version: str | None
) -> Rescored:
    flat = [change for group in changes_P_G for change in group]
    old = np.array([change.old_reward for change in flat])
    new = np.array([change.new_reward for change in flat])
    old_sign = np.sign([change.old_advantage for change in flat])
    new_sign = np.sign([change.new_advantage for change in flat])
    in_group = [
        correlation
        for group in changes_P_G
        if (correlation := spearman([c.old_reward for c in group], [c.new_reward for c in group])) is not None
    ]
    order = sorted(flat, key=lambda change: -abs(change.new_advantage - change.old_advantage))
    return Rescored(
        num_completions=len(flat),
        num_groups=len(changes_P_G),
        old_version=old_version,
        new_version=new_version,
        old_mean=float(old.mean()),
        new_mean=float(new.mean()),
        rank_correlation=spearman(old, new),
        rank_correlation_in_group=float(np.mean(in_group)) if in_group else None,
        sign_changes=float((old_sign * new_sign < 0).mean()),
        lost=float(((old_sign != 0) & (new_sign == 0)).mean()),
        gained=float(((old_sign == 0) & (new_sign != 0)).mean()),
        biggest=tuple(order[:num_biggest]),
    )


def spearman(a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray) -> float | None:
    """Returns Spearman's rank correlation of `a` and `b`. Equal values get their mean rank. None if `a` or `b` has
    fewer than two different values."""
    from scipy.stats import rankdata

    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
