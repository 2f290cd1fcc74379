"""Tests the curation job on a local Ray: real stages, real models, small inputs."""

import json
import random
import shutil
import time
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from actors.curate import curate
from actors.curate_pass import run_pass
from launch.bench.curate_kills import finish_curation, finished, start
from tests.fakes.curation_stages import LENGTH, Environment, KeepAll, Perilous, RejectOdd, WaitsForOther, prepared
from vaserl.curation.job.batch import INPUT_COLUMNS, rows_of
from vaserl.curation.job.isolated import JobFailed
from vaserl.curation.job.journal import Journal
from vaserl.curation.job.passes import PassSummary
from vaserl.curation.job.pool import Pool
from vaserl.curation.job.prepared import PreparedStage
from vaserl.curation.job.shards import Shard, source_shards
from vaserl.curation.outcome.summary import CurationSummary
from vaserl.curation.settings import CurateSettings, PoolSettings
from vaserl.dataset import MANIFEST, DataSet
from vaserl.errors import UserError
from vaserl.settings.section import dump_config

CPU = {"cluster": {"num_cpus": 2}, "turntable": {"num_frames": 4, "fps": 2.0, "resolution": 48}}
NO_FILTERS = {"quality": {"enabled": False}, "intact": {"enabled": False}, **CPU}

GIVEN = {
    "lift": {"generator": "given", "generator_args": {"path": "models/{vase_id}.glb"}},
    "mesh_gate": {"min_iou": 0.0},  # the best view may be a fragment, as the filters are off
    "describe": {"silence": {"attribution": 0.5}},
    "split": {"num_test": 2},
}


pytestmark = pytest.mark.usefixtures("cluster")


def settings(source: Path, dataset: Path, **sections) -> CurateSettings:
    return CurateSettings.model_validate({"dataset": dataset, "source": {"path": source}, **NO_FILTERS, **sections})


@pytest.fixture(scope="module")
def run(world, cluster, tmp_path_factory) -> tuple[Path, CurationSummary]:
    """Returns the folder of a data set curated with the world's own meshes, and the job's summary."""
    folder = tmp_path_factory.mktemp("dataset")
    return folder, curate(settings(world, folder, **GIVEN))


def test_curate_writes_a_row_for_every_photograph_and_files_for_every_vase(world, run):
    folder, summary = run
    with (world / "photographs.jsonl").open() as lines:
        entries = [json.loads(line) for line in lines]
    rows = list(DataSet(folder).rows)
    assert sorted(row.photo for row in rows) == sorted(str(world / entry["file"]) for entry in entries)
    kept = [row for row in rows if not row.rejected_by]
    assert len({row.vase_id for row in kept}) == len(kept) == 6
    assert summary.num_photographs == summary.retention[0]["in"] == len(entries)
    assert summary.retention[-1]["out"] == len(kept)
    assert summary.num_vases == {"test": 2, "train": 4}
    assert all(row.reason for row in rows if row.rejected_by)
    clips = DataSet(folder).clips
    for vase in DataSet(folder).vases("train"):
        assert (folder / vase.mesh).read_bytes() == (world / "models" / f"{vase.id}.glb").read_bytes()
        assert clips.load(vase.clip).frames.shape == (4, 48, 48, 3)
        assert vase.caption and len(vase.questions) == 6 + ("Provenance" in vase.record)
    assert f"6 vases from {len(entries)} photographs: 4 train, 2 test." in (folder / "DATASET.md").read_text()
    assert json.loads((folder / "curation.json").read_text())["num_vases"] == {"test": 2, "train": 4}


def test_curate_twice_writes_the_same_manifest(world, run, tmp_path):
    curate(settings(world, tmp_path, **GIVEN))
    assert (tmp_path / MANIFEST).read_bytes() == (run[0] / MANIFEST).read_bytes()


