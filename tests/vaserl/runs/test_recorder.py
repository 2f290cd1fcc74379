"""Tests the recorders, which write a run's files step by step."""

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.fakes.recordings import StateLearner, recording
from tests.fakes.scored_groups import scored_group
from tests.fakes.settings import train_settings
from vaserl.errors import UserError
from vaserl.policy.weights import make_weights, read_fingerprint
from vaserl.runs.claim import TakenOverError
from vaserl.runs.run import Run
from vaserl.settings import TrainSettings
from vaserl.types import Fingerprint


def test_recorder_writes_what_the_run_reads(settings: TrainSettings, tmp_path: Path):
    run = Run(tmp_path / "run")
    with recording(run, settings, reward_sha256={"mine:reward": "ab"}) as recorder:
        with recorder.phase(1, "rollout"):
            pass
        recorder.pieces(1, "learn", {"forward": 0.25, "backward": 0.5})
        recorder.metrics(1, {"loss": 0.5})
        recorder.rollouts(1, [scored_group("v1", ["a", "bc"], [0.0, 1.0])], [(-0.5, 0.5)])
    assert run.settings == settings
    assert run.versions.reward_sha256 == {"mine:reward": "ab"}
    assert run.metrics == [{"step": 1, "loss": 0.5}]
    (span,) = run.timeline
    assert (span.step, span.phase, span.worker) == (1, "rollout", "driver")
    assert 0 <= span.start_s <= span.end_s
    (pieces,) = run.pieces
    assert (pieces.step, pieces.phase, pieces.seconds) == (1, "learn", {"forward": 0.25, "backward": 0.5})
    rows = run.rollouts(1)
    assert [(row.member, row.reward, row.advantage) for row in rows] == [(0, 0.0, -0.5), (1, 1.0, 0.5)]
    assert [(row.completion, row.token_ids, row.parts) for row in rows] == [
        ("a", (0,), {"fabric": 0.0}),
        ("bc", (0, 1), {"fabric": 1.0}),
    ]


def test_recorder_stores_mappings_as_text_and_tokens_as_lists(settings: TrainSettings, tmp_path: Path):
    with recording(Run(tmp_path / "run"), settings) as recorder:
        recorder.rollouts(1, [scored_group("v1", ["bc"], [1.0])], [(0.5,)])
    (row,) = pq.read_table(tmp_path / "run" / "rollouts" / "step=00001.parquet").to_pylist()
    assert row["parts"] == '{"fabric": 1.0}'
    assert row["record"] == '{"Fabric": "ATHENIAN", "Shape Name": "KYLIX", "Technique": "BLACK-FIGURE"}'
    assert (row["token_ids"], row["learner_version"], row["weights_version"]) == ([0, 1], 1, 3)


def test_recorder_leaves_out_and_counts_metrics_that_json_lacks(settings: TrainSettings, tmp_path: Path):
    run = Run(tmp_path / "run")
    with recording(run, settings, ["tensorboard"]) as recorder:
        recorder.metrics(1, {"loss": math.nan, "grad_norm": math.inf, "reward/mean": 1e39, "skipped": 1.0})
        recorder.metrics(2, {"loss": 0.5})
    first, second = run.metrics_file.read_text().splitlines()
    assert first == '{"step": 1, "reward/mean": 1e+39, "skipped": 1.0, "nonfinite_metrics": 2.0}'
    assert second == '{"step": 2, "loss": 0.5}'


def test_recorder_leaves_a_folder_that_is_no_run_alone(settings: TrainSettings, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").touch()
    with pytest.raises(UserError, match="contains no run"), recording(Run(tmp_path / "photos"), settings):
        pass
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.png"]


@pytest.mark.parametrize(("save_every", "versions"), [(0, [6]), (2, [3, 5, 6]), (5, [6])])
def test_grpo_recorder_saves_weights_every_few_steps_and_after_the_last(
    tmp_path: Path, save_every: int, versions: list[int]
):
    changes = {"num_steps": 5, "save_every": save_every}
    run, learner = Run(tmp_path / "run"), StateLearner()
    with recording(run, train_settings(**changes)) as recorder:
        for step in range(1, 6):
            recorder.metrics(step, {})
            weights = make_weights(step + 1, {"adapter.bin": bytes([step])})
            recorder.keep(step, weights, learner, {})
        recorder.complete(weights, learner)
    assert [saved.version for saved in run.weights] == versions
    assert [(saved.folder / "adapter.bin").read_bytes() for saved in run.weights] == [bytes([v - 1]) for v in versions]


def test_grpo_recorder_asks_the_learner_for_weights_without_files(tmp_path: Path):
    fingerprint = Fingerprint(token_ids=(1, 2), logprobs=(-0.5,))
    run = Run(tmp_path / "run")
    weights = make_weights(2, {}, fingerprint)
    with recording(run, train_settings(num_steps=1)) as recorder:
        recorder.metrics(1, {})
        recorder.keep(1, weights, StateLearner(), {})
        recorder.complete(weights, StateLearner())
    (saved,) = run.weights
    assert (saved.folder / "model.safetensors").read_bytes() == b"whole"
    assert read_fingerprint(saved.folder) == fingerprint  # with which the export compares


def test_grpo_recorder_shows_the_number_of_skipped_steps(tmp_path: Path, capsys):
    with recording(Run(tmp_path / "run"), train_settings(num_steps=3)) as recorder:
        for step, skipped in enumerate((0.0, 1.0, 1.0), start=1):
            recorder.metrics(step, {"reward/mean": 0.5, "skipped": skipped})
    lines = [line.split("reward=0.5")[1] for line in capsys.readouterr().err.splitlines() if "stage=grpo" in line]
    assert lines == ["", " skipped=2"]  # lines are printed for the first and the last step


def test_recorder_track_sends_values_to_the_trackers_only(settings: TrainSettings, tmp_path: Path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "vaserl.runs.recorder.start_tracker", lambda *_: lambda step, values: seen.append((step, values))
    )
    with recording(Run(tmp_path / "run"), settings, trackers=["tensorboard"]) as recorder:
        recorder.track(0, {"validation/reward": 0.5})
        recorder.metrics(1, {"loss": 0.25})
    assert seen == [(0, {"validation/reward": 0.5}), (1, {"loss": 0.25})]
    assert Run(tmp_path / "run").metrics == [{"step": 1, "loss": 0.25}]


def test_recorder_names_the_file_for_which_a_disk_has_no_space(tmp_path: Path):
    run = Run(tmp_path)
    with recording(run, train_settings(trackers=[])) as recorder:
        run.pieces_file.symlink_to("/dev/full")
        with pytest.raises(OSError, match=r"No space left on device: '.*/pieces\.jsonl'"):
            recorder.pieces(1, "learn", {"forward": 0.5})


def test_recorder_says_that_the_folder_was_moved_and_not_that_another_job_took_it(tmp_path: Path):
    run = Run(tmp_path / "run")
    with (
        recording(run, train_settings(trackers=[])) as recorder,
        pytest.raises(TakenOverError, match="is not in the file epoch any more: the folder or the file was moved"),
    ):
        run.path.rename(tmp_path / "moved")
        recorder.metrics(1, {"loss": 0.5})
    assert (tmp_path / "moved" / "metrics.jsonl").read_text() == ""
