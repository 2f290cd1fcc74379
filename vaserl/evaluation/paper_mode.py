"""The evaluation published with VaseVQA-3D, with its quirks, for numbers that compare with the paper's table.

Quirks, each of which the tests hold:

* A vase is known by the first two parts of its picture's name, split at "_", if there are three or more; otherwise by
  the name without ".jpg". Rows without a picture are skipped.
* Of several references of one vase the last counts. Several captions of one vase all count, each as a pair.
* Captions without a reference are skipped, and so are references without a caption. A system that fails on a vase has a
  smaller pool and a smaller N, so that failing makes recall easier.
* The pool of references has a copy of a reference for each caption of its vase. Only the copy with the caption's own
  index is a hit, so equal references count as misses. The order of ties is that of numpy's unstable sort, reversed.
* CLIP score and "semantic similarity" are the same number, computed twice, so the overall score counts it with 0.5.
* Words keep their punctuation: "lekythos," and "lekythos" differ. Two empty texts have similarity 0.
* The Fréchet distance uses a sentence encoder, adds 1e-6 to the covariances' diagonals, keeps the real part of the
  matrix square root whatever its imaginary part, and if that root can't be computed, takes the square root of the
  product of the traces in its place, which is another quantity. A single pair gives nan.
* The text tower of CLIP cuts a text at 77 tokens.

Not followed: a missing encoder or an error gave 0.0, the best possible distance; here it is an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import sqrtm

from vaserl.evaluation.caption_metrics import RECALL_RANKS, TextEncoder, lexical_similarity, paper_ranks, unit_float32

_RIDGE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureCaption:
    """A caption of a vase that is known by the name of its picture, in the published layout."""

    picture: str
    """Name of the first picture: "7fa0-42d1_2_ac001001.jpg"; empty if the row has none."""
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperScores:
    """The published metrics of one system. Recalls are shares from 0 to 1."""

    num_pairs: int
    """Number of pairs, which is also the size of the pool of references."""
    clip: float
    semantic: float
    """The same number as `clip`."""
    fid: float
    """Fréchet distance of the sentence encoder's embeddings; nan for a single pair."""
    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    lexical: float
    overall: float
    """.25 clip + .25 semantic + .20 recall@10 + .15 lexical + .10 recall@5 + .05 recall@1."""

    def as_dict(self) -> dict[str, Any]:
        """Returns a dict of the fields that can be written as JSON; nan becomes None."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: None if value != value else value for name, value in values.items()}


def picture_id(name: str) -> str:
    """Returns the id of the vase in a picture: "7fa0-42d1_2" for "7fa0-42d1_2_ac001001.jpg"."""
    parts = name.split("_")
    return f"{parts[0]}_{parts[1]}" if len(parts) >= 3 else name.replace(".jpg", "")


def matched_pairs(
    captions: Sequence[PictureCaption], references: Sequence[PictureCaption]
) -> list[tuple[str, str, str]]:
    """Returns the pairs that the published evaluation compares: (vase, caption, reference), in the captions' order."""
    known: Mapping[str, str] = {picture_id(row.picture): row.caption for row in references if row.picture}
    ids = [(picture_id(row.picture), row.caption) for row in captions if row.picture]
    return [(vase, caption, known[vase]) for vase, caption in ids if vase in known]


def paper_scores(
    pairs: Sequence[tuple[str, str, str]], clip_encoder: TextEncoder, sentence_encoder: TextEncoder
) -> PaperScores:
    """Returns the published metrics of at least one pair of (vase, caption, reference)."""
    captions, references = [caption for _, caption, _ in pairs], [reference for *_, reference in pairs]
    return scores_of_embeddings(
        captions,
        references,
        clip=(clip_encoder(captions), clip_encoder(references)),
        sentence=(sentence_encoder(captions), sentence_encoder(references)),
    )


def scores_of_embeddings(
    captions: Sequence[str],
    references: Sequence[str],
    *,
    clip: tuple[np.ndarray, np.ndarray],
    sentence: tuple[np.ndarray, np.ndarray],
) -> PaperScores:
    """Returns the published metrics of N captions and their references. clip, sentence: embeddings of both."""
    if not captions:
        raise ValueError("the published metrics need at least one caption whose vase has a reference")
    units = [unit_float32(vectors) for vectors in clip]
    cosine = float(np.mean((units[0] * units[1]).sum(axis=-1)))
    ranks = paper_ranks(*clip)
    recall = {k: float(np.mean(ranks <= k)) for k in RECALL_RANKS}
    lexical = float(np.mean([lexical_similarity(c, r, "paper") for c, r in zip(captions, references, strict=True)]))
    return PaperScores(
        num_pairs=len(captions),
        clip=cosine,
        semantic=cosine,
        fid=_paper_frechet(*sentence),
        recall_at_1=recall[1],
        recall_at_5=recall[5],
        recall_at_10=recall[10],
        lexical=lexical,
        overall=0.25 * cosine + 0.25 * cosine + 0.2 * recall[10] + 0.15 * lexical + 0.1 * recall[5] + 0.05 * recall[1],
    )


def _paper_frechet(captions: np.ndarray, references: np.ndarray) -> float:
    clouds = [np.asarray(cloud, dtype=np.float32) for cloud in (captions, references)]
    shift = clouds[0].mean(axis=0) - clouds[1].mean(axis=0)
    distance = float(shift.dot(shift))
    if len(captions) < 2:
        return float("nan")  # the covariance of one text is 0 / 0
    sigma_1, sigma_2 = (
        np.atleast_2d(np.cov(cloud, rowvar=False)) + _RIDGE * np.eye(cloud.shape[1]) for cloud in clouds
    )
    try:
        root = np.asarray(sqrtm(sigma_1.dot(sigma_2)))
    except (ValueError, np.linalg.LinAlgError):
        return distance + float(
            np.trace(sigma_1) + np.trace(sigma_2) - 2 * np.sqrt(np.trace(sigma_1) * np.trace(sigma_2))
        )
    return distance + float(np.trace(sigma_1 + sigma_2 - 2 * np.real(root)))
