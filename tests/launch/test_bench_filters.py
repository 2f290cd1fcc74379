"""Tests the bench of the filters: what the labels ask for, and the counts, by hand and on generated pictures."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from launch.bench.__main__ import main
from launch.bench.filters import Judged, best_views, filter_counts, wanted_by_intact, wanted_by_quality
from tests.fakes.random_clip import save_random_clip
from vaserl.curation.bodies.quality import ResNetConfig, save_resnet
from vaserl.curation.stage import Kept
from vaserl.curation.stages.best_view import BestView

WHOLE = {"kind": "side", "whole_vase_from_the_side": "yes", "quality": "good", "intact": "yes", "note": ""}


@pytest.mark.parametrize(
    ("labels", "quality", "intact"),
    [
        ({}, True, True),
        ({"intact": "repaired"}, True, True),
        ({"intact": "no"}, True, False),
        ({"quality": "poor"}, False, False),
        ({"kind": "mouth", "whole_vase_from_the_side": "no"}, True, True),
        ({"kind": "mouth", "whole_vase_from_the_side": "no", "intact": "-"}, True, None),
        ({"kind": "sherd", "whole_vase_from_the_side": "no", "intact": "no"}, True, False),
        ({"kind": "several", "whole_vase_from_the_side": "no", "intact": "-"}, True, False),
        ({"kind": "detail", "whole_vase_from_the_side": "no", "intact": "yes"}, False, False),
        ({"whole_vase_from_the_side": "no", "note": "mouth cut by the frame"}, False, False),
        ({"whole_vase_from_the_side": "no", "note": "flowers stand in it"}, True, None),
        ({"kind": "other", "whole_vase_from_the_side": "no", "intact": "-"}, None, False),
    ],
)
def test_wanted_by_the_labels(labels, quality, intact):
    assert wanted_by_quality(WHOLE | labels) is quality
    assert wanted_by_intact(WHOLE | labels) is intact


def test_filter_counts_by_hand():
    wanted = [True, True, True, False, False, None]
    found = filter_counts(wanted, [True, True, False, True, False, True], [0.9, 0.5, 0.2, 0.6, 0.1, 9.0])
    assert [found[f"{a}_{b}s"] for a in ("true", "false") for b in ("positive", "negative")] == [2, 1, 1, 1]
    assert (found["num"], found["precision"]["of"], found["recall"]["of"]) == (5, 3, 3)
    assert found["precision"]["mean"] == found["recall"]["mean"] == 0.6667 and found["wanted"]["mean"] == 0.6
    # of the six pairs, 0.9 beats both, 0.5 and 0.2 beat 0.1
    assert found["auc"] == pytest.approx(4 / 6)
    assert filter_counts([True], [False], [0.1])["precision"] is None


def test_best_views_by_hand():
    """Vases a, b and c have a whole view and another one, and the most frontal view is whole for a and c."""

    def judged(vase: str, front: float, whole: str) -> Judged:
        row = {"file": f"{vase}{front}", "vase": vase, "sha256": str(front), "whole_vase_from_the_side": whole}
        return Judged(row=row, quality=Kept(), intact=Kept(columns={"front": front}))

    views = [("a", 0.9, "yes"), ("a", 0.1, "no"), ("b", 0.2, "no"), ("b", 0.1, "yes"), ("b", 0.0, "no")]
    views += [("c", 0.1, "no"), ("c", 0.2, "yes"), ("d", 0.5, "yes"), ("d", 0.4, "yes"), ("", 0.3, "yes")]
    found = best_views([judged(*view) for view in views], BestView().judge_all)
    assert (found["right"]["of"], found["right"]["mean"]) == (3, 0.6667)
    assert found["chance"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 3)


@pytest.fixture
def listed(tmp_path: Path) -> list[str]:
    """Returns the bench's arguments for three pictures, one of which is damaged, and networks of random weights."""
    config = ResNetConfig(layers=(1, 1, 1, 1), width_per_group=8, expansion=1, image_size=32)
    save_resnet(config.build(), config, tmp_path / "resnet")
    save_random_clip(tmp_path / "clip")
    with (tmp_path / "list.tsv").open("w", newline="") as file:
        columns = ("file", "source", "sha256", "vase", "set", *WHOLE)
        rows = csv.DictWriter(file, columns, delimiter="\t")
        rows.writeheader()
        for number, kind in enumerate(("side", "detail", "other")):
            path = tmp_path / f"{number}.png"
            Image.fromarray(np.full((40, 30, 3), 60 * number, np.uint8)).save(path)
            if kind == "other":
                path.write_bytes(path.read_bytes()[:50])
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            own = {"file": path.name, "source": "found", "sha256": sha256, "vase": "", "set": "develop", "kind": kind}
            whole = "yes" if kind == "side" else "no"
            rows.writerow(WHOLE | own | {"whole_vase_from_the_side": whole})
    networks = ["--quality", str(tmp_path / "resnet"), "--clip", str(tmp_path / "clip")]
    return ["filters", "--json", "--list", str(tmp_path / "list.tsv"), "--folder", str(tmp_path), *networks]


def test_bench_filters_counts_pictures_and_names_unreadable_ones(listed, tmp_path, capsys):
    assert main(listed) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["groups"]) == ["found, develop", "develop"]
    group = found["groups"]["develop"]
    assert group["num"] == 2 and group["filters"]["quality"]["wanted"]["mean"] == 0.5
    assert {kind: row["num"] for kind, row in group["kept_by_kind"].items()} == {"detail": 1, "side, whole": 1}
    assert found["unreadable"] == {"2.png": "can't be decoded: the file is incomplete"}
    assert [set(one) for one in found["photographs"]] == [{"file", "quality", "intact", "front"}] * 2
    assert round(group["retention"][0]["paper"], 3) == 0.453  # 13,599 of 30,000
    main([argument for argument in listed if argument != "--json"])
    assert "found, develop: 2 photographs" in capsys.readouterr().out
    (tmp_path / "1.png").write_bytes(b"another")
    assert main(listed) == 2 and "1.png has another SHA-256 than the list" in capsys.readouterr().err


def test_bench_filters_measures_the_second_set_only_when_it_is_named(listed, tmp_path, capsys):
    listing = tmp_path / "list.tsv"
    listing.write_text(listing.read_text().replace("develop", "seen once, second"))
    assert main(listed) == 0
    assert json.loads(capsys.readouterr().out)["photographs"] == []
    assert main([*listed, "--set", "seen once, second"]) == 0
    assert list(json.loads(capsys.readouterr().out)["groups"]) == ["found, seen once, second", "seen once, second"]
