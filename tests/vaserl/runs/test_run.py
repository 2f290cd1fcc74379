"""Tests the run folder: runs of older versions, of newer versions, and damaged ones."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vaserl
from tests.fakes.scored_by_hand import scored
from vaserl.errors import UserError
from vaserl.runs.rows import read_rollout_rows, rollout_rows, write_rollout_rows
from vaserl.runs.run import Run
from vaserl.settings import TrainSettings
from vaserl.types import DIMENSIONS

CONFIG = """run_dir = "/runs/r"
num_steps = 2
[model]
path = "/models/m"
[data]
path = "/data/d"
[rollout]
max_new_tokens = 64
"""
ROLLOUT = {
    "step": 1,
    "task": "v1/caption",
    "member": 0,
    "prompt": "p",
    "completion": "a kylix",
    "reference": "Athenian kylix",
    "record": '{"Fabric": "ATHENIAN"}',
    "clip": "c",
    "reward": 0.5,
    "parts": '{"fabric": 0.5, "has_target/fabric": 1.0}',
    "advantage": 1.5,
    "token_ids": [1, 2],
    "logprobs": [-1.0, -2.0],
    "finish_reason": "stop",
    "weights_version": 1,
}


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    """Returns a run without a format number, whose rollouts lack the later fields dimensions and learner_version."""
    folder = tmp_path / "run"
    (folder / "rollouts").mkdir(parents=True)
    (folder / "weights" / "v00003").mkdir(parents=True)
    (folder / "config.toml").write_text(CONFIG)
    (folder / "versions.json").write_text(json.dumps({"python": "3.11.9", "torch": "2.13.0"}))
    (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 0.5}\n')
    (folder / "timeline.jsonl").write_text(
        '{"step": 1, "phase": "learn", "worker": "driver", "start_s": 1.5, "end_s": 2.0}\n'
    )
    pq.write_table(pa.Table.from_pylist([ROLLOUT]), folder / "rollouts" / "step=00001.parquet")
    return folder


def test_run_opens_what_an_older_version_wrote(old_run: Path):
    run = Run.open(old_run)
    assert (run.versions.vaserl, run.versions.format) == ("0.1.0", 0)
    assert run.versions.packages == {"python": "3.11.9", "torch": "2.13.0"}
    settings = run.settings
    assert (settings.num_steps, settings.rollout.max_new_tokens) == (2, 64)
    assert settings.loss.normalise_advantages  # a default, which the file does not state
    assert run.metrics == [{"step": 1, "loss": 0.5}]
    assert [(span.phase, span.end_s) for span in run.timeline] == [("learn", 2.0)]
    assert run.pieces == []
    assert run.steps == [1]
    (row,) = run.rollouts(1)
    assert (row.dimensions, row.learner_version) == (("fabric",), 1)
    assert (row.record, row.token_ids) == ({"Fabric": "ATHENIAN"}, (1, 2))
    assert [weights.version for weights in run.weights] == [3]


def test_run_gives_back_the_dimensions_of_captions_and_questions(tmp_path: Path):
    groups = [
        replace(group, group=replace(group.group, task=replace(group.group.task, dimensions=dimensions)))
        for group, dimensions in ((scored([0.0]), DIMENSIONS), (scored([1.0]), ("shape",)), (scored([1.0]), ()))
    ]
    for chosen in (groups, groups[2:]):
        write_rollout_rows(tmp_path / "rows", rollout_rows(1, chosen, [[0.0]] * len(chosen)))
        found = [row.dimensions for row in read_rollout_rows(tmp_path / "rows")]
        assert found == [group.group.task.dimensions for group in chosen]


def test_run_states_its_version_and_format(settings: TrainSettings, tmp_path: Path):
    run = Run(tmp_path / "run")
    run.begin(settings)
    found = json.loads((tmp_path / "run" / "versions.json").read_text())
    assert (found["vaserl"], found["format"]) == (vaserl.__version__, 1)
    assert found["python"] == run.versions.packages["python"]
    assert Run.open(run.path).settings == settings


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("num_steps = 2", "num_steps = 2\ncolour = 3"), "config.toml:3: unknown key 'colour'"),
        (("num_steps = 2\n", ""), "key 'num_steps' is missing"),
    ],
)
def test_run_settings_name_the_version_that_wrote_other_keys(old_run: Path, change: tuple[str, str], words: str):
    config = old_run / "config.toml"
    config.write_text(CONFIG.replace(*change))
    (old_run / "versions.json").write_text('{"vaserl": "0.0.7", "format": 1}')
    with pytest.raises(UserError) as raised:
        _ = Run.open(old_run).settings
    message = str(raised.value)
    assert str(config) in message and words in message
    assert "was written by vaserl 0.0.7" in message
    assert "Correct config.toml in a copy of the folder, or read it with vaserl 0.0.7." in message


def test_run_open_refuses_a_newer_format(old_run: Path):
    (old_run / "versions.json").write_text('{"vaserl": "9.1", "format": 7}')
    with pytest.raises(UserError, match=r"vaserl 9\.1 in run format 7.*formats up to 1\. Install vaserl 9\.1 or newer"):
        Run.open(old_run)


def test_run_open_refuses_a_folder_without_a_run(old_run: Path):
    with pytest.raises(UserError, match=r"holds no run: it has no config\.toml$"):
        Run.open(old_run.parent)
    old_run.rename(old_run.with_name("grpo"))
    with pytest.raises(UserError, match=r"did you mean .*grpo\?"):
        Run.open(old_run.parent)


def test_run_reads_name_what_is_damaged(old_run: Path):
    run = Run(old_run)
    run.metrics_file.write_text('{"step": 1, "lo')
    with pytest.raises(UserError, match=r"metrics\.jsonl, line 1 is not JSON"):
        _ = run.metrics
    run.timeline_file.write_text('{"step": 1}\n')
    with pytest.raises(UserError, match=r"timeline\.jsonl was written by another version"):
        _ = run.timeline
    table = pa.Table.from_pylist([{name: value for name, value in ROLLOUT.items() if name != "parts"}])
    pq.write_table(table, old_run / "rollouts" / "step=00001.parquet")
    with pytest.raises(UserError, match="lacks the columns parts"):
        run.rollouts(1)


def test_run_saves_weights_whole_or_not_at_all(old_run: Path):
    run = Run(old_run)
    with pytest.raises(OSError, match="disk full"), run.saving_weights(5) as folder:
        (folder / "half").touch()
        raise OSError("disk full")
    assert [weights.version for weights in run.weights] == [3]
    with run.saving_weights(5) as folder:
        (folder / "adapter").touch()
    assert [weights.version for weights in run.weights] == [3, 5]
    assert [path.name for path in run.weights[-1].folder.iterdir()] == ["adapter"]
    assert run.weights_folder(5) == run.weights[-1].folder
