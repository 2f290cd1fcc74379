"""Tests of `launch/submit.sh` without a cluster: requests, attempts, messages."""

import subprocess
from pathlib import Path

import pytest

from actors.cluster import WORKER_ENVIRONMENT, worker_environment
from launch.submit.__main__ import main
from launch.submit.attempt import Attempt, find_attempt, next_id, run_name
from launch.submit.request import read_request
from launch.submit.upload import find_upload
from vaserl.errors import UserError

ROOT = Path(__file__).parents[2]
CONFIG = 'run_dir = "runs/a/b"\nnum_steps = 1\nmodel.path = "models/tiny"\ndata.path = "/nfs/data"\n'
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens there


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Changes to a working directory with a config and a page that no job needs."""
    for name in ("configs/a.toml", "docs/d.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def attempt(submission_id: str, status: str, exit_code: int | None = None, output: str = "/nfs/runs/a") -> Attempt:
    return Attempt(id=submission_id, output=output, status=status, driver_exit_code=exit_code)


def test_worker_environment_leaves_out_what_the_submitted_job_states():
    description = '{"runtime_env": {"env_vars": {"HF_HUB_OFFLINE": "0"}}}'
    found = worker_environment({"RAY_JOB_CONFIG_JSON_ENV_VAR": description})
    assert found == {name: value for name, value in WORKER_ENVIRONMENT.items() if name != "HF_HUB_OFFLINE"}
    assert worker_environment({}) == WORKER_ENVIRONMENT


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("runs/a/b", "a-b"),
        ("/nfs/runs/x/runs/a.1", "a-1"),
        ("/nfs/vases/", "nfs-vases"),
        ("runs", "runs"),
        ("é", "run"),
    ],
)
def test_run_name_is_made_of_the_folder(output: str, name: str):
    assert run_name(output) == name


def test_next_id_counts_the_run_s_attempts_alone():
    others = [attempt("b.7", "RUNNING"), attempt("raysubmit_x", "RUNNING", output=""), attempt("a.x", "FAILED")]
    assert next_id(others[:2], "a", "/nfs/runs/a") == "a.1"
    ended = [attempt("a.2", "STOPPED"), attempt("a.10", "FAILED", 1), attempt("a.9", "SUCCEEDED")]
    assert next_id([*others, *ended], "a", "/nfs/runs/a") == "a.11"


@pytest.mark.parametrize("status", ["PENDING", "RUNNING"])
def test_next_id_refuses_a_second_job_of_a_run(status: str):
    with pytest.raises(UserError, match=f"job a.2 is {status.lower()}") as raised:
        next_id([attempt("a.1", "FAILED"), attempt("a.2", status)], "a", "/nfs/runs/a")
    assert "launch/submit.sh stop a" in str(raised.value)


def test_next_id_refuses_a_name_while_another_run_has_it():
    with pytest.raises(UserError, match="writes to /nfs/runs/a, not to /nfs/other/a: give this run another name"):
        next_id([attempt("a.1", "RUNNING")], "a", "/nfs/other/a")
    assert next_id([attempt("a.1", "SUCCEEDED")], "a", "/nfs/other/a") == "a.2"


def test_find_attempt_takes_a_run_s_last_one():
    attempts = [attempt("a.9", "FAILED"), attempt("a.10", "RUNNING"), attempt("raysubmit_x", "RUNNING")]
    assert find_attempt(attempts, "a").id == "a.10"
    assert find_attempt(attempts, "a.9").id == "a.9"
    assert find_attempt(attempts, "raysubmit_x").id == "raysubmit_x"
    with pytest.raises(UserError, match="no job 'b'; its runs are: a"):
        find_attempt(attempts, "b")
    # a run of this name, which can't be submitted any more, does not hide the job
    assert find_attempt([*attempts, attempt("a.9.1", "RUNNING")], "a.9").id == "a.9"


@pytest.mark.parametrize("name", ["../x y", "a.2", "", "a/b", "a\n"])
def test_read_request_refuses_a_name_that_is_no_part_of_a_url(work: Path, name: str):
    with pytest.raises(UserError, match="letters, digits"):
        read_request(["train", "configs/a.toml"], find_upload(work, max_mb=8), {"VASERL_STORAGE": "/nfs/v"}, name=name)


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["--source.storage_options.secret", "s3cr3t"], "--source.storage_options.secret"),
        (["--source.storage_options={secret='s3cr3t'}"], "--source.storage_options"),
        (["--checkpoint.path", "s3://me:s3cr3t@b/x"], "--checkpoint.path"),
        (["--checkpoint.path=s3://me:s3cr3t@b/x"], "--checkpoint.path"),
    ],
)
def test_read_request_refuses_secrets_on_the_command_line(work: Path, words: list[str], key: str):
    upload = find_upload(work, max_mb=8)
    with pytest.raises(UserError, match=f"^{key}: .*environment of each node") as raised:
        read_request(["train", "configs/a.toml", *words], upload, {"VASERL_STORAGE": "/nfs/v"})
    assert "s3cr3t" not in str(raised.value)


def test_read_request_takes_no_abbreviated_option(work: Path):
    """A retry leaves out --fresh; an abbreviation would stay and set the run aside."""
    with pytest.raises(UserError, match="fre"):
        read_request(["train", "--fre", "configs/a.toml"], find_upload(work, max_mb=8), {"VASERL_STORAGE": "/nfs/v"})


@pytest.mark.parametrize(
    ("status", "code", "expected", "is_retried"),
    [
        ("SUCCEEDED", 0, 0, False),
        ("STOPPED", None, 143, False),
        ("FAILED", 2, 2, False),  # a user's mistake is there the next time too
        ("FAILED", 1, 1, True),
        ("FAILED", -9, 137, True),
        ("FAILED", None, 1, True),  # the node or Ray's supervisor of the job was lost
    ],
)
def test_attempt_has_the_job_s_exit_code_and_retries_failures(
    status: str, code: int | None, expected: int, is_retried: bool
):
    ended = attempt("a.1", status, code)
    assert (ended.exit_code, ended.may_be_retried) == (expected, is_retried)


def test_read_request_has_the_paths_that_the_job_will_have(work: Path):
    upload = find_upload(work, max_mb=8)
    words = ["train", "--fresh", "configs/a.toml", "--num_steps", "4"]
    request = read_request(words, upload, {"VASERL_STORAGE": "/nfs/v"})
    assert (request.run, request.output) == ("a-b", "/nfs/v/runs/a/b")
    assert request.entrypoint("python", request.arguments_to_continue) == (
        "exec python -m launch.submit.driver train configs/a.toml --num_steps 4"
    )
    absolute = read_request([*words, "--run_dir", "/x/y z", "--model.path", "/x/m"], upload, {}, name="mine")
    assert (absolute.run, absolute.output) == ("mine", "/x/y z")
    assert absolute.entrypoint("/venv/bin/python", absolute.arguments).endswith(" '/x/y z' --model.path /x/m")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian", "configs/a.toml"], "no job 'trian' can be submitted; did you mean 'train'"),
        (["bench", "x"], "no job 'bench' can be submitted"),
        (["train", "docs/d.md"], "docs/d.md: not among the uploaded files"),
        (["train", "configs/a.toml"], "configs/a.toml:1: run_dir: .* Set VASERL_STORAGE"),
    ],
)
def test_read_request_refuses_before_anything_is_sent(work: Path, words: list[str], message: str):
    with pytest.raises(UserError, match=message):
        read_request(words, find_upload(work, max_mb=8), {})


def test_main_says_when_no_cluster_answers(work: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VASERL_STORAGE", "/nfs/v")
    assert main(["--address", NOWHERE, "train", "configs/a.toml"]) == 2
    assert f"nothing answers at {NOWHERE}" in capsys.readouterr().err
    for address in ("auto", "http://h:abc", "http://h:99999", "http://[", "http://"):
        assert main(["--address", address, "stop", "a"]) == 2
        assert "must be the URL of its dashboard" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [([], "name a job"), (["--retries", "-1", "train", "x"], "'-1' is not a whole number"), (["--nam", "x"], "--nam")],
)
def test_main_explains_a_wrong_command_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as raised:
        main(words)
    assert raised.value.code == 2 and message in capsys.readouterr().err


def test_submit_script_passes_its_arguments_and_exit_code(work: Path):
    done = subprocess.run(
        [ROOT / "launch/submit.sh", "trian", "configs/a.toml"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'train'?" in done.stderr
