"""Certification of a judge against known geometry: how often a verdict is wrong, at which share of pairs it is given.

A swap-consistent verdict can still be wrong, and most errors of good judges are of that kind. Where the true mesh is
known, each verdict is compared with the truth. A verdict is certified if the order didn't decide, if a second judge of
another family agrees (where there is one), and if the confidence reaches a threshold.

Guarantee of the threshold: over the random draw of the calibration pairs, with probability `CERTIFICATE_CONFIDENCE` or
more, at most the share `max_wrong` of certified verdicts on further pairs from the same distribution is wrong. One half
of the calibration pairs proposes thresholds; the other half tests them from strict to lenient, each by an exact
binomial bound, and stops at the first failure (fixed-sequence testing; Angelopoulos et al., Learn then Test, 2021). The
guarantee says nothing about pairs of another distribution, such as another generator or kind of object.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vaserl.judge.pair import Side
from vaserl.judge.verdict import PairVerdict
from vaserl.statistics.binomial import upper_bound
from vaserl.statistics.intervals import ConfidenceInterval, wilson_interval

CERTIFICATE_CONFIDENCE = 0.95
"""Probability with which a certificate holds."""
NUM_THRESHOLDS = 20
"""Number of thresholds that are proposed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPair:
    """The truth about a pair: distances of its meshes from the true mesh.

    Example: KnownPair(pair_id="v00012", distance_a=0.004, distance_b=0.021)
    """

    pair_id: str
    distance_a: float
    """Chamfer distance of mesh a from the true mesh, in heights of the true mesh."""
    distance_b: float

    @property
    def gap(self) -> float:
        """Absolute difference of the distances."""
        return abs(self.distance_a - self.distance_b)

    @property
    def better(self) -> Side:
        """The mesh that is closer to the truth."""
        return "a" if self.distance_a <= self.distance_b else "b"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPair:
    """A verdict beside the truth, as certification sees it."""

    pair_id: str
    gap: float
    """Gap of the pair, see `KnownPair`."""
    winner: Side | None
    """Winner that a certificate could be given for; None for an abstention."""
    is_right: bool
    """True if there is a winner and it is the better mesh."""
    confidence: float | None
    """Confidence of the verdict, None without a winner or if the judge states none."""


