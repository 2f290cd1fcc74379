"""Tests the distances between sets of embeddings against closed forms, definitions in loops, and their purpose."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from vaserl.evaluation.text_distances import frechet_distance, frechet_floor, kernel_distance


def test_frechet_distance_of_axis_parallel_clouds_has_a_closed_form() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(400, 6))
    base -= base.mean(axis=0)
    base = base @ np.linalg.inv(np.linalg.cholesky(np.cov(base, rowvar=False))).T  # sample covariance is I exactly
    scale_1, scale_2, shift = np.array([1, 2, 3, 1, 1, 1.0]), np.array([2, 2, 1, 1, 1, 4.0]), np.arange(6.0)
    # Diagonal covariances: |shift|² + Σ (σ₁ - σ₂)² = 55 + (1 + 0 + 4 + 0 + 0 + 9) = 69.
    assert frechet_distance(base * scale_1, base * scale_2 + shift) == pytest.approx(69.0, abs=1e-3)


def test_frechet_distance_with_fewer_captions_than_dimensions() -> None:
    rng = np.random.default_rng(1)
    cloud = rng.normal(size=(20, 64))
    assert frechet_distance(cloud, cloud) == pytest.approx(0.0, abs=1e-3)
    assert frechet_distance(cloud, cloud + 0.5) == pytest.approx(64 * 0.25, abs=1e-2)


def test_frechet_distance_against_the_symmetric_form() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5)) + 1
    # Independent route: Tr (Σ₁Σ₂)^½ is the sum of the square roots of the eigenvalues of Σ₁Σ₂.
    covariance_a, covariance_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    cross = np.sqrt(np.linalg.eigvals(covariance_a @ covariance_b).real).sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-4)


def test_frechet_distance_failure_is_an_error_and_never_zero() -> None:
    with pytest.raises(ValueError, match="at least two captions and two references are needed, got 1"):
        frechet_distance(np.ones((1, 3)), np.ones((4, 3)))
    broken = np.ones((4, 3))
    broken[2, 1] = np.nan
    with pytest.raises(ValueError):
        frechet_distance(broken, np.ones((4, 3)))


def test_frechet_distance_with_fewer_texts_than_dimensions_is_that_of_the_matrix_root() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(12, 20)), rng.normal(size=(15, 20)) + 0.3
    sigma = [np.cov(cloud, rowvar=False) + 1e-9 * np.eye(20) for cloud in (a, b)]
    root = sqrtm(sigma[0] @ sigma[1]).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(sigma[0] + sigma[1] - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, abs=1e-3)


def test_frechet_floor_is_what_two_samples_of_one_distribution_score() -> None:
    rng = np.random.default_rng(5)
    spectrum = np.arange(1, 65) ** -0.5
    draws = [frechet_distance(*(rng.normal(size=(40, 64)) * spectrum for _ in range(2))) for _ in range(20)]
    floor = frechet_floor(rng.normal(size=(4000, 64)) * spectrum, 40, seed=0)
    assert floor == pytest.approx(np.mean(draws), rel=0.1)
    assert floor > 0.3, "forty texts of the same kind are far from 0"


def test_kernel_distance_is_its_definition_in_loops() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(7, 3)), rng.normal(size=(7, 3)) + 0.5
    scale = np.mean([v @ v for v in y])

    def k(a, b):
        return (a @ b / scale + 1) ** 3

    def estimate(kept):
        pairs = [(i, j) for i in kept for j in kept if i != j]
        return np.mean([k(x[i], x[j]) + k(y[i], y[j]) - k(x[i], y[j]) - k(y[i], x[j]) for i, j in pairs])

    found, whole = kernel_distance(x, y, seed=0), estimate(range(7))
    assert found.mean == pytest.approx(whole)
    without = [estimate([i for i in range(7) if i != left]) for left in range(7)]
    # the jackknife's standard error, √((n-1)/n Σ (θ_i - mean θ)²), and t of 6 degrees of freedom
    error = np.sqrt(6 / 7 * ((without - np.mean(without)) ** 2).sum())
    assert found.high - found.low == pytest.approx(2 * 2.446912 * error, rel=1e-5)


def test_kernel_distance_is_unbiased_and_its_floor_holds() -> None:
    rng = np.random.default_rng(7)
    found = [kernel_distance(rng.normal(size=(40, 8)), rng.normal(size=(40, 8)), seed=n) for n in range(200)]
    means = np.array([each.mean for each in found])
    assert abs(means.mean()) < 3 * means.std() / np.sqrt(200)
    exceeded = sum(each.mean > each.floor for each in found)
    assert 3 <= exceeded <= 20, "about 5 % of equal samples exceed the floor"


def test_kernel_distance_in_blocks_still_tells_a_shift() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(2100, 6)), rng.normal(size=(2100, 6))
    same, moved = kernel_distance(x, y, seed=0), kernel_distance(x + 0.3, y, seed=0)
    assert same.mean < same.floor and moved.mean > 10 * moved.floor
    assert moved.low < moved.mean < moved.high and moved.num_values == 2100


def test_kernel_distance_needs_three_vases() -> None:
    with pytest.raises(ValueError, match="at least three captions"):
        kernel_distance(np.ones((2, 3)), np.ones((2, 3)), seed=0)
