"""Two baselines that need no picture: the commonest value, and a guess from the vase's other five dimensions.

The dimensions are correlated: most white-ground vases are lekythoi, and most painters work in one technique. A caption
may therefore be right about a dimension that the model didn't recognise in the video. Only accuracy above these
baselines shows that the model recognises the dimension in the video.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from math import log

import numpy as np

from vaserl.evaluation.dimensions import Values
from vaserl.types import DIMENSIONS, Dimension

SameValue = Callable[[Dimension, str, str], bool]
"""Function that takes (dimension, guess, truth) and returns True if the guess counts as right."""

SMOOTHING = 0.5
"""Pseudo-count added to the count of every value in the naive Bayes classifier (Jeffreys' prior)."""


def same_exactly(dimension: Dimension, guess: str, truth: str) -> bool:
    """Returns True if guess and truth are equal strings; the default `SameValue`."""
    return guess == truth


def majority_value(train: Sequence[Values], dimension: Dimension) -> str | None:
    """Returns the commonest value of a dimension in the training records; None if no record has one.

    If several values are equally common, returns the alphabetically first.
    """
    counts = Counter(value for values in train if (value := values.get(dimension)) is not None)
    return min(counts, key=lambda value: (-counts[value], value)) if counts else None


class GuessFromOthers:
    """A naive Bayes classifier that predicts a vase's value in one dimension from its values in the other five.

    The prediction is the value v with the highest

        log(n(v) + s) + Σ_e log((n(v, x_e) + s) / (n(v, e) + s·K_e))

    where e runs over the other dimensions, x_e is the vase's value in e, n(v) is the number of training records with
    the value v, n(v, x_e) the number of those that also have x_e, n(v, e) the number of those that have any value in e,
    K_e the number of distinct values in e, and s the smoothing. A dimension e is left out if the vase has no value in
    it, or if no training record has x_e. If several v are equally good, the alphabetically first is predicted.
    """

    def __init__(self, train: Sequence[Values], dimension: Dimension, smoothing: float = SMOOTHING) -> None:
        if smoothing <= 0:
            raise ValueError(
                f"smoothing must be above 0, got {smoothing}: log 0 of an unseen pair of values is undefined"
            )
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
        """Returns the guess for a vase with these `values`; its own value in the guessed dimension is ignored.

        Returns None if no training record has a value in the dimension.
        """
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
    """Returns a bool array [N], True for each of the N guesses that is right; False for a vase without a true value."""
    found = np.zeros(len(truths), dtype=bool)
    for n, (guess, values) in enumerate(zip(guesses, truths, strict=True)):
        truth = values.get(dimension)
        found[n] = guess is not None and truth is not None and same(dimension, guess, truth)
    return found
