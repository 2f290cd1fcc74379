"""Two baselines that need no picture: the commonest value, and a guess from the other five dimensions.

Records are correlated (a white-ground vase is a lekythos, a painter works in one technique), so a caption may be
right about a dimension that the model did not read from the video. Only accuracy above these baselines counts as read
from pixels.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from math import log

import numpy as np

from vaserl.evaluation.dimensions import Values
from vaserl.types import DIMENSIONS, Dimension

SameValue = Callable[[Dimension, str, str], bool]
"""Function of (dimension, guess, truth) that returns True if the guess counts as right."""

SMOOTHING = 0.5
"""Pseudo-count of every value (Jeffreys' prior)."""


def same_exactly(dimension: Dimension, guess: str, truth: str) -> bool:
    """Compares canonical values for equality; the default `SameValue`."""
    return guess == truth


def majority_value(train: Sequence[Values], dimension: Dimension) -> str | None:
    """Returns the training records' commonest value, the alphabetically first on a tie; None without values."""
    counts = Counter(value for values in train if (value := values.get(dimension)) is not None)
    return min(counts, key=lambda value: (-counts[value], value)) if counts else None


class GuessFromOthers:
    """A naive Bayes classifier that predicts one dimension from the other five, fitted by counting.

    argmax over v of  log(n(v) + s) + Σ over the other dimensions e of  log((n(v, x_e) + s) / (n(v, e) + s·K_e)),
    with n(v) the number of training records of value v, n(v, x_e) of those that also have this vase's value x_e,
    n(v, e) of those that state e at all, K_e the number of values of e, s the smoothing. Evidence that the vase lacks,
    or that no training record has, is left out. On a tie the alphabetically first value wins.
    """

    def __init__(self, train: Sequence[Values], dimension: Dimension, smoothing: float = SMOOTHING) -> None:
        if smoothing <= 0:
            raise ValueError(f"smoothing must be above 0, got {smoothing}: an unseen pair would have log 0")
        self.dimension = dimension
        self._others: tuple[Dimension, ...] = tuple(other for other in DIMENSIONS if other != dimension)
        self._smoothing = smoothing
        self._num: Counter[str] = Counter()
        self._num_stating: Counter[tuple[str, Dimension]] = Counter()
        self._num_with: Counter[tuple[str, Dimension, str]] = Counter()
        self._values: defaultdict[Dimension, set[str]] = defaultdict(set)
        for values in train:
            target = values.get(dimension)
            if target is None:
                continue
            self._num[target] += 1
            for other in self._others:
                if (evidence := values.get(other)) is not None:
                    self._num_stating[target, other] += 1
                    self._num_with[target, other, evidence] += 1
                    self._values[other].add(evidence)

    def __call__(self, values: Values) -> str | None:
        """Returns the guess for a vase, without using its own value of the dimension; None without training values."""
        evidence: list[tuple[Dimension, str]] = [
            (other, value)
            for other in self._others
            if (value := values.get(other)) is not None and value in self._values[other]
        ]
        return max(sorted(self._num), key=lambda target: self._log_score(target, evidence), default=None)

    def _log_score(self, target: str, evidence: Sequence[tuple[Dimension, str]]) -> float:
        s = self._smoothing
        score = log(self._num[target] + s)
        for other, value in evidence:
            seen = self._num_with[target, other, value] + s
            score += log(seen / (self._num_stating[target, other] + s * len(self._values[other])))
        return score


def hits(dimension: Dimension, guesses: Sequence[str | None], truths: Sequence[Values], same: SameValue) -> np.ndarray:
    """Returns which of the N guesses are right, bool [N]; False where the vase has no value."""
    found = np.zeros(len(truths), dtype=bool)
    for n, (guess, values) in enumerate(zip(guesses, truths, strict=True)):
        truth = values.get(dimension)
        found[n] = guess is not None and truth is not None and same(dimension, guess, truth)
    return found
