"""Tests of `launch/submit.sh` without a cluster: what is uploaded, which environment a job gets, attempts, messages."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from actors.cluster import WORKER_ENVIRONMENT, worker_environment
from launch.submit.__main__ import main
from launch.submit.attempt import Attempt, find_attempt, next_id, run_name
from launch.submit.environment import auth_mode, job_environment
from launch.submit.request import read_request
from launch.submit.upload import Upload, find_upload
from vaserl.errors import UserError

ROOT = Path(__file__).parents[2]
CONFIG = 'run_dir = "runs/a/b"\nnum_steps = 1\nmodel.path = "models/tiny"\ndata.path = "/nfs/data"\n'
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens there


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Changes to a working directory with code, a config, and much that no job needs."""
    names = "a.py configs/a.toml pkg/b.py pkg/data/c.txt pkg/__pycache__/b.pyc .git/x docs/d.md runs/r.bin x.egg-info/y"
    for name in names.split():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0123456789")
    (tmp_path / "configs/a.toml").write_text(CONFIG)
    (tmp_path / "loop").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def attempt(submission_id: str, status: str, exit_code: int | None = None, output: str = "/nfs/runs/a") -> Attempt:
    return Attempt(id=submission_id, output=output, status=status, exit_code=exit_code)


def test_find_upload_leaves_out_what_no_job_needs(work: Path):
    assert list(find_upload(work, max_mb=8).sizes) == ["a.py", "configs/a.toml", "pkg/b.py", "pkg/data/c.txt"]
    assert list(find_upload(work, max_mb=8, exclude=["pkg/data", "a.*"]).sizes) == ["pkg/b.py"]


def test_find_upload_names_the_largest_files(work: Path):
    (work / "model.bin").write_bytes(b"0" * 2_000_000)
    (work / "small.bin").write_bytes(b"0" * 700_000)
    with pytest.raises(UserError) as raised:
        find_upload(work, max_mb=2.5)
    first, *lines = str(raised.value).splitlines()
    assert "has 2.7 MB in 6 files, more than 2.5 MB" in first
    assert [line.split() for line in lines[:2]] == [["2.0", "MB", "model.bin"], ["0.7", "MB", "small.bin"]]
    assert "--exclude" in lines[-1]
    assert len(find_upload(work, max_mb=2.5, exclude=["model.bin"]).sizes) == 5


def test_upload_of_the_repository_is_below_the_limit():
    upload = find_upload(ROOT, max_mb=8)
    assert upload.has("launch/submit/driver.py") and upload.has("configs") and not upload.has("tests")


def test_upload_written_twice_has_equal_bytes(work: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("archives")
    find_upload(work, max_mb=8).write(folder / "1.zip")
    (work / "a.py").touch()  # another time, the same content
    find_upload(work, max_mb=8).write(folder / "2.zip")
    assert (folder / "1.zip").read_bytes() == (folder / "2.zip").read_bytes()
    with zipfile.ZipFile(folder / "1.zip") as archive:
        assert archive.read("a.py") == b"0123456789"


def test_job_environment_states_authentication_and_the_time_to_stop():
    assert job_environment({"VASERL_STORAGE": "/nfs", "MINE": "1", "OTHER": "2"}, ["MINE"], stop_wait_s=30) == {
        "RAY_AUTH_MODE": "disabled",
        "RAY_JOB_STOP_WAIT_TIME_S": "30",
        "HF_HUB_OFFLINE": "1",
        "VASERL_STORAGE": "/nfs",
        "MINE": "1",
    }


@pytest.mark.parametrize("name", ["HF_TOKEN", "WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "MY_PASSWORD", "KEY"])
def test_job_environment_refuses_secrets(name: str):
    with pytest.raises(UserError, match="in clear") as raised:
        job_environment({name: "s3cr3t"}, [name], stop_wait_s=30)
    assert "s3cr3t" not in str(raised.value)


def test_job_environment_refuses_an_absent_variable_and_a_password_in_the_storage_root():
    with pytest.raises(UserError, match="MONKEYS: this variable is not set"):
        job_environment({}, ["MONKEYS"], stop_wait_s=30)
    with pytest.raises(UserError, match="password") as raised:
        job_environment({"VASERL_STORAGE": "s3://me:s3cr3t@host/b"}, [], stop_wait_s=30)
    assert "s3cr3t" not in str(raised.value)


def test_auth_mode_is_token_where_a_token_is(tmp_path: Path):
    assert auth_mode({"HOME": str(tmp_path)}) == "disabled"
    assert auth_mode({"HOME": str(tmp_path), "RAY_AUTH_TOKEN_PATH": "/t"}) == "token"
    assert auth_mode({"HOME": str(tmp_path), "RAY_AUTH_TOKEN": "t", "RAY_AUTH_MODE": "disabled"}) == "disabled"
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray/auth_token").write_text("t")
    assert auth_mode({"HOME": str(tmp_path)}) == "token"


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
    assert (ended.exit, ended.may_be_retried) == (expected, is_retried)


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
    assert main(["--address", "auto", "stop", "a"]) == 2
    assert "must be the URL of its dashboard" in capsys.readouterr().err


def test_submit_script_passes_its_arguments_and_exit_code(work: Path):
    done = subprocess.run(
        [ROOT / "launch/submit.sh", "trian", "configs/a.toml"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'train'?" in done.stderr


def test_upload_has_folders_and_files():
    upload = Upload(folder=Path("/x"), sizes={"a/b.py": 1})
    assert [upload.has(name) for name in ("a", "a/", "./a/b.py", ".", "a/b", "b.py", "../x/a")] == [
        *(True, True, True, True, False, False, False),
    ]
