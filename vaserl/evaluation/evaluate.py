"""Compares the captions of any number of systems for the same held-out vases.

All comparisons are paired by vase, and with one system, the baseline. The result has a summary and one row for each
vase; it is stored in files, from which the tables and the report are written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vaserl.errors import UserError
from vaserl.evaluation import caption_metrics as metrics
from vaserl.evaluation.baselines import SMOOTHING, GuessFromOthers, SameValue, hits, majority_value, same_exactly
from vaserl.evaluation.chance import chance_levels
from vaserl.evaluation.dimensions import (
    DimensionOutcomes,
    Values,
    compare_dimensions,
    dimension_outcomes,
    measure_dimension,
)
from vaserl.evaluation.text_distances import frechet_distance, frechet_floor, kernel_distance
from vaserl.runs.evaluation_run import EvaluatedVase
from vaserl.statistics.clusters import Clustered, cluster_means
from vaserl.statistics.intervals import wilson_interval
from vaserl.statistics.paired import paired_comparisons
from vaserl.types import DIMENSIONS, Dimension, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRow:
    """One held-out vase with the caption and score of each system. The caption of a system that failed is empty."""

    id: str
    """Id of the vase."""
    record: Mapping[str, str]
    """The museum's record of the vase, with field names of the Beazley archive ("Shape Name")."""
    reference: str
    """Reference caption: the complete caption that a perfect policy would write."""
    captions: Mapping[str, str]
    """Captions of the vase, by the name of the system that wrote them ("sft", "rl", …); the first row's order is that
    of the tables."""
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
    """Seed of the random numbers of bootstrap, permutation tests and noise floors."""
    baseline: str = ""
    """Name of the system with which the others are compared; empty for the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResult:
    """Result of an evaluation: metrics of both systems, and the vases from which the metrics were computed."""

    summary: dict[str, Any]
    """Metrics as JSON values. "systems": metrics of each system, by name. "differences": each other system minus the
    system named in "baseline". "baselines": guesses without the video. "noise_floor", "num_vases", "tau", "seed"."""
    vases: list[EvaluatedVase]
    """The N held-out vases, each with the values that were parsed from its record and captions."""


def evaluate_captions(
    rows: Sequence[EvaluationRow],
    train_records: Sequence[Mapping[str, str]],
    reader: Reader,
    encoder: metrics.TextEncoder,
    config: EvaluationConfig,
) -> EvaluationResult:
    """Computes metrics of all systems, their paired differences from one of them, and two baselines that don't see the
    video.

    rows: the held-out vases with captions and scores. train_records: records from which the baselines are computed.
    encoder: text encoder for cosine, recall and the distances between sets of texts.

    Raises: UserError for fewer than two rows, for two rows with one id, for a row that lacks one of the systems, or if
    the baseline is none of the systems.
    """
    systems, baseline = _checked_systems(rows, config.baseline)
    draw = {"num_resamples": config.num_resamples, "seed": config.seed}
    truths = [reader.record(row.record) for row in rows]
    stated_values = {system: [reader.caption(row.captions[system]) for row in rows] for system in systems}
    train = [reader.record(record) for record in train_records]
    references = [row.reference for row in rows]
    reference_vectors = encoder(references)

    summary: dict[str, Any] = {
        "num_vases": len(rows),
        "baseline": baseline,
        "tau": config.tau,
        "seed": config.seed,
        "noise_floor": {"text_fid": frechet_floor(reference_vectors, len(rows), seed=config.seed)},
        "systems": {},
    }
    columns: dict[str, dict[str, Clustered]] = {}
    for system in systems:
        captions = [row.captions[system] for row in rows]
        vectors = encoder(captions)
        scores = [row.scores[system] for row in rows]
        values = vase_metrics(captions, references, scores, (vectors, reference_vectors))
        columns[system] = {name: Clustered.of_values(each) for name, each in values.items()}
        enough = len(rows) > 2
        summary["systems"][system] = {
            "text_fid": frechet_distance(vectors, reference_vectors),
            "text_kernel_distance": kernel_distance(vectors, reference_vectors, seed=config.seed).as_dict()
            if enough
            else None,
            "chance": chance_levels(captions, references, vectors, reference_vectors, seed=config.seed),
        }
    means = cluster_means({(s, name): c for s in systems for name, c in columns[s].items()}, **draw)
    for (system, name), mean in means.items():
        summary["systems"][system][name] = mean and mean.as_dict()
    outcomes: dict[str, dict[Dimension, DimensionOutcomes]] = {
        system: {
            dimension: dimension_outcomes(
                dimension, [row.scores[system] for row in rows], stated_values[system], truths, config.tau
            )
            for dimension in DIMENSIONS
        }
        for system in systems
    }
    summary["differences"] = {
        system: _difference(columns, outcomes, system, baseline, draw) for system in systems if system != baseline
    }
    guessed = {d: baseline_hits(d, truths, train, reader, config.smoothing) for d in DIMENSIONS}
    for system in systems:
        summary["systems"][system]["dimensions"] = {
            d: measure_dimension(each, guessed[d].better).as_dict() for d, each in outcomes[system].items()
        }
    summary["baselines"] = {
        d: {
            "majority_value": majority_value(train, d),
            "majority": _accuracy(guessed[d].majority, outcomes[baseline][d].has_target),
            "guess_from_others": _accuracy(guessed[d].from_others, outcomes[baseline][d].has_target),
        }
        for d in DIMENSIONS
    }
    vases = [
        _evaluated_vase(row, truth, {system: stated_values[system][n] for system in systems})
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

    An empty caption is a failure: its similarities and recalls are 0, whatever the encoder makes of an empty text.
    "unread" is True for a caption in a language that the reward's parser does not read. vectors: embeddings of the
    captions and of their references; with None the metrics that need them are left out.
    """
    written = np.array([bool(caption.strip()) for caption in captions])
    values: dict[str, np.ndarray] = {"reward": np.array([score.total for score in scores]), "failed": ~written}
    if all("unread" in score.parts for score in scores):  # a user's reward need not tell
        values["unread"] = np.array([score.parts["unread"] > 0 for score in scores])
    values["num_words"] = np.array([len(metrics.metric_words(caption, "strict")) for caption in captions], dtype=float)
    pairs = list(zip(captions, references, strict=True))
    for mode in ("paper", "strict"):
        values[f"lexical_{mode}"] = np.array([metrics.lexical_similarity(c, reference, mode) for c, reference in pairs])
    if vectors is not None:
        values["text_cosine"] = np.where(written, metrics.cosine_similarities(*vectors), 0.0)
        ranks = metrics.paper_ranks(*vectors)
        tied = metrics.tied_ranks(*vectors, references)
        for k in metrics.RECALL_RANKS:
            values[f"recall_at_{k}_paper"] = written & (ranks <= k)
            values[f"recall_at_{k}_strict"] = np.where(written, metrics.tied_recall(*tied, k), 0.0)
        values["overall_paper"] = metrics.overall_scores(
            cosine=values["text_cosine"],
            recall_1=values["recall_at_1_paper"],
            recall_5=values["recall_at_5_paper"],
            recall_10=values["recall_at_10_paper"],
            lexical=values["lexical_paper"],
        )
    return values


