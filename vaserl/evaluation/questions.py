"""Metrics of the answers to questions about vases. A vase has several questions, so the vases are the clusters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vaserl.evaluation.answers import answer_confidence, answer_metrics
from vaserl.statistics.calibration import expected_calibration_error
from vaserl.statistics.clusters import Clustered, cluster_means
from vaserl.statistics.paired import paired_comparisons
from vaserl.types import DIMENSIONS, Dimension

ALL_TOPICS = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredQuestion:
    """One system's answer to a question about a vase."""

    vase: int
    """Index of the vase."""
    dimension: Dimension
    answer: str
    truth: str
    """The answer that the museum's record gives."""
    is_right: bool | None
    """True if the reward's part for the dimension is at least tau; None if the reward has no such part."""
    logprobs: tuple[float, ...]
    """Natural log-probability of each token of the answer; empty if they are unknown."""


def question_results(
    answers: Mapping[str, Sequence[AnsweredQuestion]], num_vases: int, *, baseline: str, num_resamples: int, seed: int
) -> dict[str, Any]:
    """Returns metrics of the answers as JSON values: "systems": {system: {topic: {metric: …}}}, and "differences" from
    the baseline over all topics.

    answers: each system's answers to the same questions in the same order. Topics are the dimensions and "all".
    """
    draw = {"num_resamples": num_resamples, "seed": seed}
    columns = {system: _columns(given, num_vases) for system, given in answers.items()}
    systems: dict[str, Any] = {}
    for system, given in answers.items():
        systems[system] = {}
        for (topic, metric), mean in cluster_means(columns[system], **draw).items():
            systems[system].setdefault(topic, {})[metric] = mean and mean.as_dict()
        for topic in systems[system]:
            systems[system][topic]["calibration_error"] = _calibration([a for a in given if _is_about(a, topic)])
    differences = {}
    for system in answers:
        if baseline in answers and system != baseline:
            overall = {s: {n: c for (t, n), c in columns[s].items() if t == ALL_TOPICS} for s in (system, baseline)}
            compared = paired_comparisons(overall[system], overall[baseline], **draw)
            differences[system] = {name: each and each.as_dict() for name, each in compared.items()}
    return {"systems": systems, "differences": differences}


def _columns(given: Sequence[AnsweredQuestion], num_vases: int) -> dict[tuple[str, str], Clustered]:
    values: dict[tuple[str, str], tuple[list[float], list[int]]] = {}
    for answer in given:
        metrics = answer_metrics(answer.dimension, answer.answer, answer.truth)
        if answer.is_right is not None:
            metrics["right"] = float(answer.is_right)
        for topic in (answer.dimension, ALL_TOPICS):
            for name, value in metrics.items():
                if topic == ALL_TOPICS and name == "date_iou":
                    continue
                numbers, vases = values.setdefault((topic, name), ([], []))
                numbers.append(value)
                vases.append(answer.vase)
    topics = (*DIMENSIONS, ALL_TOPICS)
    ordered = sorted(values.items(), key=lambda item: (topics.index(item[0][0]), item[0][1]))
    return {key: Clustered.of_items(numbers, vases, num_vases) for key, (numbers, vases) in ordered}


def _calibration(given: Sequence[AnsweredQuestion]) -> float | None:
    """Returns the expected calibration error of exact answers; None if a probability is unknown."""
    confidences = [answer_confidence(answer.logprobs) for answer in given]
    if not given or any(confidence is None for confidence in confidences):
        return None
    exact = [answer_metrics(a.dimension, a.answer, a.truth)["exact"] == 1.0 for a in given]
    return expected_calibration_error(np.array(confidences, dtype=np.float64), exact)


def _is_about(answer: AnsweredQuestion, topic: str) -> bool:
    return topic in (answer.dimension, ALL_TOPICS)
