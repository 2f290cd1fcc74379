"""Measures the filters of the curation on labelled photographs: what they keep of the wanted pictures, and what else.

The list of photographs is that of docs/studies/real_photographs.md; its files aren't part of the repository. Labels are
compared with the verdicts of quality and intact, each alone and one after the other, and with the best view. Without
--quality and --clip, the small networks of the quick start are trained first; they have seen synthetic vases only.

Pictures whose labels don't decide whether a filter should keep them are only counted by kind.
"""

import argparse
import csv
import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import mannwhitneyu

from launch.bench.timing import circumstances
from vaserl.curation.bodies.intact import Intact
from vaserl.curation.bodies.quality import Quality, decision_of
from vaserl.curation.outcome.retention import FilterReport
from vaserl.curation.settings import IntactSettings, QualitySettings, TinyFilterSettings
from vaserl.curation.stage import Kept, Photograph, Verdict
from vaserl.curation.stages.best_view import BestView
from vaserl.curation.stages.intact import DEFAULT_THRESHOLD, FRONT, INTACTNESS
from vaserl.curation.stages.quality import PROBABILITY
from vaserl.errors import UserError
from vaserl.files.digest import sha256_of
from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.report.paper import PAPER_RETENTION
from vaserl.settings import OpenClipSettings
from vaserl.statistics.intervals import wilson_interval
from vaserl.synthetic.models.tiny_filters import train_tiny_filters

_COLUMNS = ("file", "source", "kind", "whole_vase_from_the_side", "quality", "intact", "vase", "set", "note")
_SETS = ("develop", "seen once", "seen once, second", "seen once, third", "seen once, fourth")
_DEFAULT_SETS = _SETS[:2]
"""Sets measured unless `--set` names others; the later ones, which are measured once, must be named."""
_BATCH_SIZE = 32
_SHOWN_WHOLE = ("side", "above", "mouth", "below", "lying")
"""Kinds of pictures of one vessel that is neither a sherd nor a detail."""

_Labels = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A labelled picture with the filters' verdicts, each given without regard to the other."""

    row: _Labels
    """The picture's row in the list."""
    quality: Verdict
    intact: Verdict

    @property
    def scores(self) -> dict[str, float]:
        """Scores of both filters, by the name of their column."""
        return {name: float(value) for name, value in {**self.quality.columns, **self.intact.columns}.items()}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that state the photographs and the networks."""
    parser.add_argument("--list", type=Path, default=Path("docs/studies/real_photographs.tsv"), help="(%(default)s)")
    parser.add_argument("--folder", type=Path, nargs="+", required=True, help="folders with the files of the list")
    parser.add_argument("--set", choices=_SETS, nargs="+", default=_DEFAULT_SETS, help="sets of the list (%(default)s)")
    parser.add_argument("--quality", type=Path, help="ResNet, as quality.path; by default a small one is trained")
    parser.add_argument("--clip", type=Path, help="folder or weights, as open_clip.path; by default a small one")
    parser.add_argument(
        "--clip-name", default="ViT-B-32", help="architecture of weights without a folder (%(default)s)"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures the filters on all photographs of the list, by set and source.

    Returns: by group of photographs precision and recall of each filter, the area under its ROC curve, the number kept
    by kind and the best views; the number kept stage by stage beside the paper's; and the scores of each photograph.
    """
    if (arguments.quality is None) != (arguments.clip is None):
        raise UserError("--quality and --clip belong together: give both, or none to train small ones")
    torch.set_num_threads(1)
    rows, unreadable = _readable(_rows_of(arguments.list, arguments.folder, arguments.set))
    with tempfile.TemporaryDirectory(prefix="bench-filters-") as scratch:
        quality, clip = arguments.quality, arguments.clip
        if quality is None:
            quality, clip = Path(scratch) / "quality", Path(scratch) / "clip"
            train_tiny_filters(TinyFilterSettings(), quality, clip)
        settings = QualitySettings(path=quality)
        threshold = decision_of(settings).threshold
        bodies = Quality(settings), Intact(IntactSettings(), OpenClipSettings(path=clip, name=arguments.clip_name))
        judged = list(_judged(rows, *bodies))
    groups = {
        f"{source}, {name}": [one for one in judged if (one.row["source"], one.row["set"]) == (source, name)]
        for source, name in itertools.product(("found", "cva10"), _SETS)
    }
    both = {name: [one for one in judged if one.row["set"] == name] for name in _SETS}
    return {
        "networks": "small, trained on synthetic vases" if arguments.quality is None else "given",
        "thresholds": {"quality": threshold, "intact": DEFAULT_THRESHOLD},
        "unreadable": unreadable,
        "groups": {name: _measured(ones) for name, ones in {**groups, **both}.items() if ones},
        "photographs": [{"file": one.row["file"], **_rounded(one.scores)} for one in judged],
        **circumstances(),
    }


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = []
    for group, found in measured["groups"].items():
        lines.append(f"{group}: {found['num']} photographs")
        for name, report in found["filters"].items():
            shares = "  ".join(f"{share} {_told(report[share])}" for share in ("wanted", "precision", "recall"))
            lines.append(f"  {name:12} n {report['num']:4}  {shares}  AUC {report['auc']:.3f}")
        lines += [
            f"  {row['stage']:12} {row['in']:4} -> {row['out']:4}  (paper {row['paper']:.0%})"
            for row in found["retention"]
        ]
        lines.append(
            f"  best view    {_told(found['best_view']['right'])}, by chance {found['best_view']['chance']:.2f}"
        )
    return "\n".join(lines)


