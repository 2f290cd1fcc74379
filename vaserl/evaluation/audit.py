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
from typing import Any

import numpy as np

from vaserl.evaluation.baselines import GuessFromOthers
from vaserl.evaluation.constant_caption import constant_caption_from_facts
from vaserl.evaluation.dimensions import Values
from vaserl.evaluation.predictions import completion_of
from vaserl.evaluation.reading import canonical_values
from vaserl.rewards import Scorer
from vaserl.rewards.vase import Facts, caption_from_facts, target_facts
from vaserl.rewards.vase.attacks import attacks
from vaserl.types import DIMENSIONS, Dimension, Group, Score, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """Statistics of the rewards that one kind of caption gets on a set of targets."""

    num_targets: int
    """Number of targets for which this kind of caption exists; only a scene with an action has roles to turn around."""
    mean: float
    """Mean reward over the targets."""
    highest: float
    """Highest reward on one target."""
    share_at_honest: float
    """Share of targets on which the reward is at least that of the vase's own reference caption, in [0, 1]."""
    share_below: float
    """Share of targets on which the reward is at least 0.05 below that of the vase's own reference caption."""


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
class Guesses:
    """What statements earn in one dimension, as means over the targets that have a value in it. Silence earns 0."""

    right: float
    """The vase's own value."""
    wrong: float
    """Another vase's value that is wrong; 0 if all targets have the same value."""
    commonest: float
    """The commonest value, stated of every vase."""
    drawn: float
    """The value of another vase, so that each value is guessed as often as it occurs."""
    from_others: float
    """The likeliest value by the vase's other five dimensions: naive Bayes (`GuessFromOthers`), fitted on one half of
    the targets and scored on the other half."""
    half_right: float
    """An honest statement in doubt: the own value and a wrong one, each in half of the cases."""
    pays_from: float
    """Smallest probability of being right from which a guess earns more than silence."""


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
    guesses: Mapping[Dimension, Guesses]
    """What guessing a value earns in each dimension of `spread` for which the scores have a part."""


def audit(tasks: Sequence[Task], scorer: Scorer, *, seed: int = 0, max_attacked: int = 500) -> Audit:
    """Scores captions that can be written without a picture, and returns statistics of their rewards.

    Reference captions and the constant caption are scored on all tasks. Adversarial captions are scored on at most
    `max_attacked` tasks, drawn at random.

    Raises: ValueError for fewer than two tasks, because no other vase's reference caption exists for a single task.
    """
    if len(tasks) < 2:
        raise ValueError(f"an audit needs at least two targets, got {len(tasks)}")
    rng = np.random.default_rng(seed)
    references = [task.reference for task in tasks]
    honest = _totals(_scores(tasks, references, scorer))
    facts = [target_facts(task) for task in tasks]
    constant = constant_caption_from_facts(facts)
    # along one cycle through all tasks, so that no task gets its own reference
    cycle = rng.permutation(len(tasks))
    others = [""] * len(tasks)
    for place, index in enumerate(cycle):
        others[index] = tasks[cycle[place - 1]].reference
    shuffled = _scores(tasks, others, scorer)
    spreads: dict[Dimension, Spread] = {d: spread_of([f[d] for f in facts]) for d in DIMENSIONS}
    spread: dict[Dimension, Spread] = {d: found for d, found in spreads.items() if found.num_targets}
    drawn = np.sort(rng.permutation(len(tasks))[:max_attacked])
    texts = {index: attacks(tasks[index].reference, tasks[index].prompt, seed) for index in drawn}
    attacked: dict[str, Earned] = {}
    for name in dict.fromkeys(name for each in texts.values() for name in each):
        places = [index for index in drawn if name in texts[index]]
        scores = _scores([tasks[i] for i in places], [texts[i][name] for i in places], scorer)
        attacked[name] = _earned(_totals(scores), honest[places])
    return Audit(
        num_targets=len(tasks),
        num_attacked=len(drawn),
        honest=_earned(honest, honest),
        constant_caption=constant,
        constant=_earned(_totals(_scores(tasks, [constant] * len(tasks), scorer)), honest),
        shuffled=_earned(_totals(shuffled), honest),
        attacks=attacked,
        spread=spread,
        guesses=_guesses(tasks, facts, shuffled, scorer, list(spread)),
    )


def _guesses(
    tasks: Sequence[Task],
    facts: Sequence[Facts],
    shuffled: Sequence[Score],
    scorer: Scorer,
    dimensions: list[Dimension],
) -> dict[Dimension, Guesses]:
    """shuffled: scores of another vase's reference caption, for each task."""
    # the value that most vases state; in the constant caption a dimension that most do not state is left out
    stated: dict[str, Any] = {d: Counter(f[d] for f in facts if f[d]).most_common(1)[0][0] for d in dimensions}
    own = _scores(tasks, [task.reference for task in tasks], scorer)
    commonest = _scores(tasks, [caption_from_facts(Facts(**stated))] * len(tasks), scorer)
    values = [canonical_values(each) for each in facts]
    found = {}
    for dimension in dimensions:
        right, common = ([s.parts[dimension] for s in scores if dimension in s.parts] for scores in (own, commonest))
        guessed = [s for s in shuffled if s.parts.get(f"stated/{dimension}")]
        if not right or not guessed:
            continue  # a user's reward need not have these parts
        mean_right = float(np.mean(right))
        missed = [s.parts[dimension] for s in guessed if not s.parts[f"right/{dimension}"]]
        mean_wrong = float(np.mean(missed)) if missed else 0.0
        hit = _share_from_others(values, dimension)
        found[dimension] = Guesses(
            from_others=hit * mean_right + (1 - hit) * mean_wrong,
            right=mean_right,
            wrong=mean_wrong,
            commonest=float(np.mean(common)),
            drawn=float(np.mean([s.parts[dimension] for s in guessed])),
            half_right=(mean_right + mean_wrong) / 2,
            pays_from=max(0.0, -mean_wrong) / (mean_right - mean_wrong),
        )
    return found


def _share_from_others(values: Sequence[Values], dimension: Dimension) -> float:
    """Returns the share of vases whose value the other dimensions predict, by two-fold cross-validation."""
    halves = values[::2], values[1::2]
    right = []
    for fitted, held_out in (halves, halves[::-1]):
        guess = GuessFromOthers(fitted, dimension)
        right += [guess(each) == each[dimension] for each in held_out if each[dimension] is not None]
    return float(np.mean(right))


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


def _scores(tasks: Sequence[Task], texts: Sequence[str], scorer: Scorer) -> list[Score]:
    groups = [
        Group(task=task, prompt_ids=(), completions=(completion_of(text),))
        for task, text in zip(tasks, texts, strict=True)
    ]
    return [scored.scores[0] for scored in scorer.score_all(groups)]


def _totals(scores: Sequence[Score]) -> np.ndarray:
    return np.array([score.total for score in scores])


def _earned(rewards: np.ndarray, honest: np.ndarray) -> Earned:
    return Earned(
        num_targets=len(rewards),
        mean=float(rewards.mean()),
        highest=float(rewards.max()),
        share_at_honest=float((rewards >= honest - 1e-12).mean()),
        share_below=float((rewards <= honest - CLEAR_MARGIN).mean()),
    )


CLEAR_MARGIN = 0.05
"""Difference of rewards from which a caption is clearly below another one."""
