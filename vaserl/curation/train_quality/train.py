"""Trains the quality filter and writes the folder that curation loads it from: weights, temperature, threshold and
report."""

import csv
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from vaserl.curation.bodies.quality import WEIGHTS, Decision, ResNetConfig, load_pretrained, save_resnet
from vaserl.curation.train_quality.calibration import choose_threshold, probabilities_of, temperature_of
from vaserl.curation.train_quality.fit import Examples, decode, fit, margins_of
from vaserl.curation.train_quality.labels import Labelled, read_labels, split_by_vase
from vaserl.curation.train_quality.report import QualityReport, ScoredPhotographs, report_of, write_filter_report
from vaserl.curation.train_quality.settings import TrainQualitySettings
from vaserl.dataset import SPLITS
from vaserl.errors import UserError
from vaserl.runs.versions import versions
from vaserl.settings.section import dump_config

NUM_NAMED = 5
"""Maximum number of unreadable photographs whose paths are printed. If there are more, their total number is printed
too."""


def train_quality(settings: TrainQualitySettings) -> QualityReport:
    """Reads the labels, trains the quality filter, and writes into the folder settings.out: model.safetensors,
    config.json, train_quality.toml, versions.json, splits.csv and report/.

    Raises: UserError when the labels or the initial weights can't be used, or when settings.out already contains
    weights.
    """
    if (settings.out / WEIGHTS).exists():
        raise UserError(f"out {settings.out} already contains weights; set out to another folder or move them away")
    return train_on(read_labels(settings.labels), settings)


def train_on(labelled: Sequence[Labelled], settings: TrainQualitySettings) -> QualityReport:
    """Trains the quality filter on these photographs and writes the same files as `train_quality`. It ignores
    settings.labels."""
    config = ResNetConfig(**settings.shape.model_dump())
    torch.manual_seed(settings.seed)
    model = config.build() if settings.init is None else load_pretrained(settings.init, config)
    with tempfile.TemporaryDirectory() as scratch:
        images, problems = decode(
            [p.path for p in labelled], config, Path(scratch) / "images.npy", settings.num_threads
        )
        _print_unreadable(labelled, problems)
        readable = [index for index, problem in enumerate(problems) if not problem]
        kept = [labelled[index] for index in readable]
        shares = (1 - settings.val_share - settings.test_share, settings.val_share, settings.test_share)
        splits = np.array(split_by_vase(kept, shares, settings.seed))
        train, val, test = (_examples(images, readable, kept, splits == name) for name in SPLITS)
        epochs = fit(model, config, train, val, settings)
        val_margins, test_margins = (margins_of(model, config, s, settings.batch_size) for s in (val, test))
    temperature = temperature_of(val_margins, val.is_good)
    chosen = choose_threshold(probabilities_of(val_margins, temperature), val.is_good, settings.target_precision)
    decision = Decision(temperature=temperature, threshold=chosen.value, trained=True)
    vases = np.array([photograph.vase_id for photograph in kept])
    report = report_of(
        settings,
        epochs=epochs,
        chosen=chosen,
        temperature=temperature,
        num_photographs={name: int((splits == name).sum()) for name in SPLITS},
        num_unreadable=len(labelled) - len(kept),
        val=ScoredPhotographs(margins=val_margins, is_good=val.is_good, vases=vases[splits == "val"].tolist()),
        test=ScoredPhotographs(margins=test_margins, is_good=test.is_good, vases=vases[splits == "test"].tolist()),
    )
    save_resnet(model.cpu(), config, settings.out, decision)
    (settings.out / "train_quality.toml").write_text(dump_config(settings))
    (settings.out / "versions.json").write_text(json.dumps(versions(), indent=2) + "\n")
    _write_splits(settings.out / "splits.csv", kept, splits)
    write_filter_report(settings.out / "report", report)
    return report


def _examples(images: np.ndarray, readable: Sequence[int], kept: Sequence[Labelled], inside: np.ndarray) -> Examples:
    chosen = np.flatnonzero(inside)
    is_good = np.array([kept[index].is_good for index in chosen])
    return Examples(images=images, rows=np.array(readable)[chosen], is_good=is_good)


def _print_unreadable(labelled: Sequence[Labelled], problems: Sequence[str]) -> None:
    unreadable = [(photograph, problem) for photograph, problem in zip(labelled, problems, strict=True) if problem]
    for photograph, problem in unreadable[:NUM_NAMED]:
        print(f"train-quality: {photograph.path} is left out: {problem}", file=sys.stderr)
    if len(unreadable) > NUM_NAMED:
        print(f"train-quality: {len(unreadable)} photographs in all are left out", file=sys.stderr)


def _write_splits(path: Path, kept: Sequence[Labelled], splits: np.ndarray) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "vase_id", "label", "split"])
        for photograph, split in zip(kept, splits, strict=True):
            writer.writerow([photograph.path, photograph.vase_id, int(photograph.is_good), split])
