"""Tests the benches of the curation job: the memory bench with real driver and pools over few rows, and how the bench
of kills detects that a shard was written again."""

import json
from pathlib import Path

import pytest

from launch.bench import curate_kills
from launch.bench.__main__ import main
from launch.bench.curate_memory import photographs
from vaserl.curation.source import SOURCE_SCHEMA


@pytest.mark.slow
def test_driver_memory_over_a_few_thousand_rows(cluster, tmp_path, capsys):
    picture = tmp_path / "memory.svg"
    given = ["curate", "--only", "memory", "--rows", "1500", "--memory-svg", str(picture), "--json"]
    assert main(given) == 0
    memory = json.loads(capsys.readouterr().out)["memory"]
    rows = [count for count, _ in memory["samples"]]
    # three shards in each of two passes, sampled at intervals, so that the last ones may be missed
    assert rows == sorted(rows) and 0 < rows[-1] <= 2 * memory["num_rows"] == 3000
    assert memory["highest_mib"] >= memory["before_mib"] > 50
    assert "1,500 photographs" in picture.read_text()


def test_photographs_without_pixels_have_the_sources_columns():
    table = photographs(450)
    assert table.schema == SOURCE_SCHEMA and table.num_rows == 450
    assert table["photo"].to_pylist() == sorted(set(table["photo"].to_pylist()))
    assert json.loads(table["record"][7].as_py())["Fabric"]


@pytest.mark.parametrize("given", [["curate", "--rows", "0"], ["curate_kills", "--num-kills", "0"]])
def test_bench_curate_nothing_to_measure_is_an_error(given, capsys):
    assert main(given) == 2
    assert "at least" in capsys.readouterr().err


def test_finished_shows_a_shard_that_was_written_again(tmp_path):
    shard = tmp_path / ".work" / "lift" / "ab.parquet"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(b"1")
    before = curate_kills.finished(tmp_path)
    assert list(before) == ["lift/ab.parquet"] and curate_kills.finished(tmp_path) == before
    other = Path(f"{shard}.new")
    other.write_bytes(b"1")
    other.replace(shard)
    assert curate_kills.finished(tmp_path) != before
