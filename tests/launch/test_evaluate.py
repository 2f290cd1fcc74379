"""Tests that a killed evaluation goes on where it was, with the result of one that was not killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from launch import evaluate
from tests.launch.test_chain import EVALUATE
from vaserl.errors import UserError
from vaserl.evaluation.evaluate import EvaluationConfig
from vaserl.runs.claim import TakenOverError, claimed
from vaserl.runs.evaluation_run import EvaluationRun
from vaserl.runs.status import read_status
from vaserl.settings import EvaluateSettings
from vaserl.settings.section import load_config
from vaserl.types import Completion, Group, Publication, Task, Weights

RESULTS = ("completions.jsonl", "captions.jsonl", "evaluation.json", "evaluation.md", "finished.json")


class Killed(BaseException):
    """Stands for the end of the process."""


class CountingEngines:
    """Engines whose captions depend on the weights and the vase. They are killed when the budget of batches is used."""

    def __init__(self, budget: int):
        self.budget, self.version = budget, 0
        self.asked: list[tuple[int, list[str]]] = []

    def publish(self, weights: Weights) -> Publication:
        self.version = weights.version
        return Publication(version=weights.version, fingerprint_gap=0.0, seconds={})

    def greedy(self, tasks: Sequence[Task]) -> list[Group]:
        if not self.budget:
            raise Killed
        self.budget -= 1
        self.asked.append((self.version, [task.id for task in tasks]))
        return [Group(task=task, prompt_ids=(1, 2), completions=(self._completion(task),)) for task in tasks]

    def _completion(self, task: Task) -> Completion:
        # U+2028 and U+0085 end a line for str.splitlines, but not for JSON
        text = f"Athenian vase {task.id}, weights {self.version}. \u2028 Ångström \x85"
        return Completion(
            text=text,
            token_ids=(7, self.version),
            logprobs=(-0.1, -1 / 3),
            finish_reason="stop",
            weights_version=self.version,
        )


class Jobs:
    """Evaluations of four vases in batches of two, so of four batches."""

    def __init__(self, root: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch):
        self.root, self.engines, self.num_starts = root, CountingEngines(0), 0
        for name, file in (("model", "config.json"), ("trained", "model.safetensors"), ("clip", "weights.bin")):
            (root / name).mkdir()
            (root / name / file).write_text('{"model_type": "qwen2_5_vl"}')
        self._path = root / "evaluate.toml"
        self._path.write_text(
            f'run_dir = "{root}/run"\ntrained = "{root}/trained"\nclip_model = "{root}/clip"\nsplit = "train"\n'
            f'[model]\npath = "{root}/model"\n[data]\npath = "{dataset}"\n'
        )
        monkeypatch.setattr(evaluate, "BATCH_SIZE", 2)
        monkeypatch.setattr(evaluate, "EvaluationConfig", partial(EvaluationConfig, num_resamples=20))
        monkeypatch.setattr(evaluate, "started_engines", self._started)
        monkeypatch.setattr(evaluate, "check_prompts", lambda *_: None)  # the model's folder has no tokenizer
        monkeypatch.setattr(evaluate, "open_clip_text_encoder", lambda path: embed)

    @contextmanager
    def _started(self, *_: object) -> Iterator[CountingEngines]:
        self.num_starts += 1
        yield self.engines

    def settings(self, *overrides: str) -> EvaluateSettings:
        return load_config(EvaluateSettings, self._path, overrides)

    def run(self, *overrides: str, budget: int = 99, fresh: bool = False) -> list[tuple[int, list[str]]]:
        """Runs the job and returns the batches that the engines captioned, each with the version of the weights."""
        self.engines = CountingEngines(budget)
        evaluate.run(self.settings(*overrides), fresh=fresh)
        return self.engines.asked

    def kill_after(self, budget: int, *overrides: str) -> None:
        with pytest.raises(Killed):
            self.run(*overrides, budget=budget)

    def results(self, name: str = "run") -> dict[str, bytes]:
        return {file: (self.root / name / file).read_bytes() for file in RESULTS}


def embed(texts: Sequence[str]) -> np.ndarray:
    vectors = np.array([[len(text), text.count("a") + 1.0, 3.0] for text in texts])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def jobs(tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    return Jobs(tmp_path, dataset, monkeypatch)


FIRST, SECOND = [f"v{i:02d}/caption" for i in (0, 1)], [f"v{i:02d}/caption" for i in (2, 3)]
BATCHES = [(0, FIRST), (0, SECOND), (1, FIRST), (1, SECOND)]


@pytest.mark.parametrize("num_batches", [0, 1, 2, 3])
def test_evaluate_goes_on_after_the_last_stored_batch(jobs: Jobs, num_batches: int, capsys):
    assert jobs.run("--run_dir", str(jobs.root / "whole")) == BATCHES
    jobs.kill_after(num_batches)
    status = read_status(jobs.root / "run")
    assert status is not None
    assert (status.job, status.state, status.step, status.num_steps) == ("evaluate", "stopped", 2 * num_batches, 8)
    capsys.readouterr()
    assert jobs.run() == BATCHES[num_batches:]
    assert jobs.results() == jobs.results("whole")
    err = capsys.readouterr().err
    assert ("captions are stored already" in err) == (num_batches > 0)
    assert "done=8/8" in err
    assert not list(jobs.root.glob("run.before-*"))


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_evaluate_repeats_a_batch_that_was_stored_in_part(jobs: Jobs, cut: int):
    jobs.run("--run_dir", str(jobs.root / "whole"))
    jobs.kill_after(3)
    file = jobs.root / "run" / "completions.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])  # a write that was cut, within one line or two
    assert jobs.run() == BATCHES[2:]
    assert jobs.results() == jobs.results("whole")


def test_evaluate_repeats_from_a_damaged_line(jobs: Jobs):
    jobs.run("--run_dir", str(jobs.root / "whole"))
    jobs.kill_after(3)
    file = jobs.root / "run" / "completions.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:4], lines[4].replace(b"Athenian", b"Corinthian"), *lines[5:]]))
    assert jobs.run() == BATCHES[1:]
    assert jobs.results() == jobs.results("whole")


def test_evaluate_that_is_finished_says_so(jobs: Jobs, capsys):
    jobs.run()
    before = jobs.results()
    assert jobs.run() == []
    assert jobs.num_starts == 1
    assert "this evaluation is finished. --fresh does it again" in capsys.readouterr().err
    assert jobs.results() == before
    assert evaluate.run(jobs.settings()) == json.loads(before["evaluation.json"])


def test_evaluate_fresh_keeps_the_earlier_evaluation(jobs: Jobs):
    jobs.run()
    before = jobs.results()
    assert jobs.run(fresh=True) == BATCHES
    assert jobs.results("run.before-1") == before == jobs.results()


@pytest.mark.parametrize("is_finished", [True, False])
@pytest.mark.parametrize(
    ("overrides", "file", "words"),
    [
        (["--rollout.max_new_tokens", "9"], None, "rollout.max_new_tokens"),
        (["--data.num_frames", "4"], None, "data.num_frames"),
        ([], "model/config.json", "model.path (content)"),
        ([], "trained/model.safetensors", "trained (content)"),
    ],
)
def test_evaluate_does_not_reuse_captions_that_something_else_produced(
    jobs: Jobs, capsys, is_finished: bool, overrides: list[str], file: str | None, words: str
):
    jobs.run() if is_finished else jobs.kill_after(3)
    if file:
        (jobs.root / file).write_text('{"model_type": "qwen2_5_vl", "changed": 1}')
    assert jobs.run(*overrides) == BATCHES
    assert f"it can't be continued, because this changed: {words}\n" in capsys.readouterr().err
    assert (jobs.root / "run.before-1" / "completions.jsonl").is_file()


def test_evaluate_computes_metrics_again_without_engines(jobs: Jobs, capsys):
    jobs.run()
    before = jobs.results()
    assert jobs.run("--seed", "7") == []
    assert jobs.num_starts == 1
    assert "all captions are stored; the metrics are computed again: seed" in capsys.readouterr().err
    assert jobs.results()["completions.jsonl"] == before["completions.jsonl"]
    assert json.loads(jobs.results()["evaluation.json"])["seed"] == 7


def test_evaluate_sets_aside_the_evaluation_of_an_older_version(jobs: Jobs, capsys):
    jobs.run()
    for name in ("completions.jsonl", "finished.json"):
        (jobs.root / "run" / name).unlink()
    assert jobs.run() == BATCHES
    assert "an older version of vaserl wrote it" in capsys.readouterr().err
    assert EvaluationRun(jobs.root / "run.before-1").summary


def test_evaluate_refuses_an_absent_clip_model_before_the_engines_start(jobs: Jobs):
    with pytest.raises(UserError, match=r"clip_model .*nowhere does not exist"):
        jobs.run("--clip_model", str(jobs.root / "nowhere"))
    assert jobs.num_starts == 0


def test_evaluate_excludes_a_second_job_in_the_same_folder(jobs: Jobs):
    with claimed(jobs.root / "run"), pytest.raises(UserError, match="has been writing to this run folder"):
        jobs.run()
    assert jobs.num_starts == 0


def test_evaluate_that_was_taken_over_writes_nothing_more(jobs: Jobs, monkeypatch):
    greedy = CountingEngines.greedy

    def taken_over(self: CountingEngines, tasks: Sequence[Task]) -> list[Group]:
        if self.budget == 97:  # the third batch
            (jobs.root / "run" / "epoch").write_text("9")
        return greedy(self, tasks)

    monkeypatch.setattr(CountingEngines, "greedy", taken_over)
    with pytest.raises(TakenOverError, match="another job has taken the run over"):
        jobs.run()
    assert len((jobs.root / "run" / "completions.jsonl").read_text().splitlines()) == 1 + 4


KILLED = """
import os, signal, sys
from launch import evaluate
from vaserl.runs.caption_store import CaptionStore

