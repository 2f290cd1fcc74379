"""Reports the quality filter's performance on test photographs. Their vases were used neither to train the network nor
to choose its epoch, temperature or threshold."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from vaserl.curation.train_quality.calibration import (
    ChosenThreshold,
    bins_of,
    precision_recall,
    probabilities_of,
)
from vaserl.curation.train_quality.doubts import doubts_about
from vaserl.curation.train_quality.fit import Epoch, best_epoch
from vaserl.curation.train_quality.settings import TrainQualitySettings
from vaserl.report import drawing
from vaserl.statistics.calibration import expected_calibration_error
from vaserl.statistics.intervals import ConfidenceInterval, wilson_interval

NUM_RESAMPLES = 2000
MARKDOWN, JSON = "report.md", "report.json"
FIGURES = ("precision_recall.svg", "reliability.svg")


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """The results of training a quality filter: the losses of the epochs, the chosen threshold, and the filter's
    performance on the test photographs."""

    num_photographs: Mapping[str, int]
    """Number of photographs by split (train, val, test)."""
    num_unreadable: int
    """Number of labelled photographs that can't be decoded."""
    epochs: Sequence[Epoch]
    """Losses of all epochs of the training, in order."""
    best_epoch: int
    """Number of the epoch whose weights were saved, counted from 1."""
    target_precision: float
    """Precision that the threshold had to reach on the validation photographs."""
    threshold: ChosenThreshold
    """Threshold chosen on the validation photographs, with its precision and recall on the same photographs."""
    temperature: float
    """Number by which logits are divided to calibrate the probabilities; fitted on the validation photographs."""
    calibration_error: Mapping[str, tuple[float, float]]
    """Expected calibration error on the splits "val" and "test", as (error before, error after) the division of the
    logits by the temperature."""
    precision: ConfidenceInterval
    """Share of good photographs among the test photographs that pass, with its 95 % Wilson interval."""
    recall: ConfidenceInterval
    """Share of the good test photographs that pass the filter, with its 95 % Wilson interval."""
    f1: ConfidenceInterval
    """F1 score on the test photographs, with its 95 % interval from a bootstrap that resamples vases."""
    doubts: Sequence[str]
    """Warnings about the chosen threshold, as returned by `doubts_about`."""
    confusion: Mapping[str, int]
    """Number of test photographs by outcome: true_positives, false_positives, false_negatives, true_negatives. A
    positive is a photograph that passes the filter."""
    test_probabilities: Sequence[float]
    """Calibrated probability of being good of each of the N test photographs. The figures are drawn from these."""
    test_is_good: Sequence[bool]
    """Label of each of the N test photographs, True if it is good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPhotographs:
    """The trained network's outputs for the N photographs of a split, with their labels and vases."""

    margins: np.ndarray
    """Logit of good minus logit of bad of each of the N photographs: float [N]."""
    is_good: np.ndarray
    """Label of each of the N photographs, True if it is good: bool [N]."""
    vases: Sequence[str]
    """Id of the vase on each of the N photographs."""


def report_of(
    settings: TrainQualitySettings,
    *,
    epochs: Sequence[Epoch],
    chosen: ChosenThreshold,
    temperature: float,
    num_photographs: Mapping[str, int],
    num_unreadable: int,
    val: ScoredPhotographs,
    test: ScoredPhotographs,
) -> QualityReport:
    """Computes the report of a training run from the network's outputs for the validation and test photographs.

    epochs: losses of all epochs of the training.
    chosen: threshold chosen on the validation photographs.
    num_photographs: number of photographs by split.
    num_unreadable: number of labelled photographs that can't be decoded.
    """
    errors = {}
    for name, scored in (("val", val), ("test", test)):
        before, after = (
            expected_calibration_error(probabilities_of(scored.margins, t), scored.is_good) for t in (1.0, temperature)
        )
        errors[name] = (before, after)
    probabilities, is_good = probabilities_of(test.margins, temperature), test.is_good
    passed = probabilities >= chosen.value
    hits, num_passed, num_good = int((passed & is_good).sum()), int(passed.sum()), int(is_good.sum())
    return QualityReport(
        num_photographs=num_photographs,
        num_unreadable=num_unreadable,
        epochs=epochs,
        best_epoch=best_epoch(epochs).number,
        target_precision=settings.target_precision,
        threshold=chosen,
        temperature=temperature,
        calibration_error=errors,
        precision=wilson_interval(hits, num_passed) if num_passed else ConfidenceInterval(mean=0.0, low=0.0, high=1.0),
        recall=wilson_interval(hits, num_good),
        f1=f1_interval(passed, is_good, test.vases, seed=settings.seed),
        doubts=doubts_about(
            chosen,
            settings.target_precision,
            (probabilities_of(val.margins, temperature), val.is_good),
            (probabilities, is_good),
        ),
        confusion={
            "true_positives": hits,
            "false_positives": num_passed - hits,
            "false_negatives": num_good - hits,
            "true_negatives": len(is_good) - num_passed - num_good + hits,
        },
        test_probabilities=probabilities.tolist(),
        test_is_good=is_good.tolist(),
    )


