"""Reads the labels, good or bad, of photographs, and splits the photographs into training, validation and test. All
photographs of a vase are in the same split."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vaserl.curation.source.problem import stop
from vaserl.curation.source.tables import read_table
from vaserl.curation.train_quality.settings import LabelSettings
from vaserl.dataset import SPLITS
from vaserl.errors import UserError
from vaserl.files.picture_kind import PICTURE_SUFFIXES


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A photograph and its label.

    Example: Labelled(path=Path("high/v1_2.jpg"), vase_id="v1", is_good=True)
    """

    path: Path
    vase_id: str
    """Id of the vase on the photograph. Photographs of one vase are similar, so they must all be in the same split."""
    is_good: bool


def read_labels(settings: LabelSettings) -> list[Labelled]:
    """Returns all labelled photographs, sorted by path.

    Raises: UserError when a photograph or field is missing, a label is unknown, a photograph is listed twice, or one of
    the classes good and bad has no photographs. The message contains the folder, or the file and line.
    """
    path = settings.path
    if path.is_dir():
        found = list(_in_folders(path, settings))
    elif path.is_file() and path.suffix in (".csv", ".jsonl"):
        found = list(_in_list(path, settings))
    else:
        raise UserError(f"labels.path {path}: expected an existing folder, .csv file or .jsonl file")
    for is_good, names in ((False, settings.low), (True, settings.high)):
        if not any(labelled.is_good == is_good for labelled in found):
            name = "high" if is_good else "low"
            raise UserError(f"{path}: no photograph has a label in labels.{name} ({', '.join(names)})")
    return sorted(found, key=lambda labelled: str(labelled.path))


def split_by_vase(labelled: Sequence[Labelled], shares: tuple[float, float, float], seed: int) -> list[str]:
    """Returns the split of each of N photographs: "train", "val" or "test". All photographs of a vase are in the same
    split. As far as this allows, each split gets its share of the good and of the bad photographs.

    Vases are assigned one after another, in descending order of their number of photographs; vases with equal numbers
    are ordered by hash. Each vase is assigned to the split for which the sum of (given - due)² / due over all splits
    and classes remains smallest. Here `given` is the number of photographs assigned to a split and class so far, and
    `due` is the number that its share requires.

    shares: shares of the splits train, val and test.
    Raises: UserError when a split would have no photograph of a class.
    """
    members: defaultdict[str, list[int]] = defaultdict(list)
    for index, photograph in enumerate(labelled):
        members[photograph.vase_id].append(index)
    is_good = np.array([photograph.is_good for photograph in labelled])
    totals = np.array([(~is_good).sum(), is_good.sum()], dtype=float)
    due = np.array(shares)[:, None] * totals  # [3 splits, 2 classes]
    given = np.zeros_like(due)
    splits = [""] * len(labelled)

    def order(vase_id: str) -> tuple[int, bytes]:
        return -len(members[vase_id]), hashlib.sha256(f"quality/{seed}/{vase_id}".encode()).digest()

    for vase_id in sorted(members, key=order):
        indices = members[vase_id]
        counts = np.array([sum(not is_good[i] for i in indices), sum(bool(is_good[i]) for i in indices)], dtype=float)
        growth = ((given + counts - due) ** 2 - (given - due) ** 2) / np.maximum(due, 1e-9)
        chosen = int(growth.sum(axis=1).argmin())
        given[chosen] += counts
        for index in indices:
            splits[index] = SPLITS[chosen]
    for name, counts in zip(SPLITS, given, strict=True):
        if not counts.all():
            raise UserError(
                f"{len(members)} labelled vases are too few: the split {name} would have {counts[0]:.0f} bad and "
                f"{counts[1]:.0f} good photographs; label more, or change val_share and test_share"
            )
    return splits


def _in_folders(root: Path, settings: LabelSettings) -> Iterator[Labelled]:
    named = {name: is_good for is_good, names in ((False, settings.low), (True, settings.high)) for name in names}
    folders = sorted(folder for folder in root.iterdir() if folder.is_dir())
    unknown = [folder.name for folder in folders if folder.name not in named]
    if unknown:
        raise UserError(
            f"{root}: unknown class folder {unknown[0]!r}; the names in labels.low and labels.high are "
            f"{', '.join(named)}"
        )
    pattern = re.compile(settings.pattern)
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in PICTURE_SUFFIXES:
                yield Labelled(path=path, vase_id=_vase_of(path, pattern), is_good=named[folder.name])


def _in_list(path: Path, settings: LabelSettings) -> Iterator[Labelled]:
    named = {name: is_good for is_good, names in ((False, settings.low), (True, settings.high)) for name in names}
    pattern = re.compile(settings.pattern)
    seen: dict[Path, str] = {}
    for where, entry in read_table(str(path), stop):
        for field in ("file", settings.label_field):
            if entry.get(field) in (None, ""):
                raise UserError(
                    f"{where}: field {field!r} is missing or empty; the row has the fields {', '.join(map(str, entry))}"
                )
        label = str(entry[settings.label_field]).strip()
        if label not in named:
            raise UserError(
                f"{where}: unknown label {label!r}; the labels in labels.low and labels.high are {', '.join(named)}"
            )
        photograph = path.parent / str(entry["file"])
        if photograph in seen:
            raise UserError(f"{where}: {entry['file']} is already listed on line {seen[photograph].rpartition(':')[2]}")
        if not photograph.is_file():
            raise UserError(f"{where}: {photograph}: no such file")
        seen[photograph] = where
        vase_id = str(entry.get("vase_id") or _vase_of(photograph, pattern))
        yield Labelled(path=photograph, vase_id=vase_id, is_good=named[label])


def _vase_of(path: Path, pattern: re.Pattern[str]) -> str:
    match = pattern.fullmatch(path.stem)
    return match["vase_id"] if match else path.stem
