"""Audits a reward before a training run: computes the rewards of captions written without seeing the vase.

These are one constant caption for all vases, another vase's reference caption, and adversarial captions ("attacks").
The audit needs only targets (records or reference captions), no videos. For a useful reward, the mean reward of each
vase's own reference caption (`honest`) is far above all others. In a dimension of low entropy, the constant caption is
often right.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np

from vaserl.evaluation.constant_caption import constant_caption_from_facts
from vaserl.evaluation.predictions import completion_of
from vaserl.rewards import Scorer
from vaserl.rewards.vase import target_facts
from vaserl.rewards.vase.attacks import attacks
from vaserl.types import DIMENSIONS, Dimension, Group, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """Statistics of the rewards that one kind of caption gets on a set of targets."""

    mean: float
    """Mean reward over the targets."""
    highest: float
    """Highest reward on one target."""
    share_at_honest: float
    """Share of targets on which the reward is at least that of the vase's own reference caption, in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Distribution of the targets' values in one dimension, such as their shapes."""

    num_targets: int
    """Number of targets that have a value in the dimension."""
    num_values: int
    """Number of distinct values among these targets."""
    bits: float
    """Shannon entropy of the values in bits; log2(num_values) if all values are equally common."""
    share_of_commonest: float
    """Share of targets with the commonest value, in [0, 1]. It is the accuracy of a caption that always states it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Result of auditing a reward on a set of targets."""

    num_targets: int
    num_attacked: int
    """Number of targets on which the adversarial captions were scored."""
    honest: Earned
    """Rewards of each vase's own reference caption."""
    constant_caption: str
    """The caption with the commonest value of every dimension."""
    constant: Earned
    """Rewards of `constant_caption`, scored on every vase."""
    shuffled: Earned
    """Rewards of another vase's reference caption."""
    attacks: Mapping[str, Earned]
    """Rewards of each kind of adversarial caption, by name: "all shapes", "three times", …"""
    spread: Mapping[Dimension, Spread]
    """Distribution of the targets' values in each dimension for which at least one target has a value."""


def audit(tasks: Sequence[Task], scorer: Scorer, *, seed: int = 0, max_attacked: int = 500) -> Audit:
    """Scores captions that can be written without a picture, and returns statistics of their rewards.

    Reference captions and the constant caption are scored on all tasks. Adversarial captions are scored on at most
    `max_attacked` tasks, drawn at random.

    Raises: ValueError for fewer than two tasks, because no other vase's reference caption exists for a single task.
    """
    if len(tasks) < 2:
        raise ValueError(f"an audit needs at least two targets, got {len(tasks)}")
    rng = np.random.default_rng(seed)
    honest = _rewards(tasks, [task.reference for task in tasks], scorer)
    facts = [target_facts(task) for task in tasks]
    constant = constant_caption_from_facts(facts)
    # along one cycle through all tasks, so that no task gets its own reference
    cycle = rng.permutation(len(tasks))
    others = [""] * len(tasks)
    for place, index in enumerate(cycle):
        others[index] = tasks[cycle[place - 1]].reference
    drawn = np.sort(rng.permutation(len(tasks))[:max_attacked])
    attacked = [tasks[i] for i in drawn]
    texts = [attacks(task.reference, task.prompt, seed) for task in attacked]
    names = [name for name in texts[0] if all(name in each for each in texts)]
    return Audit(
        num_targets=len(tasks),
        num_attacked=len(attacked),
        honest=_earned(honest, honest),
        constant_caption=constant,
        constant=_earned(_rewards(tasks, [constant] * len(tasks), scorer), honest),
        shuffled=_earned(_rewards(tasks, others, scorer), honest),
        attacks={
            name: _earned(_rewards(attacked, [each[name] for each in texts], scorer), honest[drawn]) for name in names
        },
        spread={d: spread for d in DIMENSIONS if (spread := spread_of([f[d] for f in facts])).num_targets},
    )


def spread_of(values: Sequence[tuple]) -> Spread:
    """Returns the distribution of one dimension's values; `values` has an empty tuple for a target without a value."""
    counts = Counter(value for value in values if value)
    total = counts.total()
    shares = [count / total for count in counts.values()]
    return Spread(
        num_targets=total,
        num_values=len(counts),
        bits=-sum(share * log2(share) for share in shares) + 0.0,
        share_of_commonest=max(shares, default=0.0),
    )


def _rewards(tasks: Sequence[Task], texts: Sequence[str], scorer: Scorer) -> np.ndarray:
    groups = [
        Group(task=task, prompt_ids=(), completions=(completion_of(text),))
        for task, text in zip(tasks, texts, strict=True)
    ]
    return np.array([scored.scores[0].total for scored in scorer.score_all(groups)])


def _earned(rewards: np.ndarray, honest: np.ndarray) -> Earned:
    return Earned(
        mean=float(rewards.mean()),
        highest=float(rewards.max()),
        share_at_honest=float((rewards >= honest - 1e-12).mean()),
    )
