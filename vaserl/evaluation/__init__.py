"""How good captions are: caption metrics, accuracy per dimension, baselines without pixels, honest intervals."""

from vaserl.evaluation.evaluate import (
    SYSTEMS,
    EvaluationConfig,
    EvaluationResult,
    EvaluationRow,
    Reader,
    evaluate_captions,
)
from vaserl.intervals import ConfidenceInterval, bootstrap_mean_interval, paired_difference, wilson_interval

__all__ = [
    "SYSTEMS",
    "ConfidenceInterval",
    "EvaluationConfig",
    "EvaluationResult",
    "EvaluationRow",
    "Reader",
    "bootstrap_mean_interval",
    "evaluate_captions",
    "paired_difference",
    "wilson_interval",
]
