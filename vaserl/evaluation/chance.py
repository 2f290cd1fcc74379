"""Levels of chance: what the same captions score if each is compared with another vase's reference."""

from collections.abc import Sequence

import numpy as np

from vaserl.evaluation.caption_metrics import RECALL_RANKS, lexical_similarity, unit_float32


def chance_levels(
    captions: Sequence[str],
    references: Sequence[str],
    caption_vectors: np.ndarray,
    reference_vectors: np.ndarray,
    *,
    seed: int,
) -> dict[str, float]:
    """Returns the level of chance of each metric that compares a caption with its own reference, by the metric's name.

    The cosine is averaged over all pairs of different vases, the lexical similarities over one random cycle through the
    vases, and a recall is k over the size of its pool. An empty caption counts as 0.
    """
    num = len(captions)
    written = np.array([bool(caption.strip()) for caption in captions])
    units, others = (unit_float32(vectors).astype(np.float64) for vectors in (caption_vectors, reference_vectors))
    own = np.einsum("ne,ne->n", units, others)
    cosines = (units @ others.sum(axis=0) - own) / (num - 1)
    levels = {"text_cosine": float(np.where(written, cosines, 0.0).mean())}
    cycle: list[int] = np.random.default_rng(seed).permutation(num).tolist()
    for mode in ("paper", "strict"):
        similarities = [lexical_similarity(captions[cycle[n]], references[cycle[n - 1]], mode) for n in range(num)]
        levels[f"lexical_{mode}"] = float(np.mean(similarities))
    pool = len(set(references))
    for k in RECALL_RANKS:
        levels[f"recall_at_{k}_paper"] = min(k / num, 1.0)
        levels[f"recall_at_{k}_strict"] = min(k / pool, 1.0)
    return levels
