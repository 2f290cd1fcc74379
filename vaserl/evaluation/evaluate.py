"""Compares the captions of two systems for the same held-out vases.

The systems are a model after supervised training ("sft") and one after reinforcement learning ("rl"). All comparisons
are paired by vase. The result has a summary and one row for each vase; it is stored in files, from which the report is
written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vaserl.errors import UserError
from vaserl.evaluation import caption_metrics as metrics
from vaserl.evaluation.baselines import SMOOTHING, GuessFromOthers, SameValue, hits, majority_value, same_exactly
from vaserl.evaluation.dimensions import Values, compare_dimension, dimension_outcomes, measure_dimension
from vaserl.runs.evaluation_run import EvaluatedVase
from vaserl.statistics.intervals import ConfidenceInterval, bootstrap_mean_interval, paired_difference, wilson_interval
from vaserl.types import DIMENSIONS, Dimension, Score

SYSTEMS = ("sft", "rl")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRow:
    """One held-out vase with the caption and score of each system."""

    id: str
    """Id of the vase."""
    record: Mapping[str, str]
    """The museum's record of the vase, with field names of the Beazley archive ("Shape Name")."""
    reference: str
    """Reference caption: the complete caption that a perfect policy would write."""
    captions: Mapping[str, str]
    """Captions of the vase, by the system that wrote them ("sft", "rl")."""
    scores: Mapping[str, Score]
    """Scores of the captions, by system. A score has a part for each dimension that the record states: "fabric", …"""
    clip: str = ""
    """Content hash of the captioned turntable video, which the report shows; empty if unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Functions that extract the value of each dimension from a text, with the same parser as the reward."""

    record: Callable[[Mapping[str, str]], Values]
    """Function that returns the value of each dimension in a museum's record."""
    caption: Callable[[str], Values]
    """Function that returns the value of each dimension in a caption; None for a dimension that isn't stated."""
    same: SameValue = same_exactly
    """Function that returns True if a baseline's guess counts as right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """Settings that change an evaluation's numbers."""

    tau: float = 0.7
    """Smallest part of a score at which the caption is right in the part's dimension; should equal the reward's tau."""
    smoothing: float = SMOOTHING
    """Pseudo-count added to the count of every value in the naive Bayes baseline, `GuessFromOthers`."""
    num_resamples: int = 10_000
    """Number of bootstrap resamples for a confidence interval."""
    seed: int = 0
    """Seed of the bootstrap's random numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResult:
    """Result of an evaluation: metrics of both systems, and the vases from which the metrics were computed."""

    summary: dict[str, Any]
    """Metrics as JSON values: "sft", "rl", "difference" (rl minus sft), "baselines", "num_vases", "tau", "seed"."""
    vases: list[EvaluatedVase]
    """The N held-out vases, each with the values that were parsed from its record and captions."""


def evaluate_captions(
    rows: Sequence[EvaluationRow],
    train_records: Sequence[Mapping[str, str]],
    reader: Reader,
    encoder: metrics.TextEncoder,
    config: EvaluationConfig,
    fid_encoder: metrics.TextEncoder | None = None,
) -> EvaluationResult:
    """Computes metrics of both systems, their paired differences, and two baselines that don't see the video.

    rows: the held-out vases with captions and scores. train_records: records from which the baselines are computed.
    encoder: text encoder for cosine and recall. fid_encoder: text encoder for the Fréchet distance; None means
    `encoder` (the published evaluation used a sentence encoder here).

    Raises: UserError for fewer than two rows, for two rows with one id, or for a row without a caption or a score of
    one of the systems.
    """
    _check(rows)
    draw = {"num_resamples": config.num_resamples, "seed": config.seed}
    truths = [reader.record(row.record) for row in rows]
    stated_values = {system: [reader.caption(row.captions[system]) for row in rows] for system in SYSTEMS}
    train = [reader.record(record) for record in train_records]
    references = [row.reference for row in rows]
    reference_vectors = encoder(references)
    fid_reference_vectors = reference_vectors if fid_encoder is None else fid_encoder(references)

    summary: dict[str, Any] = {"num_vases": len(rows), "tau": config.tau, "seed": config.seed}
    per_vase: dict[str, dict[str, np.ndarray]] = {}
    for system in SYSTEMS:
        captions = [row.captions[system] for row in rows]
        vectors = encoder(captions)
        scores = [row.scores[system] for row in rows]
        per_vase[system] = vase_metrics(captions, references, scores, (vectors, reference_vectors))
        fid_vectors = vectors if fid_encoder is None else fid_encoder(captions)
        summary[system] = {
            **mean_intervals(per_vase[system], **draw),
            "text_fid": metrics.frechet_distance(fid_vectors, fid_reference_vectors),
        }
    summary["difference"] = {
        name: paired_difference(rl, per_vase["sft"][name], **draw).as_dict() for name, rl in per_vase["rl"].items()
    }
    by_dimension = {
        dimension: _dimension(dimension, rows, truths, stated_values, train, reader, config) for dimension in DIMENSIONS
    }
    for part in (*SYSTEMS, "difference"):
        summary[part]["dimensions"] = {dimension: found[part] for dimension, found in by_dimension.items()}
    summary["baselines"] = {dimension: found["baselines"] for dimension, found in by_dimension.items()}

    vases = [
        _evaluated_vase(row, truth, {system: stated_values[system][n] for system in SYSTEMS})
        for n, (row, truth) in enumerate(zip(rows, truths, strict=True))
    ]
    return EvaluationResult(summary=summary, vases=vases)


def vase_metrics(
    captions: Sequence[str],
    references: Sequence[str],
    scores: Sequence[Score],
    vectors: tuple[np.ndarray, np.ndarray] | None,
) -> dict[str, np.ndarray]:
    """Computes the metrics of N captions that have a value for each vase; returns the N values by name ("reward", …).

    "unread" is True for a caption in a language that the reward's parser does not read. vectors: embeddings of the
    captions and of their references; with None the metrics that need them are left out.
    """
    values: dict[str, np.ndarray] = {"reward": np.array([score.total for score in scores])}
    if all("unread" in score.parts for score in scores):  # a user's reward need not tell
        values["unread"] = np.array([score.parts["unread"] > 0 for score in scores])
    values["num_words"] = np.array([len(metrics.metric_words(caption, "strict")) for caption in captions], dtype=float)
    if vectors is not None:
        values["text_cosine"] = metrics.cosine_similarities(*vectors)
    for mode in ("paper", "strict"):
        pairs = zip(captions, references, strict=True)
        values[f"lexical_{mode}"] = np.array([metrics.lexical_similarity(c, reference, mode) for c, reference in pairs])
        if vectors is not None:
            ranks = metrics.recall_ranks(*vectors, references, mode)
            for k in metrics.RECALL_RANKS:
                values[f"recall_at_{k}_{mode}"] = ranks <= k
    if vectors is not None:
        values["overall_paper"] = metrics.overall_scores(
            cosine=values["text_cosine"],
            recall_1=values["recall_at_1_paper"],
            recall_5=values["recall_at_5_paper"],
            recall_10=values["recall_at_10_paper"],
            lexical=values["lexical_paper"],
        )
    return values


def mean_intervals(values: Mapping[str, np.ndarray], *, num_resamples: int, seed: int) -> dict[str, dict[str, float]]:
    """Returns the mean of each metric over the vases, with the bounds of its interval: {"reward": {"mean": …}, …}.

    The interval is Wilson's for boolean values, and the bootstrap's percentiles for others.
    """
    return {name: _mean(each, num_resamples=num_resamples, seed=seed).as_dict() for name, each in values.items()}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BaselineHits:
    """The vases on which two baselines that don't see the video are right about one dimension, each bool [N]."""

    majority: np.ndarray
    """Hits of the commonest value in the training records."""
    from_others: np.ndarray
    """Hits of the guess from the vase's other five dimensions."""

    @property
    def better(self) -> np.ndarray:
        """Hits of the better baseline; naive Bayes may fall below the majority where evidence is thin."""
        return self.from_others if self.from_others.sum() >= self.majority.sum() else self.majority


