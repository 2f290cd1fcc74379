"""Tests that parquet files of others are read within limits, and that every defect of one is a UserError."""

import io
import random
import resource
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vaserl.errors import UserError
from vaserl.files.parquet import open_parquet, rows_of_parquet

ROWS = [
    {"a": f"text {k}", "b": [{"role": "user", "content": "x" * k}], "c": k / 3, "d": None, "e": b"\x00" * k}
    for k in range(2100)
]


def content(table: pa.Table, **options: str) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def read(data: bytes) -> list[dict]:
    return list(rows_of_parquet(open_parquet(io.BytesIO(data), "x.parquet"), "x.parquet"))


@pytest.mark.parametrize("compression", ["snappy", "gzip", "zstd", "none"])
def test_rows_are_those_that_were_written(compression: str):
    data = content(pa.Table.from_pylist(ROWS), compression=compression)
    assert read(data) == ROWS
    some = rows_of_parquet(open_parquet(io.BytesIO(data), "x"), "x", ["c", "a"])
    assert next(some) == {"a": "text 0", "c": 0.0}


def test_a_text_that_is_stored_once_for_many_rows_is_refused():
    """200,000 rows of a text of 1 MB are 48 kB in the file and 200 GB in memory."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 200_000, pa.int32()), pa.array(["x" * 1_000_000]))
    data = content(pa.table({"a": text}))
    assert len(data) < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match=r"^x\.parquet: 1024 rows hold 1,024 MB, more than 256 MB"):
        read(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_rows_with_pictures_are_read_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch):
    """All 90 rows hold 27 MB, more than the limit here; a batch of about 2 MB has six of them."""
    monkeypatch.setattr("vaserl.files.parquet._MAX_BATCH_MB", 20)
    monkeypatch.setattr("vaserl.files.parquet._AIM_MB", 2)
    data = content(pa.table({"a": [k.to_bytes(4) + bytes(299_996) for k in range(90)]}))
    assert [len(row["a"]) for row in read(data)] == [300_000] * 90


@pytest.mark.parametrize(
    "column",
    [
        pa.array([2**30], pa.date32()),  # after the year 9999
        pa.array([2**53], pa.timestamp("ms")),
        pa.array([0], pa.timestamp("s", "Nowhere/City")),
        pa.Array.from_buffers(pa.string(), 1, [None, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff")]),
    ],
    ids=["date", "time", "zone", "utf-8"],
)
def test_a_value_that_python_does_not_have_is_a_damaged_file(column: pa.Array):
    with pytest.raises(UserError, match=r"^x\.parquet is a damaged parquet file"):
        read(content(pa.table({"a": column})))


def test_every_damaged_file_is_refused_or_read():
    data = content(pa.Table.from_pylist(ROWS[:20]))
    rng, refused = random.Random(0), 0
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 4])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            read(bytes(damaged[: rng.choice([len(damaged), rng.randrange(len(damaged))])]))
        except UserError as error:
            assert "x.parquet" in str(error)
            refused += 1
    assert 100 < refused < 300


def test_damaged_statistics_do_not_end_the_process(tmp_path: Path):
    """pyarrow ends the process when the sizes of a column of such a file are asked for. The column's statistics state
    how many values have each definition level; one level fewer is damage that only they show."""
    data = content(pa.table({"a": pa.array([1, None, 3])}))
    (tmp_path / "x.parquet").write_bytes(data)
    program = (
        "import random, sys; from vaserl.files.parquet import *; from vaserl.errors import UserError; import io\n"
        "data, rng = open(sys.argv[1], 'rb').read(), random.Random(1)\n"
        "for _ in range(4000):\n"
        "    damaged = bytearray(data)\n"
        "    at = len(data) - 9 - rng.randrange(300)\n"
        "    damaged[at] = (damaged[at] + rng.choice([1, 255, 16, 240])) % 256\n"
        "    try: list(rows_of_parquet(open_parquet(io.BytesIO(damaged), 'x'), 'x'))\n"
        "    except UserError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "x.parquet")], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr[-500:]


def test_a_file_that_is_none_is_named(tmp_path: Path):
    (tmp_path / "a").write_text("text")
    for path in (tmp_path / "a", tmp_path / "none"):
        with pytest.raises(UserError, match=rf"^{path} is not a parquet file, or a damaged one"):
            open_parquet(path, str(path))
