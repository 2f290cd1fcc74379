"""The smallest difference that a comparison can find, before and after the systems have run."""

from math import sqrt

from scipy.special import ndtri

from vaserl.statistics.student import student_quantile

POWER = 0.8
"""Probability with which the detectable difference is found."""


def detectable_difference(standard_error: float, num_clusters: int) -> float:
    """Returns the smallest true difference that a two-sided test at 5 % finds with probability `POWER`: (t₀.₉₇₅ + t₀.₈)
    times the standard error of the difference."""
    return (student_quantile(num_clusters) + student_quantile(num_clusters, POWER)) * standard_error


def detectable_share_difference(num_vases: int, discordant: float) -> float:
    """Returns the smallest difference of two shares that a comparison of `num_vases` vases can find.

    discordant: share of the vases on which exactly one of the two systems is right. A difference δ then has the
    variance (discordant - δ²) / n, so with q = z₀.₉₇₅ + z₀.₈ the smallest is δ = q √(discordant / (n + q²)). It never
    exceeds `discordant`: a larger difference is impossible.
    """
    quantiles = float(ndtri(0.975) + ndtri(POWER))
    return min(discordant, quantiles * sqrt(discordant / (num_vases + quantiles**2)))
