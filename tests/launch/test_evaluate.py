"""Tests that a killed evaluation goes on where it was, with the result of one that was not killed."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from launch import evaluate, evaluation_answers, evaluation_systems
from launch.main import start_job
from tests.launch.test_chain import EVALUATE
from vaserl.errors import UserError
from vaserl.evaluation.evaluate import EvaluationConfig
from vaserl.runs.claim import TakenOverError, claimed
from vaserl.runs.evaluation_run import EvaluationRun
from vaserl.runs.status import read_status
from vaserl.settings import EvaluateSettings
from vaserl.settings.section import load_config
from vaserl.types import Completion, Group, Publication, Task, Weights

RESULTS = (
    *("captions.jsonl", "finished.json"),
    *("evaluation.json", "evaluation.md", "evaluation.csv", "evaluation.tex", "evaluation.html"),
)


class Killed(BaseException):
    """Stands for the end of the process."""


class CountingEngines:
    """Engines whose captions depend on the weights and the vase. They are killed when the budget of batches is used.
    A sampled caption depends on the step too."""

    def __init__(self, budget: int):
        self.budget, self.version = budget, 0
        self.asked: list[tuple[int, list[str]]] = []

    def publish(self, weights: Weights) -> Publication:
        self.version = weights.version
        return Publication(version=weights.version, fingerprint_gap=0.0, seconds={})

    def greedy(self, tasks: Sequence[Task]) -> list[Group]:
        return self._groups(tasks, "")

    def generate(self, tasks: Sequence[Task], step: int) -> list[Group]:
        return self._groups(tasks, f", step {step}")

    def _groups(self, tasks: Sequence[Task], more: str) -> list[Group]:
        if not self.budget:
            raise Killed
        self.budget -= 1
        self.asked.append((self.version, [task.id for task in tasks]))
        return [Group(task=task, prompt_ids=(1, 2), completions=(self._completion(task, more),)) for task in tasks]

    def _completion(self, task: Task, more: str) -> Completion:
        # U+2028 and U+0085 end a line for str.splitlines, but not for JSON
        text = f"Athenian vase {task.id}, weights {self.version}{more}. \u2028 Ångström \x85"
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
        monkeypatch.setattr(evaluation_answers, "started_engines", self._started)
        monkeypatch.setattr(evaluation_answers, "check_prompts", lambda *_: None)  # the model's folder has no tokenizer
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
        files = [*RESULTS, *(f"answers/{path.name}" for path in (self.root / name / "answers").iterdir())]
        return {file: (self.root / name / file).read_bytes() for file in files}

    def add(self, text: str) -> None:
        """Adds lines to the config."""
        self._path.write_text(self._path.read_text() + text)

    @property
    def answers(self) -> Path:
        """The file with most answers."""
        return max((self.root / "run" / "answers").iterdir(), key=lambda path: path.stat().st_size)


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
    file = jobs.answers
    file.write_bytes(file.read_bytes()[:-cut])  # a write that was cut, within one line or two
    assert jobs.run() == [BATCHES[1], *BATCHES[3:]]
    assert jobs.results() == jobs.results("whole")


def test_evaluate_repeats_from_a_damaged_line(jobs: Jobs):
    jobs.run("--run_dir", str(jobs.root / "whole"))
    jobs.kill_after(3)
    file = jobs.answers
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:4], lines[4].replace(b"Athenian", b"Corinthian"), *lines[5:]]))
    assert jobs.run() == [BATCHES[1], *BATCHES[3:]]
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


@pytest.mark.parametrize(
    ("overrides", "file", "words", "repeated"),
    [
        (["--rollout.max_new_tokens", "9"], None, "sft: rollout.max_new_tokens, rl: rollout.max_new_tokens", BATCHES),
        (["--data.num_frames", "4"], None, "sft: data.num_frames, rl: data.num_frames", BATCHES),
        ([], "model/config.json", "sft: model (content), rl: model (content)", BATCHES),
        ([], "trained/model.safetensors", "rl: weights (content)", [(1, FIRST), (1, SECOND)]),
    ],
)
def test_evaluate_does_not_reuse_captions_that_something_else_produced(
    jobs: Jobs, capsys, overrides: list[str], file: str | None, words: str, repeated
):
    jobs.run()
    evaluation_systems.folder_digest.cache_clear()  # another process would read the model again
    if file:
        (jobs.root / file).write_text('{"model_type": "qwen2_5_vl", "changed": 1}')
    assert jobs.run(*overrides) == repeated
    assert f"this changed: {words}\n" in capsys.readouterr().err
    assert (jobs.root / "run.before-1" / "evaluation.json").is_file()


def test_evaluate_killed_with_other_settings_keeps_both_kinds_of_captions(jobs: Jobs):
    jobs.kill_after(3)
    assert jobs.run("--rollout.max_new_tokens", "9") == BATCHES
    # the finished evaluation is set aside, and the captions of the killed one go on
    assert jobs.run() == [(1, SECOND)]


def test_evaluate_computes_metrics_again_without_engines(jobs: Jobs, capsys):
    jobs.run()
    before = jobs.results()
    assert jobs.run("--seed", "7") == []
    assert jobs.num_starts == 1
    assert "all captions are stored; the metrics are computed again" in capsys.readouterr().err
    answers = [name for name in before if name.startswith("answers/")]
    assert len(answers) == 2 and all(jobs.results()[name] == before[name] for name in answers)
    assert json.loads(jobs.results()["evaluation.json"])["seed"] == 7


def test_evaluate_sets_aside_the_evaluation_of_an_older_version(jobs: Jobs, capsys):
    jobs.run()
    (jobs.root / "run" / "finished.json").unlink()
    shutil.rmtree(jobs.root / "run" / "answers")
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
    assert sorted(len(path.read_text().splitlines()) for path in jobs.answers.parent.iterdir()) == [1 + 4]


def write_captions(jobs: Jobs, vases: Sequence[str]) -> None:
    """Adds a system whose captions are in a file: one for each of the vases, and a second one for the first vase."""
    rows = [{"images": [f"{vase}.jpg"], "caption": f"Athenian vase of {vase}"} for vase in vases]
    (jobs.root / "file.json").write_text(json.dumps([*rows, {**rows[0], "caption": "another"}]))
    jobs.add(f'[systems.file]\ncaptions = "{jobs.root}/file.json"\n')


def test_evaluate_a_further_system_costs_that_system(jobs: Jobs):
    jobs.run()
    before = jobs.results()
    write_captions(jobs, ["v00", "v01", "v02"])
    assert jobs.run() == [], "the engines have nothing to do"
    after = jobs.results()
    assert all(after[name] == before[name] for name in before if name.startswith("answers/"))
    assert not list(jobs.root.glob("run.before-*"))
    summary = json.loads(after["evaluation.json"])
    assert list(summary["systems"]) == ["sft", "rl", "file"] and list(summary["differences"]) == ["rl", "file"]
    assert summary["systems"]["sft"]["reward"] == json.loads(before["evaluation.json"])["systems"]["sft"]["reward"]
    # v03 has no caption, and v00 two different ones
    assert summary["systems"]["file"]["failed"]["mean"] == 0.5
    assert "| reward" in after["evaluation.md"].decode() and "file" in after["evaluation.html"].decode()


def test_evaluate_files_of_captions_need_no_engines(jobs: Jobs):
    write_captions(jobs, ["v00", "v01"])
    config = jobs.root / "evaluate.toml"
    config.write_text(config.read_text().replace(f'trained = "{jobs.root}/trained"\n', ""))
    assert jobs.run() == [] and jobs.num_starts == 0
    summary = EvaluationRun(jobs.root / "run").summary
    assert (list(summary["systems"]), summary["differences"], summary["paper"]) == (["file"], {}, None)


def test_evaluate_samples_by_batch_and_seed(jobs: Jobs):
    jobs.run("--decoding", "sampled")
    captions = [vase.captions["sft"] for vase in EvaluationRun(jobs.root / "run").captions]
    assert ["step 0" in caption for caption in captions] == [True, True, False, False]
    assert jobs.run("--decoding", "sampled", "--seed", "1") == BATCHES, "another seed is another sample"


def test_evaluate_answers_questions_of_the_vases(jobs: Jobs):
    asked = {task for _, tasks in jobs.run("--questions", "true") for task in tasks}
    assert asked > {"v00/caption", "v00/question-1", "v03/question-1"}
    questions = EvaluationRun(jobs.root / "run").summary["answers"]
    whole = questions["systems"]["rl"]["all"]
    assert (whole["exact"]["mean"], whole["exact"]["num_values"]) == (0.0, 4)
    assert whole["calibration_error"] == pytest.approx(math.exp(-0.1 - 1 / 3)), "never right, always that sure"


def test_evaluate_computes_the_published_evaluation(jobs: Jobs, monkeypatch: pytest.MonkeyPatch):
    write_captions(jobs, ["v00", "v01", "v02"])
    with pytest.raises(UserError, match=r"sentence_encoder .*nowhere does not exist; the published evaluation needs"):
        jobs.run("--sentence_encoder", str(jobs.root / "nowhere"))
    monkeypatch.setattr(evaluate, "SentenceEncoder", lambda path: embed)
    (jobs.root / "mpnet").mkdir()
    (jobs.root / "mpnet" / "config.json").write_text("{}")
    jobs.run("--sentence_encoder", str(jobs.root / "mpnet"))
    run = EvaluationRun(jobs.root / "run")
    # v00 twice, v01 and v02: the published evaluation counts a duplicate, and drops a failure
    assert run.summary["paper"]["file"]["num_pairs"] == 4
    assert "Rows of the paper, not measured here" in run.table_file.read_text()


def test_evaluate_gate_is_the_exit_code(jobs: Jobs, capsys):
    config = str(jobs.root / "evaluate.toml")
    jobs.engines = CountingEngines(99)
    assert start_job("evaluate", [config, "--gate"]) == 2
    assert "rl against sft, reward: inconclusive" in capsys.readouterr().err
    run = EvaluationRun(jobs.root / "run")
    for verdict, code in (("better", 0), ("worse", 1)):
        summary = run.summary
        summary["differences"]["rl"]["reward"]["verdict"] = verdict
        run.summary_file.write_text(json.dumps(summary))
        assert start_job("evaluate", [config, "--gate"]) == code
        assert start_job("evaluate", [config]) == 0
    with pytest.raises(UserError, match="gate = 'acuracy/shape': the evaluation has no difference of this metric"):
        evaluate.gate_exit_code(jobs.settings("--gate", "acuracy/shape"), run.summary)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[systems.rl]\ncaptions = 'c.json'", "trained already means the systems sft and rl; rename systems.rl"),
        ("[systems.'a b']\ncaptions = 'c.json'", "systems.a b: a name has letters, digits and the signs"),
        ("[systems.x]", "a system needs exactly one of model, weights, captions and server, but has none"),
        ("[systems.x]\nmodel = 'm'\nweights = 'w'", "but has model, weights"),
        ("[systems.x]\ncaption = 'c'", "unknown key 'systems.x.caption'; did you mean 'captions'?"),
    ],
)
def test_evaluate_settings_name_what_is_wrong_with_a_system(jobs: Jobs, text: str, message: str):
    jobs.add(text)
    with pytest.raises(UserError) as error:
        jobs.settings()
    assert message in str(error.value)


def test_evaluate_settings_make_the_paths_of_systems_absolute(jobs: Jobs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(jobs.root)
    jobs.add("[systems.x]\ncaptions = 'c.json'")
    assert jobs.settings().systems["x"].captions == jobs.root / "c.json"


KILLED = """
import os, signal, sys
from launch import evaluate, evaluation_answers, evaluation_systems
from launch.main import start_job
from vaserl.runs.caption_store import CaptionStore

