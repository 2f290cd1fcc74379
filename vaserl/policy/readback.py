"""Compares weights that an engine serves with the weights that were published.

Two versions of the weights that are one small optimizer step apart give almost the same log-probabilities. But their
entries differ, and each entry that an engine serves has exactly one correct value up to rounding. So a few columns of
every weight matrix are read back from the engine and compared with the published values. The columns are drawn again
for each version.

What this proves: in the compared columns, every served entry is the published one, rounded once to the engine's
precision. An engine that serves any other version fails, whatever the learning rate, unless the two versions have the
same served values in all of these columns. In bfloat16, an update below the spacing of the numbers leaves most entries
of a merged matrix as they are; two versions that merge to the same bfloat16 matrix are the same policy for the engine.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

NUM_COMPARED_COLUMNS = 8
"""Number of columns of each weight matrix that are compared for one version. A matrix with fewer columns is compared
whole."""
_ROUNDING = 2.0**-24
"""Largest relative error of one float32 operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedColumns:
    """Some columns of a published weight matrix, before they are rounded to the engine's precision."""

    exact: torch.Tensor
    """[rows, columns] float64 values."""
    error: torch.Tensor | None = None
    """[rows, columns] bound on the error with which an engine computes `exact` in float32; None if it only copies the
    values."""


def sampled_columns(width: int, version: int) -> list[int]:
    """Returns the indices, in ascending order, of the columns that are compared for this version of the weights.

    width: number of columns of the weight matrix.
    """
    if width <= NUM_COMPARED_COLUMNS:
        return list(range(width))
    random = np.random.default_rng([version, zlib.crc32(b"columns"), width])
    return sorted(int(column) for column in random.choice(width, NUM_COMPARED_COLUMNS, replace=False))


def as_matrix(weight: torch.Tensor) -> torch.Tensor:
    """Returns a weight as a matrix: a vector (a norm's scale, a bias) becomes one column, a convolution's kernel one
    row for each output."""
    return weight.reshape(weight.shape[0], -1)


def published_columns(tensors: Mapping[str, torch.Tensor], version: int) -> dict[str, torch.Tensor]:
    """Returns the compared columns, [rows, columns], of weights that an engine copies, by name."""
    chosen = {}
    for name, tensor in tensors.items():
        matrix = as_matrix(tensor)
        chosen[name] = matrix[:, sampled_columns(matrix.shape[1], version)]
    return chosen


def merged_columns(base: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scale: float) -> ExpectedColumns:
    """Returns columns of the merged matrix W0 + s·B·A in float64.

    base: the columns of W0, [out, columns]. a: the same columns of A, [r, columns]. b: B, [out, r]. scale: s.
    """
    w0, a, b = base.double(), a.double(), b.double()
    # a sum of r products in float32, scaled, then added to W0: r + 3 roundings at most, each relative to its operands
    summands = abs(scale) * (b.abs() @ a.abs())
    error = _ROUNDING * ((a.shape[0] + 3) * summands + w0.abs() + summands)
    return ExpectedColumns(exact=w0 + scale * (b @ a), error=error)


def is_served(served: torch.Tensor, expected: ExpectedColumns) -> bool:
    """Tells whether each served entry is the expected one, rounded once to the served precision.

    served: [rows, columns] in the engine's precision.
    """
    if served.shape != expected.exact.shape:
        return False
    exact = expected.exact.to(served.device)
    info = torch.finfo(served.dtype)
    _, exponent = torch.frexp(exact)  # |exact| < 2^exponent, so neighbours are eps · 2^(exponent - 1) apart
    half_spacing = torch.ldexp(torch.full_like(exact, 0.25 * info.eps), exponent).clamp(min=0.5 * info.smallest_normal)
    tolerance = half_spacing if expected.error is None else half_spacing + expected.error.to(served.device)
    # a nan must not pass
    return bool(((served.double() - exact).abs() <= tolerance).all())
