"""Distances between the captions and the references as two sets of embeddings: Fréchet distance and kernel distance.

Both say whether captions are of the kind of the references, not whether each fits its vase. The Fréchet distance of few
texts is biased upwards, by so much that two samples of the same texts differ by more than good systems do; its expected
value for such samples is its noise floor. The kernel distance is unbiased: its expected value for such samples is 0.

Letters of axes: N captions, M references, E numbers of an embedding.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vaserl.statistics.intervals import CONFIDENCE
from vaserl.statistics.student import student_quantile

_FLOOR_DRAWS = 8
"""Number of pairs of samples over which the noise floor is averaged, if there are fewer texts than dimensions. With
more texts than dimensions the floor varies little, and one pair is enough."""
_KERNEL_BLOCK = 1000
"""Largest number of vases whose kernel values are in memory at once; more vases are divided into blocks."""
_SWAPS = 400


def frechet_distance(captions: np.ndarray, references: np.ndarray) -> float:
    """Returns the Fréchet distance of two sets of embeddings, captions [N, E] and references [M, E]; 0 is the best.

    It is |μ₁-μ₂|² + Tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½), with the means μ and the covariance matrices Σ of the two sets (Dowson
    and Landau 1982). With Σ = AᵀA, the trace of the square root is the sum of the singular values of A₁A₂ᵀ, which is
    real also if there are fewer texts than numbers in an embedding.

    Raises: ValueError for fewer than two captions or references, or for an embedding that isn't finite. A returned
    number could be mistaken for a good result.
    """
    if min(len(captions), len(references)) < 2:
        raise ValueError(
            f"at least two captions and two references are needed, got {len(captions)} and {len(references)}"
        )
    clouds = [np.asarray(cloud, dtype=np.float64) for cloud in (captions, references)]
    if not all(np.isfinite(cloud).all() for cloud in clouds):
        raise ValueError("these texts have no Fréchet distance: an embedding is not finite")
    shift = clouds[0].mean(axis=0) - clouds[1].mean(axis=0)
    factors = [_covariance_factor(cloud) for cloud in clouds]
    traces = sum(float((factor**2).sum()) for factor in factors)
    cross = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    return max(0.0, float(shift @ shift + traces - 2 * cross))


def frechet_floor(references: np.ndarray, num_captions: int, *, seed: int) -> float:
    """Returns the Fréchet distance that pure chance gives: the mean over pairs of samples of `num_captions` embeddings
    each, both drawn from the normal distribution with the references' covariance."""
    data = np.asarray(references, dtype=np.float64)
    factor, rng = _covariance_factor(data), np.random.default_rng(seed)
    num_draws = 1 if num_captions > data.shape[1] else _FLOOR_DRAWS
    draws = [
        frechet_distance(*(rng.standard_normal((num_captions, len(factor))) @ factor for _ in range(2)))
        for _ in range(num_draws)
    ]
    return float(np.mean(draws))


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelDistance:
    """The squared maximum mean discrepancy of captions and references, with interval and noise floor."""

    mean: float
    """Unbiased estimate; it may be below 0, where 0 means equal distributions."""
    low: float
    """Lower bound of the 95 % interval: jackknife over vases, Student's t with vases - 1 degrees of freedom."""
    high: float
    floor: float
    """The 95 % quantile of the estimate if captions and references are exchanged in half of the vases at random: a
    larger estimate is no accident."""
    num_values: int
    """Number of vases."""

    def as_dict(self) -> dict[str, Any]:
        """Returns a dict of the fields, which can be written as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def kernel_distance(captions: np.ndarray, references: np.ndarray, *, seed: int) -> KernelDistance:
    """Computes the kernel distance of N captions and the references of the same vases, each [N, E].

    The kernel is (x·y / s + 1)³ with the mean squared length s of the references' embeddings, as in the kernel
    inception distance (Bińkowski et al. 2018), where s is E. With
    h_ij = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(y_i, x_j), the estimate is the mean of h_ij over i ≠ j (Gretton
    et al. 2012): a caption is never compared with its own reference, so that their dependence adds no bias. More than
    1,000 vases are divided into blocks, whose estimates are averaged.

    Raises: ValueError for fewer than three vases, from which the jackknife can't leave one out.
    """
    if len(captions) != len(references) or len(captions) < 3:
        raise ValueError(
            f"a kernel distance needs at least three captions and as many references, got {len(captions)} and "
            f"{len(references)}"
        )
    x, y = (np.asarray(cloud, dtype=np.float64) for cloud in (captions, references))
    scale = float((y**2).sum(axis=1).mean())
    num_blocks = -(-len(x) // _KERNEL_BLOCK)
    rng = np.random.default_rng(seed)
    estimates, left_out, swapped = [], [], []
    # every num_blocks-th vase, so that no block holds the neighbours of a sorted list
    for block in (slice(start, None, num_blocks) for start in range(num_blocks)):
        h = _pair_terms(x[block], y[block], scale)
        n, rows = len(h), h.sum(axis=1)
        estimates.append(rows.sum() / (n * (n - 1)))
        without = (rows.sum() - 2 * rows) / ((n - 1) * (n - 2))
        left_out.append(n * estimates[-1] - (n - 1) * without)  # pseudo-values of the jackknife
        signs = rng.choice((-1.0, 1.0), size=(n, _SWAPS))
        swapped.append(((h @ signs) * signs).sum(axis=0) / (n * (n - 1)))
    pseudo, estimate = np.concatenate(left_out), float(np.mean(estimates))
    half = student_quantile(len(pseudo)) * float(pseudo.std(ddof=1)) / np.sqrt(len(pseudo))
    return KernelDistance(
        mean=estimate,
        low=estimate - half,
        high=estimate + half,
        floor=float(np.quantile(np.mean(swapped, axis=0), CONFIDENCE)),
        num_values=len(x),
    )


def _pair_terms(x: np.ndarray, y: np.ndarray, scale: float) -> np.ndarray:
    """Returns h_ij as float [N, N], with zeros on the diagonal; see `kernel_distance`."""
    cross = _kernel(x, y, scale)
    terms = _kernel(x, x, scale) + _kernel(y, y, scale) - cross - cross.T
    np.fill_diagonal(terms, 0.0)
    return terms


def _kernel(a: np.ndarray, b: np.ndarray, scale: float) -> np.ndarray:
    return (a @ b.T / scale + 1) ** 3


def _covariance_factor(cloud: np.ndarray) -> np.ndarray:
    """Returns a matrix A with AᵀA = the covariance matrix of the embeddings, of at most E rows."""
    centred = (cloud - cloud.mean(axis=0)) / np.sqrt(len(cloud) - 1)
    if len(cloud) <= cloud.shape[1]:
        return centred
    values, vectors = np.linalg.eigh(centred.T @ centred)
    return np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