def judged_pairs(
    known: Sequence[KnownPair],
    verdicts: Mapping[str, PairVerdict],
    second: Mapping[str, PairVerdict] | None = None,
) -> list[JudgedPair]:
    """Returns the verdicts, by pair, beside the truth. Pairs without a verdict are left out: they were unusable.

    second: verdicts of a judge of another family. The judges must agree; otherwise the pair is an abstention. The
    confidence is then the smaller of the two.
    """
    found = []
    for pair in known:
        if pair.pair_id not in verdicts or (second is not None and pair.pair_id not in second):
            continue
        given = [verdicts[pair.pair_id], *([second[pair.pair_id]] if second is not None else [])]
        winner = given[0].winner if len({verdict.winner for verdict in given}) == 1 else None
        stated = [verdict.confidence for verdict in given if verdict.confidence is not None]
        found.append(
            JudgedPair(
                pair_id=pair.pair_id,
                gap=pair.gap,
                winner=winner,
                is_right=winner == pair.better,
                confidence=min(stated) if winner is not None and len(stated) == len(given) else None,
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseCertification:
    """How often certified verdicts are wrong, and how many pairs are certified."""

    num_pairs: int
    num_certified: int
    num_wrong: int
    wrong: ConfidenceInterval | None
    """Share of certified verdicts that are wrong, with its 95 % Wilson interval; None if none is certified."""
    wrong_bound: float
    """Exact upper bound of that share, one-sided, at `CERTIFICATE_CONFIDENCE`."""
    coverage: ConfidenceInterval | None
    """Share of pairs that are certified; None without pairs."""


def false_certification(pairs: Sequence[JudgedPair], threshold: float | None = None) -> FalseCertification:
    """Returns the rates over pairs; with a threshold, only verdicts with at least this confidence are certified."""
    certified = [pair for pair in pairs if _is_certified(pair, threshold)]
    wrong = sum(not pair.is_right for pair in certified)
    return FalseCertification(
        num_pairs=len(pairs),
        num_certified=len(certified),
        num_wrong=wrong,
        wrong=wilson_interval(wrong, len(certified)) if certified else None,
        wrong_bound=upper_bound(wrong, len(certified), confidence=CERTIFICATE_CONFIDENCE),
        coverage=wilson_interval(len(certified), len(pairs)) if pairs else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Outcome of a certification.

    Example: Certificate(threshold=0.83, max_wrong=0.05, reason="", on_test=…)
    """

    threshold: float | None
    """Smallest confidence of a certified verdict; None if nothing can be certified."""
    max_wrong: float
    """Guaranteed largest share of wrong certified verdicts."""
    reason: str
    """Why nothing can be certified; "" if something can."""
    on_test: FalseCertification | None
    """The rates at the threshold on the testing half, which accepted it: coverage is unbiased, the share of wrong
    verdicts slightly optimistic. None if nothing is certified."""


def certify(pairs: Sequence[JudgedPair], max_wrong: float, *, seed: int) -> Certificate:
    """Returns the lowest threshold of the confidence at which the module's guarantee holds, or why there is none.

    If the judge states no confidence, every winner has the same one, and the verdicts are certified together or not at
    all.
    """
    order = np.random.default_rng(seed).permutation(len(pairs))
    half = len(pairs) // 2
    proposing, testing = ([pairs[int(k)] for k in part] for part in (order[:half], order[half:]))
    least = _least_certifiable(max_wrong)
    accepted, reason = None, f"the {len(testing)} test pairs contain fewer than {least} verdicts with a winner"
    for threshold in _proposed(proposing, least, len(testing)):
        found = false_certification(testing, threshold)
        if found.wrong_bound > max_wrong:
            if accepted is None:
                reason = (
                    f"{found.num_wrong} of {found.num_certified} verdicts with a confidence of {threshold:.3f} or more "
                    f"are wrong; the bound is {found.wrong_bound:.3f}, above {max_wrong:g}"
                )
            break
        accepted = (threshold, found)
    if accepted is None:
        return Certificate(threshold=None, max_wrong=max_wrong, reason=reason, on_test=None)
    return Certificate(threshold=accepted[0], max_wrong=max_wrong, reason="", on_test=accepted[1])


def _proposed(pairs: Sequence[JudgedPair], least: int, num_testing: int) -> list[float]:
    """Returns thresholds from strict to lenient, chosen by one half of the pairs.

    The first is the one with the lowest bound on this half, hence the most likely one to pass the test: stricter ones
    certify too few verdicts to be told from wrong.
    """
    stated = np.sort([_confidence(pair) for pair in pairs if pair.winner is not None])[::-1]
    first = int(np.ceil(least * len(pairs) / max(num_testing, 1)))
    if first > len(stated):
        return []
    places = np.unique(np.linspace(first - 1, len(stated) - 1, NUM_THRESHOLDS).astype(int))
    thresholds = list(dict.fromkeys(float(stated[place]) for place in places))
    bounds = [false_certification(pairs, threshold).wrong_bound for threshold in thresholds]
    return thresholds[int(np.argmin(bounds)) :]


def _least_certifiable(max_wrong: float) -> int:
    """Returns the smallest number of verdicts, all right, whose bound is at most `max_wrong`."""
    return int(np.ceil(np.log(1 - CERTIFICATE_CONFIDENCE) / np.log(1 - max_wrong)))


def _is_certified(pair: JudgedPair, threshold: float | None) -> bool:
    return pair.winner is not None and (threshold is None or _confidence(pair) >= threshold)


def _confidence(pair: JudgedPair) -> float:
    return 1.0 if pair.confidence is None else pair.confidence
