"""Tests the levels of chance against loops over pairs."""

import numpy as np
import pytest

from vaserl.evaluation.caption_metrics import lexical_similarity
from vaserl.evaluation.chance import chance_levels


def test_chance_levels_by_loops():
    captions, references = ["a b", "b c", "", "d a b"], ["a b", "b", "c d", "a b"]
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 5)), rng.normal(size=(4, 5))
    found = chance_levels(captions, references, x, y, seed=3)
    cosines = [
        x[i] @ y[j] / np.linalg.norm(x[i]) / np.linalg.norm(y[j]) if captions[i] else 0.0
        for i in range(4)
        for j in range(4)
        if i != j
    ]
    assert found["text_cosine"] == pytest.approx(np.mean(cosines), abs=1e-6)
    others = [lexical_similarity(captions[i], references[j], "strict") for i in range(4) for j in range(4) if i != j]
    assert min(others) <= found["lexical_strict"] <= max(others)
    assert (found["recall_at_1_paper"], found["recall_at_1_strict"]) == (1 / 4, 1 / 3), "two references are equal"
    assert found["recall_at_10_strict"] == 1.0


def test_chance_levels_never_pair_a_caption_with_its_own_reference():
    texts = [f"word{n}" for n in range(30)]
    vectors = np.eye(30)
    assert all(chance_levels(texts, texts, vectors, vectors, seed=s)["lexical_paper"] == 0 for s in range(5))