def mean_intervals(values: Mapping[str, np.ndarray], *, num_resamples: int, seed: int) -> dict[str, Any]:
    """Returns the mean of each metric over at least two vases, with its intervals: {"reward": {"mean": …}, …}."""
    columns = {name: Clustered.of_values(each) for name, each in values.items()}
    means = cluster_means(columns, num_resamples=num_resamples, seed=seed)
    return {name: mean.as_dict() for name, mean in means.items() if mean is not None}


def _difference(
    columns: Mapping[str, Mapping[str, Clustered]],
    outcomes: Mapping[str, Mapping[Dimension, DimensionOutcomes]],
    system: str,
    baseline: str,
    draw: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns a system's entry of "differences" in the summary."""
    compared = paired_comparisons(columns[system], columns[baseline], **draw)
    by_dimension = compare_dimensions(outcomes[system], outcomes[baseline], **draw)
    return {
        **{name: each and each.as_dict() for name, each in compared.items()},
        "dimensions": {
            dimension: {name: each and each.as_dict() for name, each in found.items()}
            for dimension, found in by_dimension.items()
        },
    }


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


def _checked_systems(rows: Sequence[EvaluationRow], baseline: str) -> tuple[tuple[str, ...], str]:
    """Returns the names of the systems, and which of them is the baseline."""
    if len(rows) < 2:
        raise UserError(f"an evaluation needs at least two held-out vases, got {len(rows)}")
    systems = tuple(rows[0].captions)
    if baseline and baseline not in systems:
        raise UserError(f"baseline = {baseline!r} is none of the systems: {', '.join(systems)}")
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise UserError(f"two rows have the id {row.id!r}; expected one row for each held-out vase")
        seen.add(row.id)
        for system in systems:
            if system not in row.captions or system not in row.scores:
                raise UserError(
                    f"vase {row.id} has no caption or no score of {system!r}; all systems must caption every vase"
                )
    return systems, baseline or systems[0]


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
