"""Tests the bench on scans with a jar in place of a scan, whose only stripe determines its turn."""

import json

import pytest

from launch.bench.__main__ import main
from launch.bench.scans import turn_error
from tests.fakes.striped_jar import jar
from vaserl.meshes.compare import align


def test_turn_error_by_hand() -> None:
    assert turn_error(350.0, -20.0) == 10.0  # -20 = 340
    assert turn_error(0.0, 350.0) == 10.0
    assert turn_error(90.0, 270.0) == 180.0


def test_bench_scans_names_photographs_copies_and_other_files(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(align, "COARSE_STEP_DEG", 15.0)  # a third of the time
    jar().export(tmp_path / "jar.glb")
    (tmp_path / "jar.obj").touch()
    assert main(["scans", "--json", "--scans", str(tmp_path), "--num-photographs", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["num_scans"], found["other_files"], found["by_scan"]["jar"]["num"]) == (1, ["jar.obj"], 1)
    [photograph] = found["photographs"]
    assert not photograph["failure"], photograph
    # the photograph's axis and profile are recovered to a few percent of the height; the jar has no floor and no wall,
    # and the network takes its flat colours for a drawing
    assert photograph["iou_mask"] > 0.9 and photograph["chamfer"] < 0.05
    moved, decimated = found["copies"]
    assert (moved["copy"], decimated["copy"]) == ("moved", "decimated")
    # half a step
    assert moved["turn_error_deg"] <= 7.5 and moved["chamfer"] < 0.012
    assert decimated["num_faces"] <= 4000 and decimated["chamfer"] < 0.015


def test_bench_scans_names_a_folder_without_scans(tmp_path, capsys) -> None:
    assert main(["scans", "--scans", str(tmp_path)]) == 2
    assert "no .glb files" in capsys.readouterr().err


def test_bench_scans_needs_a_folder(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["scans"])
    assert "--scans" in capsys.readouterr().err
