"""Caption metrics of the VaseVQA-3D benchmark. All of them compare text with text and use no picture.

Lexical similarity and recall have two modes. "paper" reproduces the published definition, flaws included, so that
numbers are comparable with published ones; "strict" corrects the flaw that the docstring names. The text encoder is a
parameter: a CLIP text tower for the published cosine and recall, a sentence encoder for the published FID, or any
other.
"""

import string
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from scipy.linalg import sqrtm

Mode = Literal["paper", "strict"]
TextEncoder = Callable[[Sequence[str]], np.ndarray]
"""Function from N texts to embeddings, float [N, E], E the embedding's width; the vectors need not have length 1."""

RECALL_RANKS = (1, 5, 10)

_PUNCTUATION = string.punctuation + "–—‘’“”…·"
"""Characters that "strict" strips from both ends of a word but not from its inside: "black-figure" is one word."""

_REGULARISATION = 1e-6
"""Added to both covariances' diagonals, as published: with fewer captions than embedding axes they are singular."""

_MAX_IMAGINARY_SHARE = 1e-3
"""Largest imaginary part of the matrix root that counts as rounding, relative to the largest real part."""


def metric_words(text: str, mode: Mode) -> list[str]:
    """Returns the text's words in lower case.

    "paper" splits at white space only, so "lekythos," differs from "lekythos"; "strict" strips punctuation.
    """
    tokens = text.lower().split()
    if mode == "paper":
        return tokens
    return [stripped for token in tokens if (stripped := token.strip(_PUNCTUATION))]


def lexical_similarity(caption: str, reference: str, mode: Mode) -> float:
    """Returns the Jaccard index of the two sets of words, in [0, 1]; two empty texts have 0, as published."""
    stated, expected = set(metric_words(caption, mode)), set(metric_words(reference, mode))
    return len(stated & expected) / len(stated | expected) if stated | expected else 0.0


def cosine_similarities(captions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Returns the cosine of each of N captions' embeddings [N, E] with that of its own reference [N, E], float [N]."""
    return np.einsum("ne,ne->n", _unit(captions), _unit(references))


def recall_ranks(captions: np.ndarray, references: np.ndarray, texts: Sequence[str], mode: Mode) -> np.ndarray:
    """Returns the rank of each caption's own reference among all N references by cosine, counted from 1, int [N].

    captions, references: embeddings [N, E]. texts: the references' N texts.

    In "paper", only the reference with the caption's index counts, so of several vases with the same reference text
    only one can have rank 1; in "strict", any reference with that text counts, and the best rank is taken. Equal
    cosines are ranked by index, lowest first.
    """
    if not len(captions) == len(references) == len(texts):
        raise ValueError(
            f"expected equal numbers, got {len(captions)} captions, {len(references)} references, {len(texts)} texts"
        )
    # Rounded, because the same text encoded in two batches may differ in its last bits and must still tie.
    cosines = np.round(_unit(captions) @ _unit(references).T, 6)
    order = np.argsort(-cosines, axis=1, kind="stable")
    rank_by_index = np.empty_like(order)
    np.put_along_axis(rank_by_index, order, np.arange(1, len(texts) + 1)[None, :].repeat(len(texts), axis=0), axis=1)
    if mode == "paper":
        return np.diagonal(rank_by_index).copy()
    _, text_ids = np.unique(np.asarray(texts, dtype=object).astype(str), return_inverse=True)
    same_text = text_ids[:, None] == text_ids[None, :]
    return np.where(same_text, rank_by_index, len(texts) + 1).min(axis=1)


def frechet_distance(captions: np.ndarray, references: np.ndarray) -> float:
    """Returns the Fréchet distance of the embeddings of N captions [N, E] and M references [M, E]; lower is better.

    |μ₁-μ₂|² + Tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½) (Dowson and Landau 1982).

    Raises: ValueError for fewer than two texts on a side, or a matrix root that isn't finite and real. Returning a
    number there could be mistaken for the best score, 0.
    """
    if min(len(captions), len(references)) < 2:
        raise ValueError(f"a covariance needs two texts on each side, got {len(captions)} and {len(references)}")
    clouds = [np.asarray(cloud, dtype=np.float64) for cloud in (captions, references)]
    mean_1, mean_2 = (cloud.mean(axis=0) for cloud in clouds)
    ridge = _REGULARISATION * np.eye(clouds[0].shape[1])
    covariance_1, covariance_2 = (np.cov(cloud, rowvar=False).reshape(ridge.shape) + ridge for cloud in clouds)
    root = np.asarray(sqrtm(covariance_1 @ covariance_2))
    real, imaginary = np.real(root), np.imag(root)
    if not np.isfinite(root).all():
        raise ValueError("the matrix root of the covariances is not finite: no Fréchet distance for these texts")
    if np.abs(imaginary).max() > _MAX_IMAGINARY_SHARE * np.abs(real).max():
        raise ValueError("the matrix root of the covariances is not real: no Fréchet distance for these texts")
    shift = mean_1 - mean_2
    return float(shift @ shift + np.trace(covariance_1) + np.trace(covariance_2) - 2 * np.trace(real))


def overall_scores(
    *, cosine: np.ndarray, recall_1: np.ndarray, recall_5: np.ndarray, recall_10: np.ndarray, lexical: np.ndarray
) -> np.ndarray:
    """Returns the benchmark's overall score: .25 CLIP + .25 semantic + .20 R@10 + .15 lexical + .10 R@5 + .05 R@1.

    CLIP and semantic similarity are the same number in the published evaluation, so the cosine weighs one half.
    The score is linear in its terms: with values per vase [N], the mean of the result is the corpus's score.
    """
    return 0.5 * cosine + 0.20 * recall_10 + 0.15 * lexical + 0.10 * recall_5 + 0.05 * recall_1


def _unit(embeddings: np.ndarray) -> np.ndarray:
    data = np.asarray(embeddings, dtype=np.float64)
    lengths = np.linalg.norm(data, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        bad = int(np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))[0])
        raise ValueError(f"embedding {bad} has length {lengths[bad, 0]}: a cosine needs a finite, non-zero vector")
    return data / lengths
