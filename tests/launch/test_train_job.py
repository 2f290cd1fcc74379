"""Tests small GRPO jobs with the real Ray, vLLM and DeepSpeed, and the messages of a job that can't start."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from launch.bench.job_process import contents
from launch.train import main
from tests.conftest import make_dataset, read_json
from vaserl.dataset import DataSet
from vaserl.files import read_json_lines
from vaserl.runs.export import export_run
from vaserl.runs.run import Run

CONFIG = """
run_dir = "{run_dir}"
num_steps = 3
tasks_per_step = 3
[model]
path = "{model}"
dtype = "float32"
[data]
path = "{data}"
num_frames = 4
[rollout]
group_size = 4
max_new_tokens = 10
num_cpus = 0.5
engine_args = {{ max_model_len = 512, max_num_seqs = 16 }}
[reward]
functions = ["tests.fakes.rewards_for_tests:even_tokens"]
[loss]
beta = 0.01
[learner]
num_ranks = 2
num_cpus = 0.5
learning_rate = 0.02
lora = {{ rank = 8, alpha = 16 }}
deepspeed = {{ zero_optimization = {{ stage = 2 }} }}
[cluster]
num_cpus = 2
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory, tiny_model: Path, dataset: Path) -> Path:
    folder = tmp_path_factory.mktemp("train")
    path = folder / "train.toml"
    path.write_text(CONFIG.format(run_dir=folder / "run", model=tiny_model, data=dataset))
    return path


@pytest.fixture(scope="module")
def finished(config: Path, cluster) -> Path:
    """Returns the folder of a finished run of three steps with two learner ranks."""
    assert main([str(config)]) == 0
    return config.parent / "run"


