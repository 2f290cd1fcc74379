"""Measures captions' accuracy per dimension, how often they state it, and the margin over a baseline without pixels.

Axis: N held-out vases. A dimension that a vase's record doesn't state has no target there, and the vase is left out of
the accuracy. A caption that doesn't state the dimension counts as wrong in `accuracy` and is left out of
`accuracy_when_stated`; training can change either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vaserl.intervals import ConfidenceInterval, paired_difference, wilson_interval
from vaserl.types import Dimension, Score

Values = Mapping[Dimension, str | None]
"""Canonical value of each dimension; None or absent where a text or a record states none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DimensionOutcomes:
    """Outcomes of one system's captions in one dimension of N vases.

    Example: of three vases the second has no target; the system names the third one wrongly:
    DimensionOutcomes(has_target=[True, False, True], stated=[True, False, True], correct=[True, False, False])
    """

    has_target: np.ndarray
    """bool [N]: True where the record states the dimension."""
    stated: np.ndarray
    """bool [N]: True where the caption states the dimension."""
    correct: np.ndarray
    """bool [N]: True where there is a target and the score's part of the dimension reaches tau."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionResult:
    """Results of one system in one dimension. An interval is None where no vase counts for it."""

    num_targets: int
    """Number of vases whose record states the dimension."""
    num_stated: int
    """Number of vases whose record and caption both state the dimension."""
    stated: ConfidenceInterval | None
    """Share of the vases with a target whose caption states the dimension: num_stated / num_targets."""
    accuracy: ConfidenceInterval | None
    """Share of right captions among vases with a target; a caption that doesn't state the dimension is wrong."""
    accuracy_when_stated: ConfidenceInterval | None
    """Share of right captions among vases with a target whose caption states the dimension."""
    guess_when_stated: ConfidenceInterval | None
    """Share of right guesses of the best baseline without pixels, on the vases of `accuracy_when_stated`."""
    over_guess: ConfidenceInterval | None
    """`accuracy_when_stated` - `guess_when_stated`, paired; above zero, the system reads the dimension from pixels."""
    invented: ConfidenceInterval | None
    """Share of the vases without a target whose caption states a value nonetheless."""

    def as_dict(self) -> dict[str, object]:
        """Returns the fields as JSON values."""
        intervals = {
            "stated": self.stated,
            "accuracy": self.accuracy,
            "accuracy_when_stated": self.accuracy_when_stated,
            "guess_when_stated": self.guess_when_stated,
            "over_guess": self.over_guess,
            "invented": self.invented,
        }
        return {
            "num_targets": self.num_targets,
            "num_stated": self.num_stated,
            **{name: interval and interval.as_dict() for name, interval in intervals.items()},
        }


def dimension_outcomes(
    dimension: Dimension, scores: Sequence[Score], stated_values: Sequence[Values], truths: Sequence[Values], tau: float
) -> DimensionOutcomes:
    """Compares the scores of N captions and the values read from them with the records' values.

    Correct means that the dimension's part of the score reaches `tau`. The part is taken after its division among
    several stated values, so that naming two shapes, one of them right, isn't correct. A correct caption counts as
    stating the dimension even if the parser finds no value in it.

    Raises: ValueError if a score lacks the part of a dimension that the record states; the vase would be left out of
    the accuracy unnoticed.
    """
    has_target, correct, stated = (np.zeros(len(truths), dtype=bool) for _ in range(3))
    for n, (score, values, truth) in enumerate(zip(scores, stated_values, truths, strict=True)):
        stated[n] = values.get(dimension) is not None
        if truth.get(dimension) is None:
            continue
        if dimension not in score.parts:
            raise ValueError(f"vase {n}: the record states {dimension!r}, but the score has no such part")
        has_target[n] = True
        correct[n] = score.parts[dimension] >= tau
    return DimensionOutcomes(has_target=has_target, stated=stated | correct, correct=correct)


def measure_dimension(
    outcomes: DimensionOutcomes, guess_correct: np.ndarray, *, num_resamples: int, seed: int
) -> DimensionResult:
    """Returns one system's results; `guess_correct`, bool [N], is True where the baseline without pixels is right."""
    spoke = outcomes.has_target & outcomes.stated
    over_guess = None
    if spoke.any():
        over_guess = paired_difference(
            outcomes.correct[spoke], guess_correct[spoke], num_resamples=num_resamples, seed=seed
        )
    return DimensionResult(
        num_targets=int(outcomes.has_target.sum()),
        num_stated=int(spoke.sum()),
        stated=_share(outcomes.stated, outcomes.has_target),
        accuracy=_share(outcomes.correct, outcomes.has_target),
        accuracy_when_stated=_share(outcomes.correct, spoke),
        guess_when_stated=_share(guess_correct, spoke),
        over_guess=over_guess,
        invented=_share(outcomes.stated, ~outcomes.has_target),
    )


def compare_dimension(
    a: DimensionOutcomes, b: DimensionOutcomes, *, num_resamples: int, seed: int
) -> dict[str, ConfidenceInterval | None]:
    """Returns the paired differences a - b of two systems: "accuracy", "stated" and "accuracy_when_both_state"."""
    if not np.array_equal(a.has_target, b.has_target):
        raise ValueError("two systems were scored against different targets")
    both = a.has_target & a.stated & b.stated

    def difference(of_a: np.ndarray, of_b: np.ndarray, among: np.ndarray) -> ConfidenceInterval | None:
        if not among.any():
            return None
        return paired_difference(of_a[among], of_b[among], num_resamples=num_resamples, seed=seed)

    return {
        "accuracy": difference(a.correct, b.correct, a.has_target),
        "stated": difference(a.stated, b.stated, a.has_target),
        "accuracy_when_both_state": difference(a.correct, b.correct, both),
    }


def _share(hits: np.ndarray, among: np.ndarray) -> ConfidenceInterval | None:
    if not among.any():
        return None
    return wilson_interval(int((hits & among).sum()), int(among.sum()))