def wanted_by_quality(row: Mapping[str, str]) -> bool | None:
    """Tells whether a picture is a sharp photograph with whole objects in it; None for pages and pictures without a
    vessel, of which the filter states nothing."""
    if row["kind"] in ("page", "other"):
        return None
    return row["quality"] == "good" and row["kind"] not in ("detail", "drawing") and "cut" not in row["note"]


def wanted_by_intact(row: Mapping[str, str]) -> bool | None:
    """Tells whether a picture is a sharp photograph of one whole vessel; None if something hides the vessel, or if the
    picture doesn't show whether it is whole."""
    if row["kind"] not in _SHOWN_WHOLE:
        return False
    if row["quality"] != "good" or row["intact"] == "no" or "cut" in row["note"]:
        return False
    is_hidden = row["kind"] == "side" and row["whole_vase_from_the_side"] != "yes"
    return None if row["intact"] == "-" or is_hidden else True


def filter_counts(wanted: Sequence[bool | None], kept: Sequence[bool], scores: Sequence[float]) -> dict[str, Any]:
    """Compares verdicts and scores with labels; pictures with the label None aren't counted.

    Returns: the counts, `wanted` (the share of wanted pictures, which is the precision of keeping all), precision and
    recall with their intervals, and `auc`: the probability that a wanted picture has a higher score than another one.
    """
    decided = [(want, keep, score) for want, keep, score in zip(wanted, kept, scores, strict=True) if want is not None]
    counts = Counter((want, keep) for want, keep, _ in decided)
    report = FilterReport(
        stage="",
        true_positives=counts[True, True],
        false_positives=counts[False, True],
        false_negatives=counts[True, False],
        true_negatives=counts[False, False],
    )
    good, bad = ([score for want, _, score in decided if want == which] for which in (True, False))
    hits, num_good = report.true_positives, len(good)
    return {
        "num": len(decided),
        "true_positives": hits,
        "false_positives": report.false_positives,
        "false_negatives": report.false_negatives,
        "true_negatives": report.true_negatives,
        "wanted": share_of(num_good, len(decided)),
        "precision": share_of(hits, hits + report.false_positives),
        "recall": share_of(hits, num_good),
        "auc": float(mannwhitneyu(good, bad).statistic) / (num_good * len(bad)) if good and bad else float("nan"),
    }


def share_of(part: int, whole: int) -> dict[str, float] | None:
    """Returns part / whole with its Wilson interval, rounded; None if `whole` is 0."""
    return {**_rounded(wilson_interval(part, whole).as_dict()), "of": whole} if whole else None


def best_views(judged: Sequence[Judged], choose: Callable[[Sequence[Photograph]], Sequence[Verdict]]) -> dict[str, Any]:
    """Counts the vases whose best view is a whole view from the side, among vases with such views and others.

    Returns: the share with its interval, and `chance`, the share that a random choice would have.
    """
    by_vase: dict[str, list[Judged]] = {}
    for one in judged:
        if one.row["vase"]:
            by_vase.setdefault(one.row["vase"], []).append(one)
    num_right, chances = 0, []
    for vase, views in by_vase.items():
        whole = [one.row["whole_vase_from_the_side"] == "yes" for one in views]
        if len(set(whole)) < 2:
            continue
        verdicts = choose([_photograph(one, vase) for one in views])
        num_right += any(ok and isinstance(verdict, Kept) for ok, verdict in zip(whole, verdicts, strict=True))
        chances.append(sum(whole) / len(whole))
    return {"right": share_of(num_right, len(chances)), "chance": float(np.mean(chances)) if chances else float("nan")}


