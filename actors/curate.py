"""The curation job: photographs and records through the stages of `vaserl.curation`, on pools of Ray Data.

Two passes with the choice of the best view between them, because that choice needs all the views of a vase: first
every photograph through the filters, then the survivors through lift, mesh gate and turntable. Photographs travel as
paths and are decoded where they are looked at; what crosses between the stages is metadata.
"""

import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import ray.data

from actors.cluster import connect
from vaserl.curation.batch import Batch, batch_of, rows_of
from vaserl.curation.best_view import BestView
from vaserl.curation.describe import FALLBACK, Describe
from vaserl.curation.film import Film
from vaserl.curation.intact import Intact, load_clip
from vaserl.curation.lift import Lift, build_generator
from vaserl.curation.mesh_gate import MeshGate
from vaserl.curation.quality import Quality, load_resnet
from vaserl.curation.questions import Questions
from vaserl.curation.retention import FilterReport, dataset_card, filter_report, retention
from vaserl.curation.settings import CurateSettings, PoolSettings
from vaserl.curation.source import Source, read_source
from vaserl.curation.split import split_vases
from vaserl.dataset import SCHEMA, write_manifest
from vaserl.errors import UserError
from vaserl.progress import Progress

log = logging.getLogger(__name__)

SCORES = ("quality", "intact", "front")
"""Columns of floats that the manifest keeps under `scores`; NaN where a stage did not look."""

_EMPTY = {"mesh": "", "clip": "", "caption": "", "reference": "", "questions": "[]"}
_NUM_RESTARTS = 2  # Ray Data's own default is without limit: a photograph that kills its worker would do so for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class CurationSummary:
    """What a run did."""

    num_photographs: int
    """Rows of the manifest: every photograph that came in."""
    num_vases: Mapping[str, int]
    """Vases that came through, by split."""
    retention: Sequence[Mapping[str, Any]]
    """[{"stage", "in", "out"}, …]."""
    filters: Sequence[FilterReport]
    """The filters against the truth, where the photographs were labelled."""
    num_fallbacks: int
    """Captions that failed the check of facts and were replaced by the complete one."""
    seconds: Mapping[str, float]
    """Wall time of each pass."""


def curate(settings: CurateSettings) -> CurationSummary:
    """Runs the job and writes the data set: manifest.parquet, models/, clips/, DATASET.md and curation.json.

    Raises: UserError for an input or a model that can't be used, before anything is started.
    """
    photographs = read_source(settings.source)
    check(settings)
    settings.dataset.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    with connect(settings.cluster):
        started = time.monotonic()
        rows = run_stages([photograph.row() for photograph in photographs], filter_stages(settings), "filters")
        seconds["filters"] = time.monotonic() - started
        rows = rows_of(BestView()(batch_of(rows)))
        started = time.monotonic()
        survivors = run_stages([r for r in rows if not r["rejected_by"]], lift_stages(settings), "lift")
        seconds["lift"] = time.monotonic() - started
    rows = [row for row in rows if row["rejected_by"]] + survivors
    assert sorted(row["photo"] for row in rows) == [str(p.path) for p in photographs], "a row was lost or doubled"
    manifest = manifest_rows(rows, settings)
    write_manifest(settings.dataset, manifest)
    kinds = {str(photograph.path): photograph.kind for photograph in photographs if photograph.kind}
    return _summarise(settings, manifest, survivors, kinds, seconds)
