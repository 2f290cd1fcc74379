"""Audits a reward before a run: what the constant answer, another vase's reference and every known attack would earn.

The constant answer is one caption for all vases. Only the targets are needed. A reward worth training on leaves a wide
gap between `honest` and everything else; in a dimension of low entropy the constant answer is often right.
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
    """The reward that one kind of caption earns over the targets."""

    mean: float
    """Mean reward."""
    highest: float
    """Highest reward on any target."""
    share_at_honest: float
    """Share of targets on which the caption earns at least as much as the vase's own reference, in [0, 1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Distribution of the targets' values of one dimension."""

    num_targets: int
    """Number of targets that state the dimension."""
    num_values: int
    """Number of distinct values."""
    bits: float
    """Shannon entropy of the values; log2(num_values) if all are equally common."""
    share_of_commonest: float
    """Share of targets with the commonest value, in [0, 1]: how often the constant answer is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Result of auditing a reward on a set of targets."""

    num_targets: int
    num_attacked: int
    """Number of targets on which the attacks were tried."""
    honest: Earned
    """What each vase's own reference earns."""
    constant_caption: str
    """The constant answer: a caption with the commonest value of every dimension."""
    constant: Earned
    """What `constant_caption` earns when every vase gets it."""
    shuffled: Earned
    """What the reference of another vase earns."""
    attacks: Mapping[str, Earned]
    """What each attack earns, by the attack's name."""
    spread: Mapping[Dimension, Spread]
    """Distribution of the targets' values in each dimension that at least one target states."""


def audit(tasks: Sequence[Task], scorer: Scorer, *, seed: int = 0, max_attacked: int = 500) -> Audit:
    """Scores captions that need no picture against every task, and attacks against `max_attacked` randomly drawn tasks.

    Raises: ValueError for fewer than two tasks, because a single one can't be shuffled.
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
    """Returns the distribution of one dimension's values; an empty tuple stands for a target that doesn't state it."""
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