def f1_interval(
    passed: np.ndarray, is_good: np.ndarray, vases: Sequence[str], *, seed: int, num_resamples: int = NUM_RESAMPLES
) -> ConfidenceInterval:
    """Returns the F1 score with its 95 % percentile bootstrap interval. The bootstrap resamples vases instead of
    photographs, because the photographs of a vase are similar. If no photograph of a resample is good and none passes,
    its F1 score is 0.

    passed: for each of N photographs, True if it passes the filter: bool [N].
    is_good: label of each photograph, True if it is good: bool [N].
    vases: id of the vase on each photograph.
    """
    by_vase: defaultdict[str, np.ndarray] = defaultdict(lambda: np.zeros(3))
    for vase, through, good in zip(vases, passed, is_good, strict=True):
        by_vase[vase] += (through and good, through, good)
    counts = np.array([by_vase[vase] for vase in sorted(by_vase)])  # [V, 3] for V vases: hits, passed, good
    drawn = np.random.default_rng(seed).integers(0, len(counts), (num_resamples, len(counts)))
    low, high = np.percentile(_f1(counts[drawn].sum(axis=1)), [2.5, 97.5])
    return ConfidenceInterval(mean=float(_f1(counts.sum(axis=0)[None])[0]), low=float(low), high=float(high))


def _f1(sums: np.ndarray) -> np.ndarray:
    hits, passed, good = sums.T
    return 2 * hits / np.maximum(passed + good, 1)


def write_filter_report(folder: Path, report: QualityReport) -> None:
    """Writes the report into `folder`, as report.md, report.json, precision_recall.svg and reliability.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON).write_text(json.dumps(asdict(report), indent=1) + "\n")
    (folder / MARKDOWN).write_text(_markdown(report))
    probabilities, is_good = np.array(report.test_probabilities), np.array(report.test_is_good)
    (folder / FIGURES[0]).write_bytes(_precision_recall_figure(probabilities, is_good, report))
    (folder / FIGURES[1]).write_bytes(_reliability_figure(probabilities, is_good))


def _markdown(report: QualityReport) -> str:
    def share(interval: ConfidenceInterval) -> str:
        return f"{interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f})"

    chosen, confusion = report.threshold, report.confusion
    lines = [
        "# Quality filter",
        "",
        ", ".join(f"{num:,} {split}" for split, num in report.num_photographs.items())
        + f" photographs; no vase is in two of the sets. {report.num_unreadable} could not be read.",
        "",
        f"Trained for {len(report.epochs)} epochs; the weights are those of epoch {report.best_epoch}, with the "
        "smallest loss on validation.",
        "",
        *(f"**Warning:** {doubt}.\n" for doubt in report.doubts),
        "## Test",
        "",
        "| | with 95 % interval |",
        "|---|---|",
        f"| precision | {share(report.precision)} |",
        f"| recall | {share(report.recall)} |",
        f"| F1 | {share(report.f1)} |",
        "",
        "| | passed | rejected |",
        "|---|---:|---:|",
        f"| good | {confusion['true_positives']:,} | {confusion['false_negatives']:,} |",
        f"| bad | {confusion['false_positives']:,} | {confusion['true_negatives']:,} |",
        "",
        "![precision and recall](precision_recall.svg)",
        "",
        "## Threshold and calibration",
        "",
        f"Least probability that passes: {chosen.value:.4f}, for a precision of {report.target_precision:g} on "
        f"validation; there it has precision {chosen.precision:.3f} and recall {chosen.recall:.3f}.",
        "",
        f"Logits are divided by {report.temperature:.3f}. Expected calibration error, before and after:",
        "",
        "| | before | after |",
        "|---|---:|---:|",
        *(f"| {name} | {b:.4f} | {a:.4f} |" for name, (b, a) in report.calibration_error.items()),
        "",
        "![reliability](reliability.svg)",
        "",
        "## Epochs",
        "",
        "| epoch | loss on training | on validation |",
        "|---:|---:|---:|",
        *(f"| {e.number} | {e.train_loss:.4f} | {e.val_loss:.4f} |" for e in report.epochs),
    ]
    return "\n".join(lines) + "\n"


def _precision_recall_figure(probabilities: np.ndarray, is_good: np.ndarray, report: QualityReport) -> bytes:
    _, precision, recall = precision_recall(probabilities, is_good)
    with drawing.style():
        figure, axes = drawing.canvas(width=4.2, height=3.4)
        axes.step(
            np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision]), where="pre", color=drawing.SFT
        )
        axes.plot(report.recall.mean, report.precision.mean, "o", color=drawing.RL, markersize=8)
        axes.annotate(
            f"threshold {report.threshold.value:.2f}",
            (report.recall.mean, report.precision.mean),
            xytext=(-8, -16),
            textcoords="offset points",
            ha="right",
            color=drawing.RL,
        )
        drawing.level(axes, float(is_good.mean()), "all pass", drawing.GUESS)
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.03))
        axes.set_title(f"{len(is_good)} test photographs")
        return drawing.svg_file(figure)


def _reliability_figure(probabilities: np.ndarray, is_good: np.ndarray) -> bytes:
    found = bins_of(probabilities, is_good)
    with drawing.style():
        figure, axes = drawing.canvas(width=4.2, height=3.4)
        axes.plot([0, 1], [0, 1], color=drawing.GUESS, linewidth=1, linestyle=(0, (4, 3)))
        bounds = [wilson_interval(round(b.accuracy * b.num), b.num) for b in found]
        axes.errorbar(
            [b.confidence for b in found],
            [b.accuracy for b in found],
            yerr=[
                [b.accuracy - i.low for b, i in zip(found, bounds, strict=True)],
                [i.high - b.accuracy for b, i in zip(found, bounds, strict=True)],
            ],
            fmt="o-",
            color=drawing.SFT,
            ecolor=drawing.FAINT,
            elinewidth=1,
        )
        for b in found:
            axes.annotate(
                f"{b.num}", (b.confidence, b.accuracy), xytext=(6, -11), textcoords="offset points", fontsize=8
            )
        axes.set(
            xlabel="probability of being good", ylabel="share that is good", xlim=(-0.03, 1.08), ylim=(-0.03, 1.06)
        )
        axes.set_title(f"{len(is_good)} test photographs, calibrated")
        return drawing.svg_file(figure)