def test_curate_one_photograph_with_one_record_and_what_is_wrong_with_others(world, tmp_path):
    folder = tmp_path / "museum"
    folder.mkdir()
    entry = next(
        json.loads(line) for line in (world / "photographs.jsonl").read_text().splitlines() if '"intact"' in line
    )
    record = next(
        json.loads(line) for line in (world / "records.jsonl").read_text().splitlines() if entry["vase_id"] in line
    )
    shutil.copy(world / entry["file"], folder / "pelike_photo.png")
    (folder / "pelike_photo.json").write_text(json.dumps({k: v for k, v in record.items() if k != "id"}))
    Image.new("RGB", (40, 40), "white").save(folder / "blank.png")  # a record, but nothing on it
    (folder / "blank.json").write_text(json.dumps({"Fabric": "ATHENIAN"}))
    Image.new("RGB", (40, 40), "white").save(folder / "orphan.png")
    (folder / "torn.png").write_bytes((folder / "pelike_photo.png").read_bytes()[:2000])
    (folder / "torn.json").write_text(json.dumps({"Fabric": "ATHENIAN"}))
    summary = curate(settings(folder, tmp_path / "out", split={"test_share": 0.0}))
    rows = {row.vase_id: row for row in DataSet(tmp_path / "out").rows}
    assert {name: row.rejected_by for name, row in rows.items()} == {
        "pelike_photo": "",
        "blank": "lift",
        "orphan": "source",
        "torn": "source",
    }
    assert "no record with the id 'orphan'" in rows["orphan"].reason
    assert "can't be decoded" in rows["torn"].reason
    (vase,) = DataSet(tmp_path / "out").vases("train")
    assert vase.record["Fabric"] == record["Fabric"]
    assert rows["pelike_photo"].scores["silhouette_iou"] > 0.85
    assert DataSet(tmp_path / "out").clips.load(vase.clip).frames.std() > 10
    assert summary.filters == [] and summary.num_fallbacks == 0


def test_curate_writes_every_row_where_nothing_survives(tmp_path, caplog):
    folder = tmp_path / "museum"
    folder.mkdir()
    Image.new("RGB", (40, 40), "white").save(folder / "a.png")
    (folder / "records.jsonl").write_text('{"id": "b", "Fabric": "ATHENIAN"}\n')
    with pytest.raises(UserError, match="is inside the folder of the photographs"):
        curate(settings(folder, folder / "out"))
    summary = curate(settings(folder, tmp_path / "out"))
    assert summary.num_vases == {} and summary.num_photographs == 1
    (row,) = DataSet(tmp_path / "out").rows
    assert row.rejected_by == "source" and row.split == ""
    assert "source rejected all 1 photographs that reached it" in caplog.text
    assert "source.id_field" in caplog.text, "where to look"


def pool(*stages: PreparedStage, **pool_settings) -> Pool:
    defaults = {"num_cpus": 0.2, "batch_size": 7, "timeout_s": 4.0, "memory_gb": 0.5, "num_retries": 0}
    return Pool(stages=stages, settings=PoolSettings(**{**defaults, **pool_settings}))


def numbered(photos: list[str], dataset: Path, num_rows: int) -> list[Shard]:
    rows = [dict.fromkeys(INPUT_COLUMNS, "") | {"photo": photo} for photo in photos]
    return source_shards(pa.Table.from_pylist(rows), Journal(dataset), num_rows)


def rows_after(summary: PassSummary, dataset: Path) -> list[dict]:
    return [row for shard in summary.shards for row in rows_of(shard.read(Journal(dataset)))]


def test_run_pass_keeps_every_row_in_its_place(tmp_path):
    photos = [str(k) for k in range(101)]
    pools = [
        pool(prepared("first", RejectOdd), num_workers=2),
        pool(prepared("second", RejectOdd), batch_size=16),
    ]
    summary = run_pass("test", numbered(photos, tmp_path, 9), pools, tmp_path, lambda: None)
    rows = rows_after(summary, tmp_path)
    assert [row["photo"] for row in rows] == photos
    assert all(row["rejected_by"] == ("first" if int(row["photo"]) % 2 else "") for row in rows)
    assert {name: effort.rows for name, effort in summary.efforts.items()} == {"first": 101, "second": 51}
    again = run_pass("test", numbered(photos, tmp_path, 9), pools, tmp_path, lambda: pytest.fail("nothing is missing"))
    assert again.num_reused == 101 and rows_after(again, tmp_path) == rows
    assert run_pass("test", [], pools, tmp_path, lambda: pytest.fail("no rows")).shards == []


def test_run_pass_gives_two_shards_to_two_workers(tmp_path):
    (tmp_path / "here").mkdir()
    stages = [prepared("waiting", WaitsForOther, (tmp_path / "here",))]
    pools = [pool(*stages, num_workers=2, timeout_s=60.0)]
    summary = run_pass("test", numbered(["1", "2"], tmp_path, 1), pools, tmp_path, lambda: None)
    assert [row["reason"] for row in rows_after(summary, tmp_path)] == ["", ""]


