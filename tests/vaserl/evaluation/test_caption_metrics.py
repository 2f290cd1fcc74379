"""Tests the caption metrics against numbers by hand and closed forms."""

import numpy as np
import pytest

from vaserl.evaluation.caption_metrics import (
    cosine_similarities,
    frechet_distance,
    lexical_similarity,
    overall_scores,
    recall_ranks,
)


def test_lexical_similarity_by_hand() -> None:
    caption = "Athenian black-figure lekythos, an owl."
    reference = "Athenian black-figure lekythos with an owl"
    # paper: {athenian, black-figure, "lekythos,", an, "owl."} and {athenian, black-figure, lekythos, with, an, owl}:
    # 3 shared of 5 + 6 - 3 = 8. strict: 5 shared of 5 + 6 - 5 = 6.
    assert lexical_similarity(caption, reference, "paper") == pytest.approx(3 / 8)
    assert lexical_similarity(caption, reference, "strict") == pytest.approx(5 / 6)


@pytest.mark.parametrize("mode", ["paper", "strict"])
def test_lexical_similarity_at_its_bounds(mode) -> None:
    assert lexical_similarity("An owl", "an OWL an", mode) == 1.0
    assert lexical_similarity("owl", "siren", mode) == 0.0
    assert lexical_similarity("", "", mode) == 0.0
    assert lexical_similarity("", "owl", mode) == 0.0


def test_lexical_similarity_counts_a_lone_dash_in_paper_mode_only() -> None:
    assert lexical_similarity("owl – siren", "owl siren", "paper") == pytest.approx(2 / 3)
    assert lexical_similarity("owl – siren", "owl siren", "strict") == 1.0


def test_cosine_similarities_ignore_length() -> None:
    captions, references = np.array([[3.0, 0.0], [1.0, 1.0]]), np.array([[5.0, 0.0], [0.0, 2.0]])
    assert cosine_similarities(captions, references) == pytest.approx([1.0, 1 / np.sqrt(2)])
    with pytest.raises(ValueError, match="embedding 1 has length 0"):
        cosine_similarities(np.array([[1.0, 0.0], [0.0, 0.0]]), references)


def test_recall_ranks_by_hand() -> None:
    references = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    # The first caption is nearest to its own; the second to the first; the third to the second, then its own.
    captions = np.array([[1.0, 0.1], [1.0, 0.2], [-0.1, 1.0]])
    assert recall_ranks(captions, references, ["a", "b", "c"], "paper").tolist() == [1, 2, 2]
    assert recall_ranks(captions, references, ["a", "b", "c"], "strict").tolist() == [1, 2, 2]


def test_recall_ranks_of_equal_references_differ_between_modes() -> None:
    references = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    captions = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    texts = ["an owl", "an owl", "a siren"]
    # Indices 0 and 1 tie at cosine 1, so vase 1 finds vase 0's identical caption first.
    assert recall_ranks(captions, references, texts, "paper").tolist() == [1, 2, 1]
    assert recall_ranks(captions, references, texts, "strict").tolist() == [1, 1, 1]


def test_recall_ranks_strict_separates_different_texts_of_one_embedding() -> None:
    references = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert recall_ranks(references, references, ["an owl", "AN OWL!"], "strict").tolist() == [1, 2]


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


def test_overall_scores_by_hand() -> None:
    overall = overall_scores(
        cosine=np.array([0.8]),
        recall_1=np.array([False]),
        recall_5=np.array([True]),
        recall_10=np.array([True]),
        lexical=np.array([0.4]),
    )
    # .25 * .8 + .25 * .8 + .20 + .15 * .4 + .10 + 0 = .4 + .2 + .06 + .1
    assert overall == pytest.approx([0.76])