def baseline_hits(
    dimension: Dimension, truths: Sequence[Values], train: Sequence[Values], reader: Reader, smoothing: float
) -> BaselineHits:
    """Determines the vases on which each baseline is right. truths: values of the N vases. train: values of the
    training records."""
    guess = GuessFromOthers(train, dimension, smoothing)
    majority = [majority_value(train, dimension)] * len(truths)
    return BaselineHits(
        majority=hits(dimension, majority, truths, reader.same),
        from_others=hits(dimension, [guess(values) for values in truths], truths, reader.same),
    )


def _dimension(
    dimension: Dimension,
    rows: Sequence[EvaluationRow],
    truths: Sequence[Values],
    stated_values: Mapping[str, Sequence[Values]],
    train: Sequence[Values],
    reader: Reader,
    config: EvaluationConfig,
) -> dict[str, Any]:
    """Evaluates one dimension; returns its entries in the summary: "sft", "rl", "difference" and "baselines"."""
    draw = {"num_resamples": config.num_resamples, "seed": config.seed}
    outcomes = {
        system: dimension_outcomes(
            dimension, [row.scores[system] for row in rows], stated_values[system], truths, config.tau
        )
        for system in SYSTEMS
    }
    guessed = baseline_hits(dimension, truths, train, reader, config.smoothing)
    has_target = outcomes["sft"].has_target
    compared = compare_dimension(outcomes["rl"], outcomes["sft"], **draw)
    return {
        **{system: measure_dimension(outcomes[system], guessed.better, **draw).as_dict() for system in SYSTEMS},
        "difference": {name: interval and interval.as_dict() for name, interval in compared.items()},
        "baselines": {
            "majority_value": majority_value(train, dimension),
            "majority": _accuracy(guessed.majority, has_target),
            "guess_from_others": _accuracy(guessed.from_others, has_target),
        },
    }


def _check(rows: Sequence[EvaluationRow]) -> None:
    if len(rows) < 2:
        raise UserError(f"an evaluation needs at least two held-out vases, got {len(rows)}")
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise UserError(f"two rows have the id {row.id!r}; expected one row for each held-out vase")
        seen.add(row.id)
        for system in SYSTEMS:
            if system not in row.captions or system not in row.scores:
                raise UserError(
                    f"vase {row.id} has no caption or no score of {system!r}; both systems must caption every vase"
                )


def _mean(values: np.ndarray, *, num_resamples: int, seed: int) -> ConfidenceInterval:
    if values.dtype == bool:
        return wilson_interval(int(values.sum()), len(values))
    return bootstrap_mean_interval(values, num_resamples=num_resamples, seed=seed)


def _accuracy(right: np.ndarray, has_target: np.ndarray) -> dict[str, float] | None:
    if not has_target.any():
        return None
    return wilson_interval(int((right & has_target).sum()), int(has_target.sum())).as_dict()


def _evaluated_vase(row: EvaluationRow, truth: Values, stated_values: Mapping[str, Values]) -> EvaluatedVase:
    return EvaluatedVase(
        id=row.id,
        record=dict(row.record),
        reference=row.reference,
        captions=dict(row.captions),
        scores=dict(row.scores),
        values={name: {**values} for name, values in {"truth": truth, **stated_values}.items()},
        clip=row.clip,
    )