def test_run_pass_stage_without_gpu_sees_none(tmp_path):
    stages = [prepared("environment", Environment, ("CUDA_VISIBLE_DEVICES",))]
    summary = run_pass("test", numbered(["1"], tmp_path, 1), [pool(*stages)], tmp_path, lambda: None)
    assert [row["reason"] for row in rows_after(summary, tmp_path)] == ["CUDA_VISIBLE_DEVICES="]


def test_run_pass_rejects_photographs_that_kill_their_stage(tmp_path):
    (tmp_path / "notes").touch()
    photos = [f"{k:03d}" for k in range(20)] + ["segfault-1", "hang-2", "eat-3", "exit-4"]
    stages = [prepared("perilous", Perilous, (tmp_path / "notes",), (LENGTH,)), prepared("later", KeepAll)]
    summary = run_pass("test", numbered(photos, tmp_path, 8), [pool(*stages, num_workers=2)], tmp_path, lambda: None)
    rows = rows_after(summary, tmp_path)
    assert [row["photo"] for row in rows] == photos
    assert [row["rejected_by"] for row in rows] == [""] * 20 + ["perilous"] * 4
    assert all(f"the perilous process {what}" in row["reason"] for row, what in zip(rows[20:], (
        "died of SIGSEGV", "gave no answer within 4 s", "took more than 0.5 GiB", "ended with code 0"
    ), strict=True))  # fmt: skip
    assert (summary.efforts["perilous"].killed_rows, summary.efforts["later"].rows) == (4, 20)


def test_run_pass_exception_of_a_stage_names_the_photograph(tmp_path):
    (tmp_path / "notes").touch()
    stages = [prepared("perilous", Perilous, (tmp_path / "notes",), (LENGTH,))]
    with pytest.raises(JobFailed, match="perilous failed on raise-7"):
        run_pass("test", numbered(["a", "raise-7"], tmp_path, 8), [pool(*stages)], tmp_path, lambda: None)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"quality": {"enabled": True}}, "quality.enabled needs quality.path"),
        ({"intact": {"enabled": True}}, "intact.enabled needs open_clip.path"),
        ({"quality": {"enabled": True, "path": "/nowhere"}}, "quality.path /nowhere: no such file"),
        ({"intact": {"enabled": True}, "open_clip": {"path": "/nowhere"}}, "open_clip.path /nowhere: no such file"),
        (
            {"lift": {"generator": "command", "generator_args": {"command": ["absent", "{photo}{glb}"]}}},
            "no program 'absent'",
        ),
        ({"pool": {"lift": {"num_workers": 9}}}, "the second pass needs 9 CPU"),
        (
            {"pool": {"turntable": {"num_workers": 9}}},
            "pool.turntable: unknown pool (turntable runs in the pool of an earlier stage",
        ),
        ({"pool": {"lifts": {"num_workers": 9}}}, "known pools: source, quality, intact, shown, lift, describe"),
    ],
)
def test_curate_refuses_settings_that_cannot_work(world, tmp_path, sections, message):
    with pytest.raises(UserError) as caught:
        curate(settings(world, tmp_path / "out", **sections))
    assert message in str(caught.value)
    assert not (tmp_path / "out" / "manifest.parquet").exists()


@pytest.mark.timeout(500)
@pytest.mark.slow
def test_curate_killed_twice_resumes_and_writes_the_same_manifest(world, run, tmp_path):
    """Kills the driver twice, once during the filters and once in the second pass, and then lets it finish."""
    dataset, config = tmp_path / "vases", tmp_path / "config.toml"
    shards = {"journal": {"num_rows": 5, "num_rows_lift": 1}}
    config.write_text(dump_config(settings(world, dataset, **GIVEN, **shards)))
    done: dict = {}
    draw = random.Random(7)
    for least, most in ((1, 8), (10, 36)):
        threshold = draw.randint(least, most)
        process = start(config)
        while len(finished(dataset)) < threshold and process.poll() is None:
            time.sleep(0.02)
        assert process.poll() is None, "it ended before the kill"
        process.kill()
        process.wait()
        now = finished(dataset)
        assert len(now) >= threshold and now | done == now, "a finished shard was done again"
        done = now
    finish_curation(start(config))
    now = finished(dataset)
    assert now | done == now and len(now) > len(done)
    assert (dataset / MANIFEST).read_bytes() == (run[0] / MANIFEST).read_bytes()
    assert not list((dataset / "models").glob(".*")), "a killed generator's litter"
    assert json.loads((dataset / "curation.json").read_text())["reused_rows"]["filters"] > 0
