"""Tests where the relative paths of a submitted job's config lead."""

import json
from pathlib import Path

import pytest

from launch.jobs import JOBS
from launch.main import settings_class
from vaserl.errors import UserError
from vaserl.settings import SftSettings, TrainSettings, load_config
from vaserl.settings.section import path_roles
from vaserl.settings.submitted import (
    READ,
    READ_OR_URL,
    WRITTEN,
    WRITTEN_OR_URL,
    JobPlace,
    PathRole,
    job_place,
    without_password,
)

DRIVER = {"RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps({"runtime_env": {}, "metadata": {"job_submission_id": "mine.1"}})}

CONFIG = """
run_dir = "runs/mine"
num_steps = 1
[model]
path = "models/tiny"
[data]
path = "/nfs/data"
[checkpoint]
path = "saved"
"""


def place(storage: str, *uploaded: str) -> JobPlace:
    return JobPlace(storage=storage, uploaded=lambda path: path in uploaded)


@pytest.mark.parametrize(
    ("path", "role", "expected"),
    [
        ("runs/a", WRITTEN, "/nfs/v/runs/a"),
        ("there", WRITTEN, "/nfs/v/there"),  # what is written never leads into the temporary copy
        ("there", READ, "there"),
        ("gone", READ, "/nfs/v/gone"),
        ("a/../b", WRITTEN, "/nfs/v/b"),
        ("/elsewhere/a", WRITTEN, "/elsewhere/a"),
        ("~/a", READ, "~/a"),
        ("s3://b/a", WRITTEN_OR_URL, "s3://b/a"),
        ("", WRITTEN_OR_URL, ""),  # an unset key keeps its default
    ],
)
def test_job_place_resolves_relative_paths_against_the_storage_root(path: str, role: PathRole, expected: str):
    assert place("/nfs/v/", "there").resolve(path, role) == expected


@pytest.mark.parametrize("role", [READ_OR_URL, WRITTEN_OR_URL])
def test_job_place_resolves_what_may_be_a_url_against_a_url(role: PathRole):
    assert place("s3://bucket/v").resolve("saved", role) == "s3://bucket/v/saved"


@pytest.mark.parametrize(
    ("storage", "path", "role", "message"),
    [
        ("", "runs/a", WRITTEN, "vanishes with the job. Set VASERL_STORAGE"),
        ("", "models/a", READ, "not among the uploaded files. Set VASERL_STORAGE"),
        ("s3://me:secret@bucket/v", "runs/a", WRITTEN, "VASERL_STORAGE = s3://bucket/v, but .*POSIX"),
        ("storage", "runs/a", WRITTEN, "VASERL_STORAGE = 'storage' must be an absolute path or a URL"),
        ("/nfs/v", "a/../../b", WRITTEN, "leads out of VASERL_STORAGE"),
    ],
)
def test_job_place_says_what_to_do(storage: str, path: str, role: PathRole, message: str):
    with pytest.raises(ValueError, match=message) as raised:
        place(storage).resolve(path, role)
    assert "secret" not in str(raised.value)


def test_job_place_is_that_of_a_driver_which_ray_s_job_server_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rewards.py").touch()
    found = job_place({**DRIVER, "VASERL_STORAGE": "file:///nfs/v"})
    assert found is not None and found.storage == "/nfs/v"
    assert found.uploaded("rewards.py") and not found.uploaded("other.py")
    for environment in ({}, {"VASERL_STORAGE": "/nfs/v"}, {"RAY_JOB_CONFIG_JSON_ENV_VAR": '{"runtime_env": {}}'}):
        assert job_place(environment) is None


def test_load_config_in_a_submitted_job_leads_to_the_storage_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = tmp_path / "train.toml"
    config.write_text(CONFIG)
    for name, value in {**DRIVER, "VASERL_STORAGE": "/nfs/v"}.items():
        monkeypatch.setenv(name, value)
    settings = load_config(TrainSettings, config, ["--features.folder", "store"])
    assert settings.run_dir == Path("/nfs/v/runs/mine")
    assert settings.model.path == Path("/nfs/v/models/tiny")
    assert settings.data.path == Path("/nfs/data")
    assert settings.checkpoint.path == "/nfs/v/saved"
    assert settings.features.folder == Path("/nfs/v/store")
    assert settings.start.weights is None


def test_load_config_in_a_submitted_job_names_each_path_without_storage(tmp_path: Path):
    config = tmp_path / "train.toml"
    config.write_text(CONFIG)
    with pytest.raises(UserError) as raised:
        load_config(TrainSettings, config, ["--features.folder", "store"], place=place("", "models/tiny"))
    places = [line.partition(": '")[0] for line in str(raised.value).splitlines()]
    assert sorted(places) == [
        "--features.folder: features.folder",
        f"{config}:2: run_dir",
        f"{config}:9: checkpoint.path",
    ]


def test_load_config_outside_of_a_job_leaves_paths_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VASERL_STORAGE", "/nfs/v")
    (tmp_path / "train.toml").write_text(CONFIG)
    assert load_config(TrainSettings, "train.toml").run_dir == tmp_path / "runs/mine"


@pytest.mark.parametrize("name", [name for name, job in JOBS.items() if job.settings])
def test_every_job_has_a_path_that_it_writes(name: str):
    """A job without one would write into the temporary copy of its working directory, without an error."""
    kind = settings_class(name)
    written = [location for location, role in path_roles(kind) if role.written and len(location) == 1]
    assert [kind.model_fields[key].is_required() for (key,) in written] == [True]


def test_path_roles_reach_tables_inside_tables():
    roles = dict(path_roles(SftSettings))
    assert roles["run_dir",] == WRITTEN and roles["model", "path"] == READ
    assert roles["checkpoint", "path"] == WRITTEN_OR_URL


def test_without_password_keeps_what_is_no_secret():
    assert without_password("s3://me@host/a@b") == "s3://host/a@b"
    assert without_password("http://host:9000/a") == "http://host:9000/a"
    assert without_password("/nfs/a@b") == "/nfs/a@b"


@pytest.mark.parametrize("url", ["s3://K:ab@host/b", "s3://K:ab/cd@host/b", "s3://K:a@b/c@host/b", "s3://K:1/c@host/b"])
def test_without_password_shows_no_part_of_it(url: str):
    assert without_password(url) == "s3://host/b"


def test_a_data_set_may_be_behind_a_url_and_a_model_may_not(tmp_path: Path):
    config = tmp_path / "train.toml"
    config.write_text(CONFIG)
    settings = load_config(TrainSettings, config, ["--data.path", "s3://bucket/vases/"])
    assert settings.data.path == "s3://bucket/vases"
    assert settings.data.cache_folder == Path.home() / ".cache/vaserl/clips"
    assert load_config(TrainSettings, config, ["--data.path", "file:///nfs/a"]).data.path == Path("/nfs/a")
    submitted = load_config(
        TrainSettings,
        config,
        ["--run_dir", "/r", "--model.path", "/m", "--data.path", "vases"],
        place=place("s3://b/v"),
    )
    assert submitted.data.path == "s3://b/v/vases"
    with pytest.raises(
        UserError, match=r"--model\.path: model\.path: 's3://bucket/m' is a URL, but .*POSIX.* Give a path"
    ):
        load_config(TrainSettings, config, ["--model.path", "s3://bucket/m"])
    with pytest.raises(UserError, match=r"--features\.folder: features\.folder: 's3://bucket/m' is a URL"):
        load_config(TrainSettings, config, ["--features.folder", "s3://me:secret@bucket/m"])


@pytest.mark.parametrize("key", ["checkpoint.path", "data.path"])
def test_a_url_with_a_password_is_refused_because_settings_are_stored(key: str, tmp_path: Path):
    config = tmp_path / "train.toml"
    config.write_text(CONFIG)
    with pytest.raises(UserError, match=rf"--{key}: {key}: the URL 's3://host/b' has a password") as raised:
        load_config(TrainSettings, config, [f"--{key}", "s3://me:s3cr3t@host/b"])
    assert "s3cr3t" not in str(raised.value)