add, budget = CaptionStore.add, int(sys.argv[1])
def counting(self, system, completions):
    global budget
    add(self, system, completions)
    budget -= 1
    if budget == 0:
        os.kill(os.getpid(), signal.SIGKILL)
CaptionStore.add = counting
evaluate.BATCH_SIZE = 1
sys.exit(evaluate.main(sys.argv[2:]))
"""


@pytest.mark.slow
def test_evaluate_killed_half_way_ends_like_one_that_was_not(tmp_path: Path, dataset: Path, tiny_model: Path):
    """The real engine; kill -9 after the first of two batches of the second system."""
    from launch.train import main as train
    from tests.launch.test_chain import TRAIN, tiny_clip

    tiny_clip(tmp_path)
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft" / "model").symlink_to(tiny_model)
    (tmp_path / "train.toml").write_text(TRAIN.format(root=tmp_path, data=dataset))
    (tmp_path / "evaluate.toml").write_text(EVALUATE.format(root=tmp_path, data=dataset))
    assert train([str(tmp_path / "train.toml")]) == 0

    def start(budget: int, name: str) -> subprocess.CompletedProcess[str]:
        arguments = [str(budget), str(tmp_path / "evaluate.toml"), "--run_dir", str(tmp_path / name)]
        return subprocess.run(
            [sys.executable, "-c", KILLED, *arguments], stderr=subprocess.PIPE, text=True, timeout=300, env=os.environ
        )

    whole, killed = start(0, "whole"), start(3, "run")
    assert (whole.returncode, killed.returncode) == (0, -signal.SIGKILL)
    assert len((tmp_path / "run" / "completions.jsonl").read_text().splitlines()) == 1 + 3
    again = start(0, "run")
    assert again.returncode == 0, again.stderr
    assert "3 of 4 captions are stored already" in again.stderr
    assert {f: (tmp_path / "run" / f).read_bytes() for f in RESULTS} == {
        f: (tmp_path / "whole" / f).read_bytes() for f in RESULTS
    }
    finished = start(0, "run")
    assert finished.returncode == 0
    assert "this evaluation is finished" in finished.stderr
