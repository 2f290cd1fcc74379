"""The driver of the curation job over many rows that cost nothing: does its memory grow with them?

The rows are photographs that nobody looks at, each with a record of its own. They pass the job's real driver: cut into
shards, through a pool of the filters, the choice of the best view, a pool after it, the manifest and the reports.
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
from actors.curate_pass import Pool
from vaserl.curation.job.batch import RowBatch, remaining, with_column
from vaserl.curation.job.stage import stage_of
from vaserl.curation.settings import CurateSettings, PoolSettings
from vaserl.curation.source import SOURCE_SCHEMA
from vaserl.curation.stages.intact import VIEW
from vaserl.curation.stages.questions import Questions
from vaserl.dataset import DataSet
from vaserl.report import drawing
from vaserl.synthetic.record import beazley_record
from vaserl.synthetic.world import traits_of

_LOOK_EVERY_S = 0.25
ROWS_OF_A_SHARD = 512


class Indifferent:
    """A filter that looks at nothing and finds every photograph equally good."""

    def __call__(self, batch: RowBatch) -> RowBatch:
        return with_column(batch, VIEW, dict.fromkeys(remaining(batch), 0.5), float("nan"))


def driver_memory(folder: Path, num_rows: int, svg: Path | None) -> dict[str, Any]:
    """Runs the job. Returns: resident MiB of this process before, at the end, at the most, and the means over the
    halves of the rows; the samples [[rows that have passed both pools' stages, MiB], …]."""
    settings = CurateSettings.model_validate(
        {
            "dataset": folder,
            "source": {"path": folder},
            "journal": {"num_rows": ROWS_OF_A_SHARD, "num_rows_lift": ROWS_OF_A_SHARD},
            "cluster": {"num_cpus": 2},
        }
    )
    pool = PoolSettings(num_workers=2, num_cpus=0.5, batch_size=ROWS_OF_A_SHARD)
    filters = [Pool(stages=[stage_of("intact", Indifferent)], settings=pool)]
    after = [Pool(stages=[stage_of("questions", Questions)], settings=pool)]
    before = resident_mib()
    started = time.monotonic()
    samples: list[tuple[int, float]] = []
    with sampled(DataSet(folder).work, num_rows, samples):
        summary = curate_table(photographs(num_rows), filters, after, settings)
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
    """[num_rows] as `read_source` gives them: one photograph of each vase, records of a synthetic world."""
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
    """Looks a few times a second at this process's memory and at the shards that the stages have finished."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(_LOOK_EVERY_S):
            shards = sum(1 for stage in ("intact", "questions") for _ in (work / stage).glob("[!.]*.parquet"))
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
    """MiB that this process holds in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def memory_figure(samples: list[tuple[int, float]], num_rows: int) -> bytes:
    """Memory over rows. Returns: an SVG."""
    with drawing.style():
        figure = Figure(figsize=(7.2, 3.0), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        axes.plot([rows / 1000 for rows, _ in samples], [mib for _, mib in samples], color=drawing.SFT, marker=".")
        axes.axvline(num_rows / 1000, color=drawing.FAINT, linewidth=0.8, linestyle="--")
        axes.text(num_rows / 1000, 0, " choice of views, second pass", color=drawing.FAINT, va="bottom")
        axes.set(xlabel="thousand rows through a stage", ylabel="MiB of the driver", ylim=(0, None), xlim=(0, None))
        axes.set_title(f"{num_rows:,} photographs through the job's driver: resident memory")
        return drawing.svg_file(figure)
