"""Tests the lathe's bench: equal meshes have no error, and known differences give the numbers that follow from them."""

import dataclasses
import json

import numpy as np
import pytest
import trimesh

from launch.bench.__main__ import main
from launch.bench.lathe import Lifted, chamfer, compare_model, lathe_summary, level_silhouette
from tests.fakes.turned_vases import amphora, lathe_of, seen_mask


def test_compare_model_with_itself_and_with_a_wider_one() -> None:
    result = lathe_of(seen_mask())
    same = compare_model(result, result.mesh, result.profile, result.mask)
    assert same["iou_level"] == same["iou_mask"] == 1.0 and same["chamfer_percent"] == 0.0
    assert same["profile_mean_mm"] == same["profile_p95_mm"] == 0.0
    assert same["iou_photo"] == result.silhouette_iou
    # a radius larger by 0.01 heights everywhere is 3 mm of 300
    assert compare_model(result, result.mesh, result.profile + np.array([0.01, 0.0]), result.mask)[
        "profile_mean_mm"
    ] == pytest.approx(3)
    # the lathe's profile against the one that the photograph was drawn from
    z = np.linspace(0, 1, 200)
    against_truth = compare_model(result, result.mesh, np.stack([amphora(z), z], axis=1), result.mask)
    assert 0 < against_truth["profile_mean_mm"] < 1.5


def test_chamfer_and_level_silhouette_by_hand() -> None:
    one, other = (trimesh.creation.icosphere(5, radius=radius) for radius in (0.5, 0.55))
    assert chamfer(one, other) == pytest.approx(0.05, abs=2e-3)
    one.apply_translation([0.0, 0.5, 0.0])  # the mesh stands on y = 0
    # a disc of radius 150 pixels
    assert level_silhouette(one).sum() == pytest.approx(np.pi * 150**2, rel=0.02)


def test_lathe_summary_counts_rejected_vases_without_changing_the_medians() -> None:
    numbers = dict.fromkeys(
        ("iou_photo", "iou_mask", "iou_level", "chamfer_percent", "profile_mean_mm", "profile_p95_mm"), 1.0
    )
    row = Lifted(index=0, shape="A", technique="T", failure="", **numbers)
    other = dataclasses.replace(row, index=1, chamfer_percent=3.0)
    refused = Lifted(index=2, shape="B", technique="T", failure="no vase", **dict.fromkeys(numbers, float("nan")))
    found = lathe_summary([row, other, refused])
    assert found["all"]["num"] == 3 and found["all"]["num_failed"] == 1
    assert found["all"]["chamfer_percent"] == found["by_shape"]["A"]["chamfer_percent"] == 2.0
    assert found["by_technique"]["T"]["num"] == 3
    assert found["failures"] == ["B 2: no vase"]


def test_bench_lathe_on_synthetic_vases(capsys) -> None:
    assert main(["lathe", "--json", "--num-vases", "3"]) == 0
    measured = json.loads(capsys.readouterr().out)
    for name in ("as_thrown", "without_handles"):
        found = measured[name]["all"]
        assert found["num"] == 3
        assert found["iou_photo"] > 0.93 and found["chamfer_percent"] < 2.5
    assert main(["lathe", "--num-vases", "0"]) == 2
    assert "--num-vases must be at least 1" in capsys.readouterr().err