def test_train_job_leaves_metrics_rollouts_and_weights(finished: Path):
    rows = read_json_lines(finished / "metrics.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert row["logprob_gap"] <= 1e-5  # learner against engine, every step, after every publish
        assert 0 < row["publish/fingerprint_gap"] <= 1e-5  # every engine, on the probe text, before it was used
        assert row["ratio"] == pytest.approx(1.0, abs=1e-5)
        assert row["clipped"] == 0
        assert (row["engine_ratio"], row["engine_missing"]) == (pytest.approx(1.0, abs=1e-5), 0)
        assert 0 <= row["engine_kl"] <= 1e-6
        assert (row["refills"], row["learned_completions"]) == (0, 12)
        assert row["tokens"] > 0
        assert 0 < row["reward/mean"] < 1
    assert rows[0]["kl"] == pytest.approx(0, abs=1e-9)  # a new adapter leaves the base unchanged
    assert rows[2]["kl"] > 1e-6  # the adapter has changed since, in the engine too

    table = pq.read_table(finished / "rollouts" / "step=00003.parquet").to_pylist()
    assert len(table) == 3 * 4
    assert {row["weights_version"] for row in table} == {3}
    assert sum(row["reward"] for row in table) / 12 == pytest.approx(rows[2]["reward/mean"])
    for task in {row["task"] for row in table}:
        assert sum(row["advantage"] for row in table if row["task"] == task) == pytest.approx(0, abs=1e-6)

    assert (finished / "weights" / "v00004" / "adapter_model.safetensors").is_file()
    assert list((finished / "tensorboard").iterdir())
    phases = [span["phase"] for span in read_json_lines(finished / "timeline.jsonl")]
    assert phases == ["rollout", "reward", "learn", "publish", "checkpoint"] * 3


def test_train_job_encodes_each_clip_once_in_all_runs_with_one_store(finished: Path):
    """Draws four clips nine times for two ranks, an engine and a reference model. Other runs may start before or
    after."""
    assert read_json(finished / "features.json") == {"encoded": 4, "damaged": 0, "evicted": 0, "refused": 0}
    assert len(list(finished.with_name("run.features").iterdir())) == 4 + 1  # and the lock


def test_train_job_that_is_finished_says_so_and_changes_nothing(finished: Path, config: Path, capsys):
    before = contents(finished)
    assert main([str(config)]) == 0
    assert f"{finished}: this run is finished: all 3 steps are done" in capsys.readouterr().err
    assert contents(finished) == before


def test_train_job_with_other_settings_names_them_before_anything_is_started(finished: Path, config: Path, capsys):
    before = contents(finished)
    assert main([str(config), "--loss.beta", "0.5", "--seed", "4"]) == 2
    message = capsys.readouterr().err
    assert "  loss.beta: 0.01 -> 0.5\n  seed: 0 -> 4\n" in message
    assert contents(finished) == before


def test_train_job_in_the_folder_of_a_running_job_is_refused_in_one_line(
    config: Path, capsys, monkeypatch: pytest.MonkeyPatch
):
    run_dir = config.parent / "taken"
    holder = (
        "import sys; from pathlib import Path; from vaserl.runs.claim import claimed\n"
        "with claimed(Path(sys.argv[1])): print('claimed', flush=True); sys.stdin.read()"
    )
    monkeypatch.setattr("launch.train.connect", lambda settings: pytest.fail("an actor would be started"))
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(run_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == "claimed\n"
        before = {path.name: path.read_bytes() for path in run_dir.iterdir()}
        assert main([str(config), "--run_dir", str(run_dir)]) == 2
        assert {path.name: path.read_bytes() for path in run_dir.iterdir()} == before
        assert other.stdin is not None
        other.stdin.close()
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{run_dir}: process {other.pid} on " in line and "has been writing to this run folder since" in line


def test_train_job_leaves_a_folder_with_other_files_alone(config: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    photos = config.parent / "photos"
    photos.mkdir()
    (photos / "a.png").touch()
    monkeypatch.setattr("launch.train.connect", lambda settings: pytest.fail("an actor would be started"))
    assert main([str(config), "--run_dir", str(photos), "--fresh"]) == 2
    assert "is not empty and contains no run" in capsys.readouterr().err
    assert [path.name for path in photos.iterdir()] == ["a.png"]


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [2, 3])
def test_train_job_has_the_same_metrics_file_with_more_rollout_workers(finished: Path, config: Path, num_workers: int):
    """Three tasks a step: with two workers one has two of them, with three each has one."""
    run_dir = finished.parent / f"workers-{num_workers}"
    arguments = ["--run_dir", str(run_dir), "--rollout.num_workers", str(num_workers), "--rollout.num_cpus", "0.3"]
    assert main([str(config), *arguments]) == 0
    assert (run_dir / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()


@pytest.mark.slow
def test_train_job_repeats_its_metrics_file_to_the_byte(finished: Path, config: Path):
    before = (finished / "metrics.jsonl").read_bytes()
    again = finished.parent / "again"
    assert main([str(config), "--run_dir", str(again)]) == 0
    assert (again / "metrics.jsonl").read_bytes() == before
    other = finished.parent / "other"
    assert main([str(config), "--run_dir", str(other), "--seed", "1", "--num_steps", "1"]) == 0
    assert (other / "metrics.jsonl").read_bytes().splitlines()[0] != before.splitlines()[0]


@pytest.fixture(scope="module")
def with_validation(tmp_path_factory, config: Path, finished: Path) -> list[str]:
    """Returns overrides that validate after every second step on three vases; training has the vases of `finished`."""
    folder = make_dataset(tmp_path_factory.mktemp("validated"), num_vases=9)
    rows = sorted(DataSet(folder).rows, key=lambda row: row.vase_id)
    DataSet(folder).write_rows([replace(row, split="val") if 4 <= n < 7 else row for n, row in enumerate(rows)])
    return ["--data.path", str(folder), "--validation.every", "2", "--validation.max_vases", "2"]


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["on_policy", "ahead"])
def test_train_job_with_validation_repeats_and_changes_no_metric(finished: Path, config, with_validation, loop):
    plain = finished.parent / f"plain-{loop}"
    runs = [plain, *(finished.parent / f"validated-{loop}-{n}" for n in (1, 2))]
    for run_dir in runs:
        validating = with_validation if run_dir is not plain else with_validation[:2]
        assert main([str(config), "--run_dir", str(run_dir), "--loop", loop, *validating]) == 0
    assert len({(run_dir / "metrics.jsonl").read_bytes() for run_dir in runs}) == 1
    assert len({(run_dir / "validation.jsonl").read_bytes() for run_dir in runs[1:]}) == 1
    assert not (plain / "validation.jsonl").exists()

    run = Run(runs[1])
    assert [(row.step, row.weights_version) for row in run.validations] == [(0, 1), (2, 3), (3, 4)]
    first, *later = (run.validation_captions_file(step).read_bytes() for step in (0, 2, 3))
    assert first not in later  # the weights have changed; a learned answer may stay the same from step 2 to step 3
    validated = {row["id"] for row in read_json_lines(run.validation_captions_file(3))}
    trained = {row.task.removesuffix("/caption") for step in run.steps for row in run.rollouts(step)}
    assert len(validated) == 2 and validated < {"v04", "v05", "v06"} and trained <= {"v00", "v01", "v02", "v03"}


@pytest.mark.slow
def test_train_job_stops_early_and_ends_as_complete(finished: Path, config: Path, with_validation, capsys):
    run_dir = finished.parent / "early"
    stopping = ["--validation.every", "1", "--validation.stop_after", "1", "--validation.min_gain", "10"]
    assert main([str(config), "--run_dir", str(run_dir), *with_validation, *stopping]) == 0
    assert [row.step for row in Run(run_dir).validations] == [0, 1]  # no gain of 10 after step 1
    assert [row["step"] for row in Run(run_dir).metrics] == [1]
    assert "did not improve by more than 10" in Run(run_dir).outcome
    assert (run_dir / "weights" / "v00002" / "adapter_model.safetensors").is_file()


def test_train_job_ahead_learns_samples_one_version_old(finished: Path, config: Path):
    run_dir = finished.parent / "ahead"
    ahead = ["--loop", "ahead", "--num_steps", "4"]
    assert main([str(config), "--run_dir", str(run_dir), *ahead]) == 0
    rows = read_json_lines(run_dir / "metrics.jsonl")
    assert [(row["staleness/mean"], row["staleness/max"]) for row in rows] == [(0, 0), (1, 1), (1, 1), (1, 1)]
    assert rows[0] == read_json_lines(finished / "metrics.jsonl")[0]  # the first step is on-policy
    for row in rows[1:]:
        assert 1e-6 < row["logprob_drift"] < 1  # the policy has changed since, and the loss corrects for it
        assert row["ratio"] != pytest.approx(1.0, abs=1e-6)
        assert "logprob_gap" not in row
    for step, version in [(1, 1), (2, 1), (3, 2), (4, 3)]:
        table = pq.read_table(run_dir / "rollouts" / f"step={step:05d}.parquet").to_pylist()
        assert len(table) == 3 * 4
        assert {(row["weights_version"], row["learner_version"]) for row in table} == {(version, step)}
    assert (run_dir / "weights" / "v00005" / "adapter_model.safetensors").is_file()

    spans = {(span["step"], span["phase"]): span for span in read_json_lines(run_dir / "timeline.jsonl")}
    phases = ("rollout", "reward", "learn", "weights", "publish", "checkpoint")
    assert set(spans) == {(step, phase) for step in (1, 2, 3, 4) for phase in phases}
    # of later steps this depends on the machine: with so small a model a publication may take longer than a learn
    assert spans[2, "rollout"]["start_s"] < spans[1, "learn"]["end_s"]

    again = finished.parent / "ahead-again"
    assert main([str(config), "--run_dir", str(again), *ahead]) == 0
    assert (again / "metrics.jsonl").read_bytes() == (run_dir / "metrics.jsonl").read_bytes()


@pytest.mark.parametrize("vision_is_trained", [True, False])
def test_train_job_full_fine_tuning_reaches_the_engine(config: Path, cluster, capsys, vision_is_trained: bool):
    """Trains the vision tower, which bypasses the feature store: the engine encodes its clips again after each publish.
    The features of a frozen tower stay valid throughout."""
    run_dir = config.parent / f"full-{vision_is_trained}"
    overrides = ["--learner.method", "full", "--learner.train_vision", str(vision_is_trained).lower()]
    overrides += ["--loss.beta", "0", "--num_steps", "2", "--learner.learning_rate", "0.001"]
    overrides += ["--loss.variant", "gspo", "--loss.old_logprobs", "learner", "--overlong.num_tokens", "10"]
    assert main([str(config), "--run_dir", str(run_dir), *overrides]) == 0
    rows = read_json_lines(run_dir / "metrics.jsonl")
    assert all(row["logprob_gap"] <= 1e-5 for row in rows)
    # engine and learner agree, so no importance weight is far from 1
    assert [(row["ratio"], row["engine_truncated"]) for row in rows] == [(1.0, 0.0)] * 2
    # all 10 tokens are in the soft interval: each subtracts a tenth
    assert all(row["reward/penalty/overlong"] == pytest.approx(row["length/mean"] / 10) for row in rows)
    drawn = [set(row["task"] for row in _rollouts(run_dir, step)) for step in (1, 2)]
    assert drawn[0] & drawn[1]  # a clip encoded by the first version was encoded again by the second
    assert (run_dir / "weights" / "v00003" / "model.safetensors").is_file()
    is_bypassed = "features: the store is bypassed: learner.train_vision" in capsys.readouterr().err
    assert is_bypassed == vision_is_trained
    assert (run_dir / "features.json").is_file() != vision_is_trained
    assert run_dir.with_name(f"{run_dir.name}.features").exists() != vision_is_trained


def test_train_job_full_fine_tuning_of_a_tied_model_reaches_the_engine_and_is_exported(
    config: Path, cluster, tied_model: Path
):
    """On CPU, vLLM keeps a packed copy of the output layer's matrix, beside the embedding's that is replaced."""
    run_dir = config.parent / "tied"
    overrides = ["--model.path", str(tied_model), "--learner.method", "full", "--loss.beta", "0", "--num_steps", "2"]
    overrides += [
        "--learner.learning_rate",
        "0.01",
        "--learner.num_ranks",
        "1",
        "--rollout.max_fingerprint_gap",
        "1e-5",
    ]
    assert main([str(config), "--run_dir", str(run_dir), *overrides]) == 0
    rows = read_json_lines(run_dir / "metrics.jsonl")
    assert all(row["publish/fingerprint_gap"] <= 1e-5 and row["logprob_gap"] <= 1e-5 for row in rows)
    folder = export_run(Run.open(run_dir), run_dir.with_name("tied-export"))
    assert read_json(folder / "config.json")["tie_word_embeddings"] is True


def _rollouts(run_dir: Path, step: int) -> list[dict]:
    return pq.read_table(run_dir / "rollouts" / f"step={step:05d}.parquet").to_pylist()


def test_train_job_refills_equal_rewards_and_fails_if_no_step_learnt(config: Path, cluster, capsys):
    run_dir = config.parent / "equal"
    overrides = ["--run_dir", str(run_dir), "--reward.functions", '["tests.fakes.rewards_for_tests:one"]']
    assert main([str(config), *overrides, "--num_steps", "1", "--max_refills", "2"]) == 2
    message = capsys.readouterr().err
    assert "error: none of the run's 1 steps trained anything: in every group the rewards were equal" in message
    assert "(reward mean 1, std 0)" in message
    (row,) = read_json_lines(run_dir / "metrics.jsonl")
    assert (row["zero_variance_share"], row["skipped"], row["reward/mean"]) == (1.0, 1.0, 1.0)
    assert (row["refills"], row["refilled_groups"], row["dropped_groups"]) == (2, 6, 9)
    rows = pq.read_table(run_dir / "rollouts" / "step=00001.parquet").to_pylist()
    draws = [[tuple(row["token_ids"]) for row in rows[start : start + 12]] for start in (0, 12, 24)]
    assert not set(draws[0]) & set(draws[1]) and not set(draws[1]) & set(draws[2])  # each refill samples anew


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["--learner.rank", "4"], ["--learner.rank", "unknown key", "did you mean 'num_ranks'"]),
        (["--model.path", "no/such/folder"], ["no/such/folder does not exist", "model.path"]),
        (["--data.path", "no/such/data"], ["no/such/data has no manifest.parquet", "launch curate"]),
        (["--reward.functions", '["tests.fakes.rewards_for_tests:missing"]'], ["no function or class 'missing'"]),
        (
            ["--reward.functions", '["tests.fakes.rewards_for_tests:takes_one_argument"]'],
            ["must take (task, completion)"],
        ),
        (["--validation.every", "1"], ["no vase in split 'val' (splits there: test, train)", "set split.num_val in"]),
        (["--validation.split", "test"], ["the test split is for `launch evaluate`"]),
        (["--max_staleness", "2"], ["max_staleness = 2", 'loop = "ahead" only']),
        (["--loss.clip_low", "1.5"], ["loss.clip_low", "less than 1", "1.5"]),
    ],
    ids=[
        "unknown-key",
        "no-model",
        "no-data",
        "no-reward",
        "wrong-reward",
        "no-val",
        "test-split",
        "idle-setting",
        "out-of-range",
    ],
)
def test_train_job_user_errors_fit_one_screen_and_exit_2(config, overrides, words, capsys):
    assert main([str(config), *overrides]) == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) < 24
    assert "Traceback" not in message
    missing = [word for word in words if word not in message]
    assert not missing, f"{missing} not in {message}"