add, budget = CaptionStore.add, int(sys.argv[1])
def counting(self, answers):
    global budget
    add(self, answers)
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
    from tests.launch.test_chain import SYSTEM, TRAIN, tiny_clip

    tiny_clip(tmp_path)
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft" / "model").symlink_to(tiny_model)
    (tmp_path / "train.toml").write_text(TRAIN.format(root=tmp_path, data=dataset, system=SYSTEM))
    (tmp_path / "evaluate.toml").write_text(EVALUATE.format(root=tmp_path, data=dataset, system=SYSTEM))
    assert train([str(tmp_path / "train.toml")]) == 0

    def start(budget: int, name: str) -> subprocess.CompletedProcess[str]:
        arguments = [str(budget), str(tmp_path / "evaluate.toml"), "--run_dir", str(tmp_path / name)]
        return subprocess.run(
            [sys.executable, "-c", KILLED, *arguments], stderr=subprocess.PIPE, text=True, timeout=300, env=os.environ
        )

    whole, killed = start(0, "whole"), start(3, "run")
    assert (whole.returncode, killed.returncode) == (0, -signal.SIGKILL)
    lines = [len(path.read_text().splitlines()) for path in (tmp_path / "run" / "answers").iterdir()]
    assert sorted(lines) == [1 + 1, 1 + 2]
    again = start(0, "run")
    assert again.returncode == 0, again.stderr
    assert "3 of 4 captions are stored already" in again.stderr
    assert {f: (tmp_path / "run" / f).read_bytes() for f in RESULTS} == {
        f: (tmp_path / "whole" / f).read_bytes() for f in RESULTS
    }
    finished = start(0, "run")
    assert finished.returncode == 0
    assert "this evaluation is finished" in finished.stderr
