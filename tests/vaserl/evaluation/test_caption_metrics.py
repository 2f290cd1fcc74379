"""Tests the caption metrics against numbers by hand and closed forms."""

import numpy as np
import pytest

from vaserl.evaluation.caption_metrics import (
    cosine_similarities,
    lexical_similarity,
    overall_scores,
    paper_ranks,
    tied_ranks,
    tied_recall,
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


def recall(captions, references, texts, k: int) -> list[float]:
    return tied_recall(*tied_ranks(np.array(captions), np.array(references), texts), k).tolist()


def test_ranks_by_hand() -> None:
    references = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    # The first caption is nearest to its own; the second to the first; the third to the second, then its own.
    captions = np.array([[1.0, 0.1], [1.0, 0.2], [-0.1, 1.0]])
    assert paper_ranks(captions, references).tolist() == [1, 2, 2]
    assert recall(captions, references, ["a", "b", "c"], 1) == [1, 0, 0]
    assert recall(captions, references, ["a", "b", "c"], 2) == [1, 1, 1]


def test_ranks_of_equal_references_differ_between_modes() -> None:
    references = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    texts = ["an owl", "an owl", "a siren"]
    # The published way, one of the two owls finds the other's equal reference first; here they are one target.
    assert sorted(paper_ranks(references, references).tolist()) == [1, 1, 2]
    assert recall(references, references, texts, 1) == [1, 1, 1]


def test_tied_recall_of_different_texts_with_one_embedding_is_a_half() -> None:
    references = np.array([[1.0, 0.0], [1.0, 1e-9], [0.0, 1.0]])
    texts = ["an owl", "AN OWL!", "a siren"]
    # the third caption ties with both owls behind its own reference, and has rank 1
    assert recall(references, references, texts, 1) == [0.5, 0.5, 1]
    assert recall(references, references, texts, 2) == [1, 1, 1]
    # a caption that is as near to everything finds its own among three with k / 3
    assert recall(np.ones((3, 2)), np.array([[1.0, 0], [0, 1], [0, 1]]), ["a", "b", "c"], 2) == pytest.approx(
        [2 / 3] * 3
    )


def test_paper_ranks_are_those_of_a_full_sort() -> None:
    rng = np.random.default_rng(5)
    references = rng.integers(-1, 2, size=(150, 4)).astype(np.float32) + 0.125  # many equal rows
    captions = references[rng.permutation(150)]
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (captions, references)]
    cosines = np.dot(unit[0], unit[1].T)
    expected = [int(np.where(np.argsort(row)[::-1] == i)[0][0]) + 1 for i, row in enumerate(cosines)]
    assert paper_ranks(captions, references).tolist() == expected


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
