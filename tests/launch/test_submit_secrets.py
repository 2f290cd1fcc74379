"""Tests of the variables that a submitted job gets, of the secrets that it does not get, and of authentication."""

from pathlib import Path

import pytest

from launch.submit.authentication import auth_mode, token_file
from launch.submit.environment import job_environment
from vaserl.errors import UserError
from vaserl.settings.submitted import has_password


def test_job_environment_states_the_time_to_stop_and_no_authentication():
    """A token of another cluster here must not turn authentication on there."""
    client = {"VASERL_STORAGE": "/nfs", "MINE": "1", "OTHER": "2", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "5e"}
    assert job_environment(client, ["MINE"], stop_wait_s=30) == {
        "RAY_JOB_STOP_WAIT_TIME_S": "30",
        "HF_HUB_OFFLINE": "1",
        "VASERL_STORAGE": "/nfs",
        "MINE": "1",
    }


@pytest.mark.parametrize(
    "name",
    [
        *("HF_TOKEN", "WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "MY_PASSWORD", "KEY", "DB_PASS", "MYSQL_PWD", "GH_PAT"),
        *("PASSPHRASE", "MY_CREDS"),
    ],
)
def test_job_environment_refuses_secrets(name: str):
    with pytest.raises(UserError, match="in clear") as raised:
        job_environment({name: "s3cr3t"}, [name], stop_wait_s=30)
    assert "s3cr3t" not in str(raised.value)


def test_job_environment_refuses_an_absent_variable():
    with pytest.raises(UserError, match="MONKEYS: this variable is not set"):
        job_environment({}, ["MONKEYS"], stop_wait_s=30)
    assert "DATA_PATH" in job_environment({"DATA_PATH": "/x"}, ["DATA_PATH"], stop_wait_s=30)  # no PAT


@pytest.mark.parametrize("name", ["VASERL_STORAGE", "DATABASE_URL", "WANDB_NAME"])
def test_job_environment_refuses_a_url_with_a_password(name: str):
    with pytest.raises(UserError, match=f"{name} contains a URL with a password") as raised:
        job_environment({name: "s3://me:s3cr3t@host/b"}, ["DATABASE_URL"] * (name == "DATABASE_URL"), stop_wait_s=30)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://me:s3cr3t@host/b", True),
        ("s3://K:ab/cd@host/b", True),  # a slash that should have been written as %2F
        ('["s3://bucket/a", "s3://me:s3cr3t@host/b"]', True),
        ("https://ghp_s3cr3t@github.com/a", True),
        ("abfs://container@account.dfs.core.windows.net/a", False),
        ("http://host:8265/a", False),
        ("s3://bucket/a@b", False),
        ("10:20@30", False),
    ],
)
def test_has_password(text: str, expected: bool):
    assert has_password(text) == expected


def test_auth_mode_is_token_where_a_token_is(tmp_path: Path):
    assert auth_mode({"HOME": str(tmp_path)}) == "disabled"
    assert auth_mode({"HOME": str(tmp_path), "RAY_AUTH_TOKEN_PATH": "/t"}) == "token"
    assert auth_mode({"HOME": str(tmp_path), "RAY_AUTH_TOKEN": "t", "RAY_AUTH_MODE": "disabled"}) == "disabled"
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray/auth_token").write_text("t")
    assert auth_mode({"HOME": str(tmp_path)}) == "token"


def test_token_file_is_that_of_ray(tmp_path: Path):
    assert token_file({"HOME": "/home/me"}) == Path("/home/me/.ray/auth_token")
    assert token_file({"HOME": "/home/me", "RAY_AUTH_TOKEN_PATH": "/t"}) == Path("/t")
