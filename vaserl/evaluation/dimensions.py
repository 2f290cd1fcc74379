"""Measures, for each dimension (such as the shape), how often captions state it and how often they are right.

The accuracy is compared with that of a baseline that doesn't see the video. N is the number of held-out vases. If a
vase's record doesn't state the dimension, the vase has no target and is left out of the accuracy. A caption that
doesn't state the dimension counts as wrong in `accuracy`, but is left out of `accuracy_when_stated`. Both are reported,
because training may make captions more often right, or only make them state the dimension more often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vaserl.statistics.clusters import Clustered, standard_error
from vaserl.statistics.intervals import ConfidenceInterval, wilson_interval
from vaserl.statistics.multiplicity import holm
from vaserl.statistics.paired import PairedComparison, paired_comparisons
from vaserl.statistics.student import student_quantile
from vaserl.types import Dimension, Score

Values = Mapping[Dimension, str | None]
"""The value of each dimension in a caption or a record, as a string; None or absent if none is stated."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DimensionOutcomes:
    """Outcomes of one system's captions of N vases, in one dimension.

    Example for three vases. The second one has no target, and the caption of the third one states a wrong value:
    DimensionOutcomes(has_target=[True, False, True], stated=[True, False, True], correct=[True, False, False])
    """

    has_target: np.ndarray
    """bool [N]: True for a vase whose record states the dimension."""
    stated: np.ndarray
    """bool [N]: True for a vase whose caption states the dimension."""
    correct: np.ndarray
    """bool [N]: True for a vase with a target whose caption is right (the dimension's part of the score is >= tau)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionResult:
    """Results of one system in one dimension. A share is None if there is no vase to compute it from."""

    num_targets: int
    """Number of vases whose record states the dimension."""
    num_stated: int
    """Number of vases of which both the record and the caption state the dimension."""
    stated: ConfidenceInterval | None
    """num_stated / num_targets: among the vases with a target, the share whose caption states the dimension."""
    accuracy: ConfidenceInterval | None
    """Share of right captions among the vases with a target. A caption that doesn't state the dimension is wrong."""
    accuracy_when_stated: ConfidenceInterval | None
    """Share of right captions among the vases with a target whose caption states the dimension."""
    guess_when_stated: ConfidenceInterval | None
    """Share of right guesses of the better baseline without video, for the same vases as `accuracy_when_stated`."""
    over_guess: ConfidenceInterval | None
    """`accuracy_when_stated` - `guess_when_stated`, paired by vase, with Student's t interval; None for fewer than two
    vases. If the interval is above 0, the system recognises the dimension in the video."""
    invented: ConfidenceInterval | None
    """Among the vases whose record doesn't state the dimension, the share whose caption states it nonetheless."""

    def as_dict(self) -> dict[str, object]:
        """Returns a dict of the fields that can be written as JSON."""
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
    """Determines, for each of N captions, whether it states a dimension and whether it is right.

    scores: score of each caption. stated_values: values parsed from each caption. truths: values of each vase's record.

    A caption is right if the score's part for the dimension is at least `tau`. A caption that states two shapes, one of
    them right, has a part of at most 0.5. A right caption counts as stating the dimension even if the parser finds no
    value in it.

    Raises: ValueError if a record states the dimension, but the score has no part for it. Otherwise the vase would be
    left out of the accuracy without notice.
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


def measure_dimension(outcomes: DimensionOutcomes, guess_correct: np.ndarray) -> DimensionResult:
    """Computes one system's results from the outcomes for N vases.

    guess_correct: bool [N], True for a vase whose value the baseline without video guesses right.
    """
    spoke = outcomes.has_target & outcomes.stated
    over_guess = None
    if spoke.sum() > 1:
        column = Clustered.of_values(outcomes.correct.astype(float) - guess_correct, spoke)
        half = student_quantile(column.num_clusters) * standard_error(column)
        over_guess = ConfidenceInterval(mean=column.mean, low=column.mean - half, high=column.mean + half)
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


def compare_dimensions(
    a: Mapping[Dimension, DimensionOutcomes], b: Mapping[Dimension, DimensionOutcomes], *, num_resamples: int, seed: int
) -> dict[Dimension, dict[str, PairedComparison | None]]:
    """Computes the differences a - b of two systems in each dimension, paired by vase.

    Returns them as "accuracy", "stated" and "accuracy_when_both_state" (accuracy on the vases of which both systems'
    captions state the dimension). A difference is None if fewer than two vases have one. The p-values of the accuracies
    are corrected over the dimensions (Holm).
    """
    of_a, of_b = ({}, {})
    for dimension, outcomes in a.items():
        other = b[dimension]
        if not np.array_equal(outcomes.has_target, other.has_target):
            raise ValueError("both systems must be scored on the same targets")
        both = outcomes.has_target & outcomes.stated & other.stated
        for columns, each in ((of_a, outcomes), (of_b, other)):
            columns[dimension, "accuracy"] = Clustered.of_values(each.correct, each.has_target)
            columns[dimension, "stated"] = Clustered.of_values(each.stated, each.has_target)
            columns[dimension, "accuracy_when_both_state"] = Clustered.of_values(each.correct, both)
    found = paired_comparisons(of_a, of_b, num_resamples=num_resamples, seed=seed)
    tested = {key: each for key, each in found.items() if key[1] == "accuracy" and each is not None}
    corrected = dict(zip(tested, holm([each.p for each in tested.values()]), strict=True))
    result: dict[Dimension, dict[str, PairedComparison | None]] = {dimension: {} for dimension in a}
    for (dimension, name), each in found.items():
        key = (dimension, name)
        result[dimension][name] = replace(each, p_holm=corrected[key]) if each and key in corrected else each
    return result


def _share(hits: np.ndarray, among: np.ndarray) -> ConfidenceInterval | None:
    if not among.any():
        return None
    return wilson_interval(int((hits & among).sum()), int(among.sum()))
