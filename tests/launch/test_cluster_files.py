"""Tests of the files in launch/cluster as far as they can be tested without Kubernetes, Docker and a second machine."""

import json
import re
import shlex
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest
import yaml

from launch.main import read_arguments, settings_class
from vaserl.settings import load_config
from vaserl.settings.submitted import JobPlace

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "launch/cluster"


@pytest.fixture
def job() -> dict:
    return yaml.safe_load((FOLDER / "rayjob.yaml").read_text())["spec"]


def test_cluster_yaml_is_what_ray_up_accepts():
    ray = pytest.importorskip("ray")
    schema = json.loads(Path(ray.__file__).with_name("autoscaler").joinpath("ray-schema.json").read_text())
    jsonschema.validate(yaml.safe_load((FOLDER / "cluster.yaml").read_text()), schema)


def test_rayjob_runs_a_config_that_loads_with_its_storage_root(job: dict, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    start, *words = shlex.split(job["entrypoint"].partition(" -m ")[2])
    assert start == "launch.submit.driver"
    name, *rest = words
    arguments, overrides = read_arguments(name, rest)
    storage = yaml.safe_load(job["runtimeEnvYAML"])["env_vars"]["VASERL_STORAGE"]
    place = JobPlace(storage=storage, uploaded=lambda path: (ROOT / path).exists())
    settings = load_config(settings_class(name), arguments.config, overrides, place=place)
    assert str(getattr(settings, "run_dir", "")) == f"{storage}/runs/mine"
    groups = [job["rayClusterSpec"]["headGroupSpec"], *job["rayClusterSpec"]["workerGroupSpecs"]]
    for group in groups:
        (container,) = group["template"]["spec"]["containers"]
        assert storage in [mount["mountPath"] for mount in container["volumeMounts"]]


def test_cluster_files_have_authentication_and_this_version_of_ray(job: dict):
    pytest.importorskip("ray")
    assert job["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert job["rayClusterSpec"]["rayVersion"] == version("ray")
    text = (FOLDER / "cluster.yaml").read_text()
    starts = [line for line in text.splitlines() if "ray start" in line]
    assert len(starts) == 2 and text.count("RAY_AUTH_MODE=token") == 2
    assert version("ray") in text and "dashboard-host=127.0.0.1" in text and "0.0.0.0" not in text


def test_containerfile_copies_what_exists_and_knows_no_secret():
    text = (FOLDER / "Containerfile").read_text()
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY")]
    paths = [word for words in copied for word in words if not word.startswith("--")]
    assert len(paths) == 8 and all((ROOT / path).exists() for path in paths)
    assert not re.search(r"TOKEN|PASSWORD|SECRET|ARG ", text)
    assert "USER vaserl" in text
