"""Measures whether the memory of the curation job's driver grows with the number of rows.

Each row has a museum record and the path of a photograph that does not exist; no stage reads it. The job's real driver
processes the rows: it cuts them into shards, runs a pool of filters, chooses the best view of each vase, runs a second
pool, and writes the manifest and the reports.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from matplotlib.figure import Figure

from actors.curate import curate_table
from vaserl.curation.pipeline import Pipeline
from vaserl.curation.settings import CurateSettings, JournalSettings, PoolsSettings, SourceSettings
from vaserl.curation.source import SOURCE_SCHEMA
from vaserl.curation.stage import Kept, Photograph, Recipe, Stage, StageContext, Verdict
from vaserl.curation.stages.best_view import BEST_VIEW
from vaserl.curation.stages.intact import FRONT
from vaserl.curation.stages.questions import QUESTIONS
from vaserl.dataset import DataSet
from vaserl.report import drawing
from vaserl.settings import ClusterSettings
from vaserl.synthetic.record import beazley_record
from vaserl.synthetic.world import traits_of

_LOOK_EVERY_S = 0.25
ROWS_OF_A_SHARD = 512


class Indifferent:
    """A filter that gives every photograph the same score."""

    def judge(self, photograph: Photograph) -> Verdict:
        """Returns a verdict that keeps the photograph, without reading the photograph's file."""
        return Kept(columns={FRONT.name: 0.5})


def _recipe(context: StageContext) -> Recipe:
    return Recipe(make=Indifferent)


INDIFFERENT = Stage(name="indifferent", recipe=_recipe, columns=(FRONT,), hint="nothing: it rejects none")
PIPELINE_WITHOUT_PIXELS = Pipeline(filters=((INDIFFERENT,),), choice=BEST_VIEW, lift=((QUESTIONS,),))
_STEPS = (INDIFFERENT.name, QUESTIONS.name)


def driver_memory(folder: Path, num_rows: int, svg: Path | None) -> dict[str, Any]:
    """Runs the curation job over `num_rows` rows and samples the resident memory of the job's driver, which is this
    process.

    The job passes over the rows twice: before and after the choice of the best view.

    Returns: the memory in MiB before and after the job, the maximum, the mean in each pass, and the samples
    [[rows done in both passes together, MiB], …].
    """
    settings = CurateSettings(
        dataset=folder,
        source=SourceSettings(path=str(folder)),
        journal=JournalSettings(num_rows=ROWS_OF_A_SHARD, num_rows_lift=ROWS_OF_A_SHARD),
        pool=PoolsSettings(num_workers=2, num_cpus=0.5, batch_size=ROWS_OF_A_SHARD),
        cluster=ClusterSettings(num_cpus=2),
    )
    before = resident_mib()
    started = time.monotonic()
    samples: list[tuple[int, float]] = []
    with sampled(DataSet(folder).work, num_rows, samples):
        summary = curate_table(photographs(num_rows), settings, pipeline=PIPELINE_WITHOUT_PIXELS)
    seconds = time.monotonic() - started
    assert summary.num_photographs == num_rows == sum(summary.num_vases.values()), "a row was lost"
    halves = [[mib for rows, mib in samples if (rows <= num_rows) == first] for first in (True, False)]
    if svg:
        svg.write_bytes(memory_figure(samples, num_rows))
    return {
        "num_rows": num_rows,
        "rows_of_a_shard": ROWS_OF_A_SHARD,
        "seconds": seconds,
        "rows_per_s": num_rows / seconds,
        "before_mib": before,
        "first_half_mib": sum(halves[0]) / max(len(halves[0]), 1),
        "second_half_mib": sum(halves[1]) / max(len(halves[1]), 1),
        "highest_mib": max(mib for _, mib in samples),
        "after_mib": resident_mib(),
        "samples": [[rows, round(mib, 1)] for rows, mib in samples],
    }


def photographs(num_rows: int) -> pa.Table:
    """Returns a table of `num_rows` photographs in the schema of photograph sources, each of a different vase.

    The museum records are those of synthetic vases. The photographs' files do not exist.
    """
    records = [json.dumps(beazley_record(f"v{n}", n, traits_of(0, n)), sort_keys=True) for n in range(200)]
    names = [f"v{n:07d}" for n in range(num_rows)]
    columns: dict[str, Any] = {name: [""] * num_rows for name in SOURCE_SCHEMA.names}
    columns |= {
        "photo": [f"/photographs/{name}_1.jpg" for name in names],
        "vase_id": names,
        "view": ["1"] * num_rows,
        "record": [records[n % len(records)] for n in range(num_rows)],
    }
    return pa.table(columns, schema=SOURCE_SCHEMA)


@contextmanager
def sampled(work: Path, num_rows: int, samples: list[tuple[int, float]]) -> Iterator[None]:
    """Starts a thread that appends (rows done, MiB of this process) to `samples` four times a second, until the context
    ends."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_EVERY_S):
            shards = sum(1 for stage in _STEPS for _ in (work / stage).glob("[!.]*.parquet"))
            samples.append((min(shards * ROWS_OF_A_SHARD, 2 * num_rows), resident_mib()))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        print(f"{len(samples)} samples of the driver's memory", file=sys.stderr)


def resident_mib() -> float:
    """Returns the resident memory of this process in MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def memory_figure(samples: list[tuple[int, float]], num_rows: int) -> bytes:
    """Draws the driver's memory against the number of rows done. Returns: the contents of an SVG file."""
    with drawing.style():
        figure = Figure(figsize=(7.2, 3.0), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        axes.plot([rows / 1000 for rows, _ in samples], [mib for _, mib in samples], color=drawing.SFT, marker=".")
        axes.axvline(num_rows / 1000, color=drawing.FAINT, linewidth=0.8, linestyle="--")
        axes.text(num_rows / 1000, 0, " choice of views, second pass", color=drawing.FAINT, va="bottom")
        axes.set(xlabel="thousand rows through a stage", ylabel="MiB of the driver", ylim=(0, None), xlim=(0, None))
        axes.set_title(f"{num_rows:,} photographs through the job's driver: resident memory")
        return drawing.svg_file(figure)
