"""What a caption gets right per dimension, how often it says anything at all, and what is reading, not guessing.

Axis: N held-out vases. A dimension that a vase's record leaves open has no target there and is left out of its
accuracy. Silence counts as wrong in `accuracy` and is left out of `accuracy_when_stated`; the two answer different
questions, and training can move either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vaserl.intervals import ConfidenceInterval, paired_difference, wilson_interval
from vaserl.types import Dimension, Score

Values = Mapping[Dimension, str | None]
"""Canonical value of each dimension; None or absent where a text or a record says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DimensionOutcomes:
    """What one system said about one dimension of N vases.

    Example: of three vases the second has no target; the system names the third one wrongly:
    DimensionOutcomes(has_target=[True, False, True], stated=[True, False, True], correct=[True, False, False])
    """

    has_target: np.ndarray
    """bool [N] the record states the dimension."""
    stated: np.ndarray
    """bool [N] the caption states it."""
    correct: np.ndarray
    """bool [N] there is a target and the score's part for the dimension reaches tau."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionResult:
    """One system on one dimension. An interval is None where no vase is left to take it from."""

    num_targets: int
    """Vases whose record states the dimension."""
    num_stated: int
    """Of these, vases whose caption states it too."""
    stated: ConfidenceInterval | None
    """num_stated / num_targets."""
    accuracy: ConfidenceInterval | None
    """Share right among vases with a target; silence is wrong."""
    accuracy_when_stated: ConfidenceInterval | None
    """Share right among vases with a target whose caption speaks."""
    guess_when_stated: ConfidenceInterval | None
    """Share that the best baseline without pixels gets right on those same vases."""
    over_guess: ConfidenceInterval | None
    """Paired difference of the two above: above zero, the system reads the dimension from the picture."""
    invented: ConfidenceInterval | None
    """Share of the vases without a target whose caption states a value nonetheless."""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
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
    dimension: Dimension, scores: Sequence[Score], said: Sequence[Values], truths: Sequence[Values], tau: float
) -> DimensionOutcomes:
    """DimensionOutcomes [N] from the scores of N captions, the values read from them, and the records' values.

    Correct means that the dimension's part of the score reaches `tau`. The part is taken after its division among
    several stated values, so that naming two shapes, one of them right, isn't correct. A correct answer has been
    stated, whatever the reader of captions makes of it. ValueError if a score lacks the part of a dimension that the
    record states: taken for "no target", it would leave the vase out of the accuracy unseen.
    """
    has_target, correct, stated = (np.zeros(len(truths), dtype=bool) for _ in range(3))
    for n, (score, values, truth) in enumerate(zip(scores, said, truths, strict=True)):
        stated[n] = values.get(dimension) is not None
        if truth.get(dimension) is None:
            continue
        if dimension not in score.parts:
            raise ValueError(f"vase {n} has a {dimension}, its score no part {dimension!r}")
        has_target[n] = True
        correct[n] = score.parts[dimension] >= tau
    return DimensionOutcomes(has_target=has_target, stated=stated | correct, correct=correct)


def measure_dimension(
    answers: DimensionOutcomes, guess_correct: np.ndarray, *, num_resamples: int, seed: int
) -> DimensionResult:
    """Accuracy, stated rate and the margin over a baseline that is right on `guess_correct` bool [N]."""
    spoke = answers.has_target & answers.stated
    over_guess = None
    if spoke.any():
        over_guess = paired_difference(
            answers.correct[spoke], guess_correct[spoke], num_resamples=num_resamples, seed=seed
        )
    return DimensionResult(
        num_targets=int(answers.has_target.sum()),
        num_stated=int(spoke.sum()),
        stated=_share(answers.stated, answers.has_target),
        accuracy=_share(answers.correct, answers.has_target),
        accuracy_when_stated=_share(answers.correct, spoke),
        guess_when_stated=_share(guess_correct, spoke),
        over_guess=over_guess,
        invented=_share(answers.stated, ~answers.has_target),
    )


def compare_dimension(
    a: DimensionOutcomes, b: DimensionOutcomes, *, num_resamples: int, seed: int
) -> dict[str, ConfidenceInterval | None]:
    """Paired a - b on one dimension: "accuracy" and "stated" where there is a target, "accuracy_when_both_state"."""
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
