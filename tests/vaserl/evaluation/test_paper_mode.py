"""Tests the paper mode against an independent computation on 200 pairs with every quirk, and each quirk by hand."""

import numpy as np
import pytest
from scipy import linalg

from vaserl.evaluation import paper_mode
from vaserl.evaluation.paper_mode import PictureCaption, matched_pairs, paper_scores, picture_id, scores_of_embeddings

WORDS = [
    "athenian",
    "black-figure",
    "red-figure",
    "lekythos,",
    "lekythos",
    "kylix",
    "amphora.",
    "herakles",
    "boar",
    "owl,",
    "owl",
    "c.",
    "500",
    "bce",
    "–",
]


def rows(pairs) -> list[PictureCaption]:
    return [PictureCaption(picture=picture, caption=caption) for picture, caption in pairs]


def picture(number: int) -> str:
    """Names of all kinds: UUID_view_ac001001.jpg, two parts only, and one part."""
    return (f"7fa{number}-42d1_{number % 4}_ac001001.jpg", f"{number:03d}_1.jpg", f"vase{number}.jpg")[number % 3]


def benchmark():
    """Returns captions and references with every quirk: duplicates on both sides, failures, strangers, equal texts."""
    rng = np.random.default_rng(0)

    def text() -> str:
        return " ".join(rng.choice(WORDS, size=rng.integers(0, 9)))

    references = [(picture(n), text() if n % 5 else "the same text") for n in range(190)]
    references += [(picture(n), text()) for n in range(0, 40, 4)]  # the last of two references counts
    captions = [(picture(n), text() if n % 7 else dict(references)[picture(n)]) for n in range(180)]  # ten failures
    captions += [(picture(n), text()) for n in range(20)]  # captioned twice
    captions += [("unknown_1_ac001001.jpg", "no reference"), ("", "no picture")]
    order = rng.permutation(len(captions))
    return [captions[i] for i in order], references


def embed(texts, width: int) -> np.ndarray:
    """Random embeddings of the words, so that equal texts are equal and punctuation matters."""
    found = np.zeros((len(texts), width), dtype=np.float32)
    for row, text in zip(found, texts, strict=True):
        row[0] = 1
        for word in text.split():
            row += np.random.default_rng(sum(map(ord, word))).normal(size=width).astype(np.float32)
    return found


def sentences(texts) -> np.ndarray:
    """Embeddings of length 1, as those of the published sentence encoder."""
    vectors = embed(texts, 300)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def independent(captions, references) -> dict[str, float]:
    """The published evaluation, written again from its description with loops."""

    def vase(name):
        parts = name.split("_")
        return "_".join(parts[:2]) if len(parts) > 2 else name.replace(".jpg", "")

    truth = {}
    for name, text in references:
        truth[vase(name)] = text
    pairs = [(text, truth[vase(name)]) for name, text in captions if name and vase(name) in truth]
    left, right = [a for a, _ in pairs], [b for _, b in pairs]
    a, b = (embed(texts, 24) for texts in (left, right))
    a, b = (v / np.sqrt((v**2).sum(axis=1, keepdims=True)) for v in (a, b))
    cosine = np.mean([np.sum(x * y) for x, y in zip(a, b, strict=True)])
    hits = {1: 0, 5: 0, 10: 0}
    for i, row in enumerate(np.dot(a, b.T)):
        nearest = list(np.argsort(row)[::-1])
        for k in hits:
            hits[k] += i in nearest[:k]
    jaccard = []
    for x, y in pairs:
        first, second = set(x.lower().split()), set(y.lower().split())
        jaccard.append(len(first & second) / len(first | second) if first | second else 0)
    s, t = (sentences(texts) for texts in (left, right))  # more dimensions than pairs
    sigma = [np.cov(v.astype(np.float64).T) + np.diag(np.full(300, 1e-6)) for v in (s, t)]
    shift = s.mean(axis=0) - t.mean(axis=0)
    fid = (
        (shift**2).sum()
        + np.trace(sigma[0])
        + np.trace(sigma[1])
        - 2 * np.trace(linalg.sqrtm(sigma[0] @ sigma[1]).real)
    )
    n, lexical = len(pairs), np.mean(jaccard)
    return {
        "num_pairs": n,
        "clip": cosine,
        "semantic": cosine,
        "fid": fid,
        **{f"recall_at_{k}": hit / n for k, hit in hits.items()},
        "lexical": lexical,
        "overall": 0.5 * cosine + 0.2 * hits[10] / n + 0.1 * hits[5] / n + 0.05 * hits[1] / n + 0.15 * lexical,
    }


def test_paper_scores_equal_an_independent_computation():
    captions, references = benchmark()
    pairs = matched_pairs(rows(captions), rows(references))
    found = paper_scores(pairs, lambda texts: embed(texts, 24), sentences).as_dict()
    expected = independent(captions, references)
    assert found["num_pairs"] == 200
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name
    assert 0.1 < found["recall_at_10"] < 0.9 and 0.05 < found["lexical"] < 0.9


def test_paper_scores_do_not_depend_on_ties_alone():
    captions, references = benchmark()
    pairs = matched_pairs(rows(captions), rows(references))
    texts = [reference for *_, reference in pairs]
    assert len(set(texts)) < len(texts) - 30, "the benchmark has equal references, whose order is numpy's"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("7fa-1_2_ac001001.jpg", "7fa-1_2"), ("a_b_c", "a_b"), ("12_3.jpg", "12_3"), ("vase.jpg", "vase"), ("v", "v")],
)
def test_picture_id(name: str, expected: str):
    assert picture_id(name) == expected


def test_matched_pairs_quirks_by_hand():
    references = rows([("a_1_x.jpg", "old"), ("a_1_y.jpg", "new"), ("b_1_x.jpg", "B"), ("", "no picture")])
    captions = rows([("a_1_z.jpg", "first"), ("c_1_x.jpg", "stranger"), ("a_1_z.jpg", "second"), ("", "none")])
    assert matched_pairs(captions, references) == [("a_1", "first", "new"), ("a_1", "second", "new")]


def test_paper_scores_of_a_single_pair_have_no_distance():
    one = np.ones((1, 3))
    found = scores_of_embeddings(["a b"], ["a"], clip=(one, one), sentence=(one, one))
    assert np.isnan(found.fid) and found.as_dict()["fid"] is None
    assert (found.recall_at_1, found.clip, found.lexical) == (1, pytest.approx(1), 0.5)


def test_paper_scores_without_a_matrix_root_use_the_traces(monkeypatch):
    def fails(matrix):
        raise ValueError("array must not contain infs or NaNs")

    monkeypatch.setattr(paper_mode, "sqrtm", fails)
    clip = np.eye(3)
    # covariances of the rows of I and of 2 I: traces 1 and 4 (+ 3e-6 each); means 1/3 and 2/3, so |shift|² = 1/3
    found = scores_of_embeddings(["a"] * 3, ["a"] * 3, clip=(clip, clip), sentence=(np.eye(3), 2 * np.eye(3)))
    assert found.fid == pytest.approx(1 / 3 + 5 - 2 * np.sqrt(4), abs=1e-4)


def test_paper_scores_need_a_pair():
    with pytest.raises(ValueError, match="at least one caption"):
        paper_scores([], lambda texts: embed(texts, 4), lambda texts: embed(texts, 4))
