"""Ranks several systems by the results of pairwise comparisons (Bradley and Terry, 1952).

P(i beats j) = s_i / (s_i + s_j). The strengths s are fitted by maximum likelihood with Newton's method. A
comparison without a winner counts as half a win of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vaserl.statistics.intervals import CONFIDENCE, ConfidenceInterval

_MAX_STEPS = 200
_MAX_STEP = 2.0
"""Largest change of a log-strength in one step, since Newton's method may overshoot far from the maximum."""
_TOLERANCE = 1e-9
_PRIOR = 0.1
"""Number of half wins that each system gets against every other one. Without them, a system that never loses would have
an infinite strength."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Result of one comparison.

    Example: Match(item="v00012", one="lathe", other="triposg", score=1.0)
    """

    item: str
    """Object on which the two systems were compared; the bootstrap resamples objects."""
    one: str
    other: str
    score: float
    """1 if `one` won, 0 if `other` won, 0.5 without a winner."""


def bradley_terry(matches: Sequence[Match], *, num_resamples: int = 1_000, seed: int) -> dict[str, ConfidenceInterval]:
    """Returns each system's log-strength with its 95 % interval, strongest first; the log-strengths have the mean 0.

    The interval is a percentile bootstrap over items, because the comparisons on one item aren't independent.

    Raises: ValueError without matches, or if the systems fall into groups that were never compared with each other.
    """
    names = sorted({name for match in matches for name in (match.one, match.other)})
    place = {name: index for index, name in enumerate(names)}
    items = {item: index for index, item in enumerate(dict.fromkeys(match.item for match in matches))}
    if not names:
        raise ValueError("there are no matches")
    wins_I = np.zeros((len(items), len(names), len(names)))
    for match in matches:
        one, other = place[match.one], place[match.other]
        wins_I[items[match.item], one, other] += match.score
        wins_I[items[match.item], other, one] += 1 - match.score
    _check_connected(names, wins_I.sum(axis=0))
    estimate = log_strengths(wins_I.sum(axis=0))
    rng = np.random.default_rng(seed)
    drawn = np.array(
        [
            log_strengths(np.tensordot(rng.multinomial(len(items), np.full(len(items), 1 / len(items))), wins_I, 1))
            for _ in range(num_resamples)
        ]
    )
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail], axis=0)
    found: Mapping[str, ConfidenceInterval] = {
        name: ConfidenceInterval(mean=float(estimate[k]), low=float(low[k]), high=float(high[k]))
        for name, k in place.items()
    }
    return dict(sorted(found.items(), key=lambda entry: (-entry[1].mean, entry[0])))


def log_strengths(wins: np.ndarray) -> np.ndarray:
    """Returns the log-strengths of S systems, float64 [S], with mean 0; `wins[i, j]` is how often i beat j, [S, S].

    Each pair that was compared gets `_PRIOR` half wins on either side.
    """
    wins = wins + _PRIOR / 2 * ((wins + wins.T) > 0)
    games, total = wins + wins.T, wins.sum(axis=1)
    theta = np.zeros(len(wins))
    for _ in range(_MAX_STEPS):
        p = 1 / (1 + np.exp(theta[None] - theta[:, None]))
        spread = games * p * (1 - p)
        slope = total - (games * p).sum(axis=1)
        # only differences of strengths matter, so the matrix is singular; the least-squares step has the mean 0
        step = np.linalg.lstsq(np.diag(spread.sum(axis=1)) - spread, slope, rcond=None)[0]
        theta = theta + step * min(1.0, _MAX_STEP / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < _TOLERANCE:
            return theta - theta.mean()
    raise AssertionError("Newton's method for Bradley–Terry does not converge")  # the likelihood is strictly concave


def _check_connected(names: Sequence[str], wins: np.ndarray) -> None:
    from scipy.sparse.csgraph import connected_components

    num, labels = connected_components(wins + wins.T > 0, directed=False)
    if num > 1:
        groups = [", ".join(name for name, of in zip(names, labels, strict=True) if of == k) for k in range(num)]
        raise ValueError(f"no comparison connects {' with '.join(groups)}; compare members of different groups")
