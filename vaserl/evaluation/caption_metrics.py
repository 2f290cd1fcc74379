"""Computes the caption metrics of the VaseVQA-3D benchmark, which compare captions with reference captions (texts).

Lexical similarity and recall have two modes. "paper" follows the published definition including its flaws, so that
results can be compared with published ones. "strict" corrects one flaw, which the docstring of each metric explains.
Any text encoder can be used: the published cosine and recall used the text encoder of CLIP, the published FID (Fréchet
distance) used a sentence encoder.
"""

import string
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from scipy.linalg import sqrtm

Mode = Literal["paper", "strict"]
TextEncoder = Callable[[Sequence[str]], np.ndarray]
"""Function that converts N texts to N embeddings of width E, float [N, E]; they need not have length 1."""

RECALL_RANKS = (1, 5, 10)

_PUNCTUATION = string.punctuation + "–—‘’“”…·"
"""Characters that the mode "strict" removes at both ends of a word, but not inside: "black-figure" is one word."""

_REGULARISATION = 1e-6
"""Number added to the diagonal of each covariance matrix, as in the published evaluation. Without it, the matrix is
singular if there are fewer captions than the embedding's width."""

_MAX_IMAGINARY_SHARE = 1e-3
"""Largest imaginary part of the matrix square root, relative to its largest real part, that counts as a rounding
error."""


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


def recall_ranks(captions: np.ndarray, references: np.ndarray, texts: Sequence[str], mode: Mode) -> np.ndarray:
    """Ranks all N references for each caption, highest cosine first; returns the rank of the caption's own reference.

    captions, references: embeddings [N, E]. texts: the N texts of the references. Returns int [N]; the best rank is 1.

    In the mode "paper", only the reference with the caption's index counts as its own. If several vases have the same
    reference text, only one of these references can have rank 1. In "strict", every reference with the same text counts
    as the caption's own, and the best of their ranks is returned. Equal cosines are ranked by index, lowest first.
    """
    if not len(captions) == len(references) == len(texts):
        raise ValueError(
            "captions, references and texts must have equal lengths, "
            f"got {len(captions)}, {len(references)} and {len(texts)}"
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
    """Returns the Fréchet distance of two sets of embeddings, captions [N, E] and references [M, E]; 0 is the best.

    It is |μ₁-μ₂|² + Tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½), with the means μ and the covariance matrices Σ of the two sets (Dowson
    and Landau 1982).

    Raises: ValueError for fewer than two captions or references, or if the matrix square root isn't finite and real. A
    returned number could be mistaken for a good result.
    """
    if min(len(captions), len(references)) < 2:
        raise ValueError(
            f"at least two captions and two references are needed, got {len(captions)} and {len(references)}"
        )
    clouds = [np.asarray(cloud, dtype=np.float64) for cloud in (captions, references)]
    mean_1, mean_2 = (cloud.mean(axis=0) for cloud in clouds)
    ridge = _REGULARISATION * np.eye(clouds[0].shape[1])
    covariance_1, covariance_2 = (np.cov(cloud, rowvar=False).reshape(ridge.shape) + ridge for cloud in clouds)
    root = np.asarray(sqrtm(covariance_1 @ covariance_2))
    real, imaginary = np.real(root), np.imag(root)
    if not np.isfinite(root).all():
        raise ValueError(
            "these texts have no Fréchet distance: the square root of the covariance matrices is not finite"
        )
    if np.abs(imaginary).max() > _MAX_IMAGINARY_SHARE * np.abs(real).max():
        raise ValueError("these texts have no Fréchet distance: the square root of the covariance matrices is not real")
    shift = mean_1 - mean_2
    return float(shift @ shift + np.trace(covariance_1) + np.trace(covariance_2) - 2 * np.trace(real))


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


def _unit(embeddings: np.ndarray) -> np.ndarray:
    data = np.asarray(embeddings, dtype=np.float64)
    lengths = np.linalg.norm(data, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        bad = int(np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))[0])
        raise ValueError(
            f"a cosine needs vectors of finite length above 0, but embedding {bad} has length {lengths[bad, 0]}"
        )
    return data / lengths
