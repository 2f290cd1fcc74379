"""Tests a small quick start: every stage with the real engines, from the photographs to the report."""

import itertools
from pathlib import Path

import pytest

from launch.quickstart import main, stage_settings
from vaserl.commands.__main__ import main as vaserl
from vaserl.runs.quickstart_folder import QuickstartFolder
from vaserl.types import DIMENSIONS

pytestmark = pytest.mark.slow

CONFIG = """
run_dir = "{root}/run"
seed = 3
[world]
num_vases = 28
num_workers = 1
[stages]
curate = "configs/curate/quickstart.toml"
sft = "configs/sft/quickstart.toml"
train = "configs/train/quickstart.toml"
evaluate = "configs/evaluate/quickstart.toml"
[overrides]
# filters taught by so few vases, or for so short a time, must not choose their own thresholds
curate = ["--split.num_test", "8", "--split.num_val", "4", "--tiny_filters.num_vases", "12",
          "--quality.threshold", "0.5", "--tiny_filters.clip_steps", "30", "--intact.threshold", "-2"]
sft = ["--num_epochs", "25", "--learner.num_ranks", "1"]
train = ["--num_steps", "2", "--tasks_per_step", "4", "--learner.num_ranks", "1"]
"""


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory, cluster) -> Path:
    root = tmp_path_factory.mktemp("quickstart")
    (root / "quickstart.toml").write_text(CONFIG.format(root=root))
    assert main([str(root / "quickstart.toml")]) == 0
    return root / "run"


def test_quickstart_summary_has_every_part(run_dir: Path):
    summary = QuickstartFolder(run_dir).summary
    assert set(summary["seconds"]) == {"world", "curate", "sft", "grpo", "evaluate", "export", "report"}
    assert summary["seconds_total"] >= sum(summary["seconds"].values()) - 1
    assert summary["num_steps"] == 2
    for system in ("sft", "rl"):
        assert set(summary["eval"]["systems"][system]["dimensions"]) == set(DIMENSIONS)
    difference = summary["eval"]["differences"]["rl"]["reward"]
    assert difference["low"] <= difference["mean"] <= difference["high"]
    assert -0.5 <= summary["reward_first"] <= 1.1
    assert summary["versions"]["ray"]


def test_quickstart_loses_no_photograph(run_dir: Path):
    summary = QuickstartFolder(run_dir).summary
    photographs = (run_dir / "world" / "photographs.jsonl").read_text().splitlines()
    rows = list(QuickstartFolder(run_dir).dataset.rows)
    assert len(rows) == len(photographs)
    assert all(bool(row.rejected_by) == bool(row.reason) for row in rows)
    retention = summary["retention"]
    assert retention[0]["in"] == len(photographs)
    assert all(a["out"] == b["in"] for a, b in itertools.pairwise(retention))
    assert retention[-1]["out"] == sum(not row.rejected_by for row in rows)


def test_quickstart_never_trains_on_test_vases(run_dir: Path):
    train, test = QuickstartFolder(run_dir).dataset.vases("train"), QuickstartFolder(run_dir).dataset.vases("test")
    val = QuickstartFolder(run_dir).dataset.vases("val")
    assert (len(test), len(val)) == (8, 4)
    assert len({vase.id for vase in (*train, *val, *test)}) == len(train) + 4 + 8
    grpo = QuickstartFolder(run_dir).grpo
    assert grpo.steps == [1, 2]
    trained = {row.task for step in grpo.steps for row in grpo.rollouts(step)}
    assert trained <= {vase.caption_task().id for vase in train}


def test_quickstart_validates_before_the_first_step_and_after_the_last(run_dir: Path):
    grpo = QuickstartFolder(run_dir).grpo
    assert [(row.step, row.weights_version, row.num_vases) for row in grpo.validations] == [(0, 1, 4), (2, 3, 4)]
    assert "Greedy captions of 4 vases of the split val" in (run_dir / "report.html").read_text()


def test_quickstart_report_is_one_file_that_needs_nothing_else(run_dir: Path):
    page = (run_dir / "report.html").read_text()
    assert 100_000 < len(page) < 8_000_000
    assert 'src="http' not in page
    assert 'href="http' not in page
    assert "data:image/" in page


def test_quickstart_results_can_be_captioned_and_rendered(run_dir: Path, tmp_path: Path, capsys):
    mesh = sorted(QuickstartFolder(run_dir).dataset.models.glob("*.glb"))[0]
    assert vaserl(["caption", str(mesh), "--model", str(run_dir / "export")]) == 0
    assert len(capsys.readouterr().out.split()) >= 1
    photo = next(row.photo for row in QuickstartFolder(run_dir).dataset.rows if not row.rejected_by)
    assert vaserl(["caption", photo, "--model", str(run_dir / "export"), "--out", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model.glb", "profile.svg", "turntable.mp4"}
    assert vaserl(["render", str(mesh), "--out", str(tmp_path / "views"), "--resolution", "64"]) == 0
    assert {path.stem for path in (tmp_path / "views").glob("*.png")} == {
        *("front", "back", "left", "right", "top", "bottom")
    }


def test_quickstart_leaves_a_foreign_folder_alone(tmp_path: Path, capsys):
    (tmp_path / "quickstart.toml").write_text(CONFIG.format(root=tmp_path))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("ten years of work")
    assert main([str(tmp_path / "quickstart.toml")]) == 2
    assert "contains files that no quick start wrote" in capsys.readouterr().err
    assert (tmp_path / "run" / "thesis.txt").read_text() == "ten years of work"


def test_stage_settings_tie_the_stages_together(tmp_path: Path):
    from vaserl.settings import QuickstartSettings
    from vaserl.settings.section import load_config

    path = tmp_path / "quickstart.toml"
    path.write_text(CONFIG.format(root=tmp_path))
    curating, tuning, training, evaluating = stage_settings(load_config(QuickstartSettings, path))
    root = tmp_path / "run"
    assert curating.dataset == tuning.data.path == training.data.path == evaluating.data.path == root / "dataset"
    assert training.model.path == evaluating.model.path == root / "sft" / "model"
    assert evaluating.trained == QuickstartFolder(root).grpo.weights_folder(3)
    assert {curating.seed, tuning.seed, training.seed, evaluating.seed} == {3}
