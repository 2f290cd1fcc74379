"""Computes metrics that compare captions with reference captions (texts), each with one value for each vase.

Lexical similarity and recall have two modes. "paper" is the published definition including its flaws; the published
evaluation as a whole, with its choice of vases, is in `paper_mode`. "strict" is the definition without the flaws. Any
text encoder can be used: the published cosine and recall used the text encoder of CLIP.

Letters of axes: N captions and references, E numbers of an embedding, U distinct reference texts.
"""

import string
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

Mode = Literal["paper", "strict"]
TextEncoder = Callable[[Sequence[str]], np.ndarray]
"""Function that converts N texts to N embeddings of width E, float [N, E]; they need not have length 1."""

RECALL_RANKS = (1, 5, 10)

_PUNCTUATION = string.punctuation + "–—‘’“”…·"
"""Characters that the mode "strict" removes at both ends of a word, but not inside: "black-figure" is one word."""

_SAME_COSINE = 1e-6
"""Difference below which two cosines tie in "strict": a text that is encoded in two batches may differ in its last
bits."""
_ROWS_PER_CHUNK = 1024


def metric_words(text: str, mode: Mode) -> list[str]:
    """Splits a text at white space and returns its words in lower case.

    In the mode "paper", punctuation remains, so "lekythos," and "lekythos" are different words. In "strict",
    punctuation at the ends of a word is removed.
    """
    tokens = text.lower().split()
    if mode == "paper":
        return tokens
    return [stripped for token in tokens if (stripped := token.strip(_PUNCTUATION))]


def lexical_similarity(caption: str, reference: str, mode: Mode) -> float:
    """Returns the Jaccard index of the words of a caption and of its reference caption, in [0, 1].

    The modes differ in how punctuation is treated, see `metric_words`. Two empty texts have 0, as published.
    """
    stated, expected = set(metric_words(caption, mode)), set(metric_words(reference, mode))
    return len(stated & expected) / len(stated | expected) if stated | expected else 0.0


def cosine_similarities(captions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Returns the cosine of each caption's embedding and its own reference's embedding, float [N].

    captions, references: embeddings [N, E].
    """
    return np.einsum("ne,ne->n", _unit(captions), _unit(references))


def paper_ranks(captions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Ranks all N references for each caption and returns the rank of the reference with the caption's index, int [N].

    This is the published procedure: cosines in float32, ascending argsort of numpy's default kind, reversed.
    If several vases have the same reference text, only one of the equal references can have rank 1. The order of equal
    cosines is numpy's, which isn't stable.
    """
    if len(captions) != len(references):
        raise ValueError(f"captions and references must have equal lengths, got {len(captions)} and {len(references)}")
    cosines = np.dot(unit_float32(captions), unit_float32(references).T)
    own = np.diagonal(cosines)[:, None]
    ranks = (cosines > own).sum(axis=1) + 1
    # sorting is slow, and needed only where the own cosine occurs twice
    for row in np.flatnonzero((cosines == own).sum(axis=1) > 1):
        ranks[row] = np.flatnonzero(np.argsort(cosines[row])[::-1] == row)[0] + 1
    return ranks


def tied_ranks(captions: np.ndarray, references: np.ndarray, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns for each caption the number of references in the pool that are nearer than its own, and the number that
    tie with its own, itself included; each int [N].

    references: embedding of each vase's reference, [N, E]. texts: the N texts of the references. The pool is the U
    distinct texts, so vases with the same reference text share one target.
    """
    if not len(captions) == len(references) == len(texts):
        raise ValueError(
            "captions, references and texts must have equal lengths, "
            f"got {len(captions)}, {len(references)} and {len(texts)}"
        )
    first: dict[str, int] = {}
    target = np.array([first.setdefault(text, len(first)) for text in texts])
    places = np.unique(target, return_index=True)[1]
    pool, units = _unit(references)[places].T, _unit(captions)
    nearer, tied = np.empty(len(texts), dtype=int), np.empty(len(texts), dtype=int)
    for start in range(0, len(texts), _ROWS_PER_CHUNK):
        rows = slice(start, start + _ROWS_PER_CHUNK)
        cosines = units[rows] @ pool
        own = np.take_along_axis(cosines, target[rows, None], axis=1)
        nearer[rows] = (cosines > own + _SAME_COSINE).sum(axis=1)
        tied[rows] = (cosines >= own - _SAME_COSINE).sum(axis=1) - nearer[rows]
    return nearer, tied


def tied_recall(nearer: np.ndarray, tied: np.ndarray, k: int) -> np.ndarray:
    """Returns for each caption the probability that its reference is among the k nearest, float [N].

    References that tie with the own one are in random order: of t tied ones, the own is among the first m with
    probability m / t. nearer, tied: see `tied_ranks`. The level of chance is k / U.
    """
    return np.clip((k - nearer) / tied, 0.0, 1.0)


def overall_scores(
    *, cosine: np.ndarray, recall_1: np.ndarray, recall_5: np.ndarray, recall_10: np.ndarray, lexical: np.ndarray
) -> np.ndarray:
    """Returns the benchmark's overall score: .25 CLIP + .25 semantic + .20 R@10 + .15 lexical + .10 R@5 + .05 R@1.

    In the published evaluation, the CLIP similarity and the semantic similarity are the same number, the cosine, so the
    cosine has the weight 0.5. R@10 is the recall at 10.

    All arguments are arrays [N] with one value for each vase. Because the score is a linear function of them, the mean
    of the returned array is the score of the whole data set.
    """
    return 0.5 * cosine + 0.20 * recall_10 + 0.15 * lexical + 0.10 * recall_5 + 0.05 * recall_1


def unit_float32(embeddings: np.ndarray) -> np.ndarray:
    """Returns embeddings of length 1 in float32, computed in float32 as the published evaluation does."""
    data = np.asarray(embeddings, dtype=np.float32)
    return data / np.linalg.norm(data, axis=-1, keepdims=True)


def _unit(embeddings: np.ndarray) -> np.ndarray:
    data = np.asarray(embeddings, dtype=np.float64)
    lengths = np.linalg.norm(data, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        bad = int(np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))[0])
        raise ValueError(
            f"a cosine needs vectors of finite length above 0, but embedding {bad} has length {lengths[bad, 0]}"
        )
    return data / lengths