def test_train_job_without_room_states_request_and_resources(config: Path):
    """Runs the job in a new process with a new cluster."""
    command = [sys.executable, "-m", "launch.train", str(config), "--rollout.num_workers", "9"]
    command += ["--run_dir", str(config.parent / "without-room")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2])
    assert done.returncode == 2
    assert "asks for 5.7 CPU and 0 GPU in 13 actors" in done.stderr
    assert "has 2 CPU and 0 GPU on 1 nodes" in done.stderr
    assert "rollout.num_workers" in done.stderr
    assert "Traceback" not in done.stderr


def test_train_job_names_the_sample_of_a_broken_reward(config: Path, cluster, capsys):
    run_dir = config.parent / "broken"
    overrides = ["--run_dir", str(run_dir), "--reward.functions", '["tests.fakes.rewards_for_tests:broken"]']
    assert main([str(config), *overrides]) == 2
    message = capsys.readouterr().err
    assert "error: reward tests.fakes.rewards_for_tests:broken failed on v0" in message
    assert "rewards_for_tests.py:" in message  # the function's last frames
    assert message.rstrip().endswith("The run stops: it would learn from any score put in place of this one.")
    assert "Traceback" not in message and "\x1b" not in message


def test_train_job_dry_run_prints_a_config_that_loads(config: Path, capsys, tmp_path: Path):
    assert main([str(config), "--dry-run", "--seed", "7"]) == 0
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(capsys.readouterr().out)
    assert main([str(resolved), "--dry-run"]) == 0
    assert "seed = 7" in capsys.readouterr().out
