"""Bridges: the smoothest curves that replace the body's edge where a handle hides it."""

import numpy as np

UNLIKELY = 100.0
"""Turning of a bridge that leaves more of the silhouette to the handle than the handle is thick; such a bridge is only
used, cut off at this bound, if all are like this."""
END_SHARE = 0.1
"""Height of the zone at the top and at the bottom in which the outline curves inwards over the lip or under the foot,
as a share of the body's height."""


def without_root(edge: np.ndarray, row: int, step: int, longest: int, least: np.ndarray) -> np.ndarray:
    """Returns the body's edge after replacing a handle's root by a bridge (a smooth curve).

    The root is where the handle joins the body and widens the silhouette. The bridge starts at `row`, runs upwards
    (`step` -1) or downwards (`step` 1) and has at most `longest` rows. `least`, float64 [N], is a lower bound of the
    edge.
    """
    num_rows = len(edge)
    fit = max(3, round(0.02 * num_rows))
    ahead = edge[row::step]  # ahead[0] is the last row in which the body is visible
    if len(ahead) < 3:
        return edge
    # the bridge must end before the outline closes over the lip or under the foot
    last = ahead[-max(3, round(END_SHARE * num_rows)) :]
    longest = min(longest, len(ahead) - len(last) + int(np.nonzero(last >= 0.98 * last.max())[0][-1]))
    base, base_slope = end_of_line(edge[row::-step][:fit])
    candidates = np.arange(2, min(longest, len(ahead) - 1) + 1)
    ends = [end_of_line(ahead[j : j + fit]) for j in candidates]
    curves = [cubic(int(j), base, -base_slope, *end) for j, end in zip(candidates, ends, strict=True)]
    turning = np.array([_turning(curve) for curve in curves])
    turning[[bool((curve > ahead[: len(curve)] + 1.5).any()) for curve in curves]] = np.inf
    if not np.isfinite(turning).any():
        return edge
    least = np.minimum(least[row::step], ahead)
    turning[[bool((curve < least[: len(curve)] - 1.5).any()) for curve in curves]] += UNLIKELY
    # the shortest curve that is about as smooth as the smoothest
    curve = curves[int(np.argmax(turning <= 1.25 * turning.min() + 0.2))]
    bridged = edge.copy()
    bridged[row::step][: len(curve)] = np.clip(curve, least[: len(curve)], ahead[: len(curve)])
    return bridged


def end_of_line(values: np.ndarray) -> tuple[float, float]:
    """Fits a straight line to equally spaced values; returns its value at the first point and its slope."""
    if len(values) < 2:
        return float(values[0]), 0.0
    at = np.arange(len(values)) - (len(values) - 1) / 2
    slope = float(at @ values / (at @ at))
    return float(values.mean()) + slope * float(at[0]), slope


def cubic(length: int, start: float, start_slope: float, end: float, end_slope: float) -> np.ndarray:
    """Returns the cubic polynomial with the given values and slopes at 0 and `length`, float64 [length + 1].

    Both slopes are in the direction from 0 to `length`. They are limited to three times the slope of the straight line
    between the ends, so that the polynomial doesn't overshoot (Fritsch and Carlson, 1980).
    """
    t = np.arange(length + 1) / length
    limit = 3 * abs(end - start) / length
    limit = max(limit, 0.3)  # even a straight chord may bulge a little
    start_slope, end_slope = np.clip(start_slope, -limit, limit), np.clip(end_slope, -limit, limit)
    return (
        start * (1 + 2 * t) * (1 - t) ** 2
        + end * t * t * (3 - 2 * t)
        + length * (start_slope * t * (1 - t) ** 2 - end_slope * t * t * (1 - t))
    )


def _turning(curve: np.ndarray) -> float:
    """Returns how much a curve bends: its length times the integral of its squared curvature.

    The value has no unit and is 0 for a straight line.
    """
    rise = np.diff(curve)
    length = np.hypot(rise, 1.0)
    turn = np.diff(np.arctan(rise))
    return float(length.sum() * (turn**2 / ((length[1:] + length[:-1]) / 2)).sum())
