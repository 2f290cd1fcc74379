"""Another reward on the rollouts that a run has stored: what it would have said, and what would have been learned.

The advantages are formed as the run formed its own. Reward functions see everything but the log-probabilities.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from vaserl.errors import UserError
from vaserl.grpo.advantage import credit
from vaserl.grpo.overlong import punish_overlong
from vaserl.rewards import Scorer
from vaserl.settings import OverlongSettings
from vaserl.types import DIMENSIONS, Completion, Group, ScoredGroup, Task

COLUMNS = (
    *("step", "task", "member", "prompt", "completion", "reference", "record", "clip"),
    *("reward", "parts", "advantage", "token_ids", "finish_reason", "weights_version"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One completion under both rewards."""

    step: int
    """The training step."""
    task: str
    """Id of the task."""
    member: int
    """Place in its group."""
    old_reward: float
    """As the run scored it."""
    new_reward: float
    """As the other reward scores it."""
    old_advantage: float
    """What the run learned from."""
    new_advantage: float
    """What it would have learned from."""
    text: str
    """The completion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """A run under another reward."""

    num_completions: int
    """Completions of all steps."""
    num_groups: int
    """Their groups."""
    old_mean: float
    """Mean reward of the run."""
    new_mean: float
    """Mean of the other reward."""
    rank_correlation: float | None
    """Spearman's, over all completions; None where one of the two rewards is the same for all."""
    rank_correlation_in_group: float | None
    """Mean over the groups in which both rewards differ; None where there is none."""
    sign_changes: float
    """Share of completions whose advantage turns from above 0 to below, or the other way."""
    lost: float
    """Share whose advantage becomes 0."""
    gained: float
    """Share whose advantage was 0 and is no more."""
    biggest: tuple[Change, ...]
    """The completions whose advantage changes most, most first."""


def rescore(run_dir: Path, scorer: Scorer, *, num_biggest: int = 20) -> Rescored:
    """Applies `scorer` to all rollouts of a run. Functions that learn from records are shown those of the rollouts.

    Raises: UserError when the run has no rollouts, or they lack a column; RewardError as the functions do.
    """
    rows_P_G = list(_groups(read_rollouts(run_dir)))
    groups = [_group(rows_G) for rows_G in rows_P_G]
    scorer.prepare([record for record in {group.task.id: group.task.record for group in groups}.values() if record])
    settings, (overlong, limit) = run_settings(run_dir), run_overlong(run_dir)
    changes: list[list[Change]] = []
    for _, step in groupby(zip(rows_P_G, groups, strict=True), key=lambda pair: pair[0][0]["step"]):
        rows, of_step = zip(*step, strict=True)
        scored = punish_overlong(scorer.score_all(of_step), overlong, limit)
        new_P_G = _credit(scored, settings)
        changes += [_changes(r, s, new_G) for r, s, new_G in zip(rows, scored, new_P_G, strict=True)]
    return _summary(changes, num_biggest)


def read_rollouts(run_dir: Path) -> list[dict[str, Any]]:
    """Every stored completion, by step. Raises: UserError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = sorted((run_dir / "rollouts").glob("step=*.parquet"))
    if not paths:
        hint = f"; did you mean {run_dir / 'grpo'}?" if (run_dir / "grpo" / "rollouts").is_dir() else ""
        raise UserError(f"run {run_dir} has no rollouts/step=*.parquet{hint}")
    rows = []
    for path in paths:
        try:
            rows += pq.ParquetFile(path).read(columns=list(COLUMNS)).to_pylist()
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"{path} can't be read: {error}") from error
        lacking = [name for name in COLUMNS if name not in rows[-1]] if rows else []
        if lacking:
            raise UserError(f"{path} lacks the columns {', '.join(lacking)}; it was written by another version")
    return rows


def run_settings(run_dir: Path) -> Mapping[str, Any]:
    """How the run formed its advantages: {"normalise", "part_weights"} as `credit` takes them."""
    values = _run_config(run_dir)
    advantage = values.get("advantage", {})
    return {
        "normalise": values.get("loss", {}).get("normalise_advantages", True),
        "part_weights": advantage.get("weights") if advantage.get("per_dimension") else None,
    }


def run_overlong(run_dir: Path) -> tuple[OverlongSettings, int]:
    """What length cost in the run beside its reward, and the token limit."""
    values = _run_config(run_dir)
    return OverlongSettings(**values.get("overlong", {})), values.get("rollout", {}).get("max_new_tokens", 0)


def _run_config(run_dir: Path) -> Mapping[str, Any]:
    path = run_dir / "config.toml"
    return tomllib.loads(path.read_text()) if path.is_file() else {}


def _groups(rows: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Rows in file order, cut where a group begins: one task may come twice in a step."""
    group: list[dict[str, Any]] = []
    for row in rows:
        if group and row["member"] == 0:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _group(rows_G: Sequence[dict[str, Any]]) -> Group:
    first = rows_G[0]
    asked = {name.removeprefix("has_target/") for name in json.loads(first["parts"]) if name.startswith("has_target/")}
    task = Task(
        id=first["task"],
        clip=first["clip"],
        prompt=first["prompt"],
        # the vase reward leaves a mark for each dimension it was asked for; without it, all were
        dimensions=tuple(d for d in DIMENSIONS if d in asked) or DIMENSIONS,
        record=json.loads(first["record"]),
        reference=first["reference"],
    )
    completions = tuple(
        Completion(
            text=row["completion"],
            token_ids=tuple(row["token_ids"]),
            logprobs=(),
            finish_reason=row["finish_reason"],
            weights_version=row["weights_version"],
        )
        for row in rows_G
    )
    return Group(task=task, prompt_ids=(), completions=completions)


def _credit(scored: Sequence[ScoredGroup], settings: Mapping[str, Any]) -> list[tuple[float, ...]]:
    weights = settings["part_weights"]
    if weights and not any(set(weights) & set(score.parts) for group in scored for score in group.scores):
        return credit(scored)  # another reward has other parts: the run's weights say nothing of them
    return credit(scored, **settings)


def _changes(rows_G: Sequence[dict[str, Any]], scored: ScoredGroup, new_G: Sequence[float]) -> list[Change]:
    return [
        Change(
            step=row["step"],
            task=row["task"],
            member=row["member"],
            old_reward=row["reward"],
            new_reward=score.total,
            old_advantage=row["advantage"],
            new_advantage=advantage,
            text=row["completion"],
        )
        for row, score, advantage in zip(rows_G, scored.scores, new_G, strict=True)
    ]


def _summary(changes_P_G: Sequence[Sequence[Change]], num_biggest: int) -> Rescored:
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
    """Spearman's rank correlation, ties at their mean rank; None where one of the two doesn't vary."""
    from scipy.stats import rankdata

    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