def _photograph(one: Judged, vase: str) -> Photograph:
    columns = {FRONT.name: one.scores[FRONT.name], "photo_sha256": one.row["sha256"]}
    return Photograph(photo=one.row["file"], vase_id=vase, columns=columns)


def _measured(judged: Sequence[Judged]) -> dict[str, Any]:
    passed = [one for one in judged if isinstance(one.quality, Kept)]
    left = [one for one in passed if isinstance(one.intact, Kept)]
    parts = {
        "quality": (judged, wanted_by_quality, PROBABILITY.name),
        "intact alone": (judged, wanted_by_intact, INTACTNESS.name),
        "intact": (passed, wanted_by_intact, INTACTNESS.name),
    }
    retention = [("quality", len(judged), len(passed)), ("intact", len(passed), len(left))]
    return {
        "num": len(judged),
        "filters": {
            name: filter_counts(
                [wanted(one.row) for one in ones],
                [isinstance(one.quality if name == "quality" else one.intact, Kept) for one in ones],
                [one.scores[score] for one in ones],
            )
            for name, (ones, wanted, score) in parts.items()
        },
        "retention": [
            {"stage": stage, "in": before, "out": after, "paper": PAPER_RETENTION[stage][1] / PAPER_RETENTION[stage][0]}
            for stage, before, after in retention
        ],
        "kept_by_kind": _by_kind(judged),
        "best_view": best_views(judged, BestView().judge_all),
    }


def _by_kind(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    """Returns the number of pictures of each kind, and how many of them each filter alone keeps."""
    kinds: dict[str, dict[str, int]] = {}
    for one in judged:
        whole = one.row["whole_vase_from_the_side"] == "yes"
        kind = "side, whole" if whole else one.row["kind"]
        counts = kinds.setdefault(kind, {"num": 0, "quality": 0, "intact": 0, "both": 0})
        keeps = isinstance(one.quality, Kept), isinstance(one.intact, Kept)
        for name, is_true in zip(counts, (True, *keeps, all(keeps)), strict=True):
            counts[name] += is_true
    return dict(sorted(kinds.items()))


def _judged(rows: Sequence[tuple[_Labels, Path]], quality: Quality, intact: Intact) -> Iterator[Judged]:
    for start in range(0, len(rows), _BATCH_SIZE):
        batch = rows[start : start + _BATCH_SIZE]
        photographs = [Photograph(photo=str(path)) for _, path in batch]
        verdicts = zip(batch, quality.judge_all(photographs), intact.judge_all(photographs), strict=True)
        yield from (Judged(row=row, quality=one, intact=other) for (row, _), one, other in verdicts)


def _rows_of(listed: Path, folders: Sequence[Path], sets: Sequence[str]) -> list[tuple[_Labels, Path]]:
    """Returns the rows of the sets with their files, which have the SHA-256 of the list.

    Raises: UserError when a column or file is missing, or a file has another content.
    """
    with listed.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    if missing := [name for name in (*_COLUMNS, "sha256") if not rows or name not in rows[0]]:
        raise UserError(f"--list {listed}: no rows, or no column {', '.join(missing)}")
    found = []
    for number, row in enumerate(rows, 2):
        if row["set"] not in sets:
            continue
        path = next((folder / row["file"] for folder in folders if (folder / row["file"]).is_file()), None)
        if path is None:
            raise UserError(f"{listed}:{number}: {row['file']} is in none of the folders of --folder")
        if sha256_of(path) != row["sha256"]:
            raise UserError(f"{listed}:{number}: {path} has another SHA-256 than the list")
        found.append((row, path))
    return found


def _readable(rows: Sequence[tuple[_Labels, Path]]) -> tuple[list[tuple[_Labels, Path]], dict[str, str]]:
    """Returns the rows whose files are photographs, and the reasons why the others can't be read, by file."""
    kept, reasons = [], {}
    for row, path in rows:
        try:
            read_photograph(path)
        except UnreadablePhotograph as reason:
            reasons[row["file"]] = str(reason)
        else:
            kept.append((row, path))
    return kept, reasons


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def _told(share: dict[str, float] | None) -> str:
    return f"{share['mean']:.3f} ({share['low']:.3f} to {share['high']:.3f})" if share else "-"
