"""Tests what `launch doctor` finds on a machine and says about several. No test starts Ray."""

import dataclasses
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ray.exceptions import GetTimeoutError, RayTaskError, RuntimeEnvSetupError, WorkerCrashedError

from launch.doctor import main
from launch.doctor_nodes import answered, clock_skew, compared
from launch.doctor_probe import (
    NodeFindings,
    Wanted,
    differing_packages,
    free_bytes,
    gpus,
    look,
    model_digest,
    read_lock,
    run_tool,
)
from launch.doctor_report import Answer, report
from vaserl.errors import UserError
from vaserl.settings import ClusterSettings

ROOT = Path(__file__).parents[2]
A100 = "A100, 81920 MiB, 580.1"
SOUND = NodeFindings(
    host="a",
    python="3.11.7",
    gpus=(A100,) * 2,
    differing=(),
    renderer="NVIDIA / A100",
    free={"/data": 50 * 10**9, "/dev/shm": 5 * 10**9},
    model="abc",
    rewards={"m:f": "1" * 64},
    problems=(),
)


def answer(*, skew_s: float = 0.0, **changes) -> Answer:
    found = dataclasses.replace(SOUND, **changes)
    return Answer(host=found.host, findings=found, problems=found.problems, skew_s=skew_s)


def raising(error: Exception) -> Callable:
    def call():
        raise error

    return call


def install_nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_clock_skew_is_what_the_question_s_duration_cannot_explain():
    assert clock_skew(100.0, 99.0, 101.0) == 0
    assert clock_skew(104.0, 99.0, 101.0) == 3
    assert clock_skew(90.0, 99.0, 101.0) == 9


def test_report_of_sound_machines():
    text, is_sound = report([answer(), answer(host="b")])
    assert is_sound
    assert "2 x A100, 81920 MiB, 580.1" in text
    assert len(text.splitlines()) == 14


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"skew_s": 3.0}, "the clock is off by 3 s or more"),
        ({"free": {"/dev/shm": 10**9}}, "/dev/shm has 1.0 GB free, less than 2"),
        ({"free": {"/data": 9 * 10**9}}, "/data has 9.0 GB free, less than 10"),
        ({"model": "def"}, "model: def, but abc on a"),
        ({"rewards": {}}, "reward m:f: missing, but 111111111111 on a"),
        ({"python": "3.12.1"}, "python: 3.12.1, but 3.11.7 on a"),
        ({"gpus": (A100,)}, f"GPUs: 1 x {A100}, but 2 x {A100} on a"),
        ({"gpus": ("A100, 81920 MiB, 570.0",) * 2}, f"GPUs: 2 x A100, 81920 MiB, 570.0, but 2 x {A100} on a"),
        ({"differing": tuple("abcdef")}, "a; b; c; d and 2 more: run launch/setup.sh there"),
        ({"problems": ("off-screen rendering (EGL) fails",)}, "off-screen rendering (EGL) fails"),
    ],
)
def test_report_names_each_problem_of_a_machine(changes, words):
    text, is_sound = report([answer(), answer(host="b", **changes)])
    assert not is_sound
    assert "a: ok" in text
    assert "b: 1 problem\n" in text
    assert f"PROBLEM   {words}" in text


def test_report_compares_with_the_first_machine_that_has_a_thing():
    head = answer(host="head", gpus=(), model="", problems=("model.path has no config.json",))
    text, is_sound = report([head, answer(), answer(host="b", gpus=(A100,), model="def")])
    assert not is_sound
    assert "head: 2 problems" in text  # no GPU is none: it may be the head node
    assert "PROBLEM   model: missing, but abc on a" in text
    assert "b: 2 problems" in text
    assert f"PROBLEM   GPUs: 1 x {A100}, but 2 x {A100} on a" in text
    assert "PROBLEM   model: def, but abc on a" in text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (GetTimeoutError("Get timed out: some object(s) not ready."), "no answer within 180 s"),
        (WorkerCrashedError(), "The worker died unexpectedly"),
        (RuntimeEnvSetupError("pip failed"), "pip failed"),
        (
            RayTaskError("look", "Traceback\n  line\nModuleNotFoundError: No module named 'launch'", ValueError("x")),
            "ModuleNotFoundError: No module named 'launch'. The node needs this code",
        ),
    ],
)
def test_a_node_that_can_not_be_looked_at_is_named_beside_the_others(error: Exception, words: str):
    lost = answered("10.0.0.7", raising(error))
    assert compared(lost, raising(AssertionError("must not be measured"))) is lost
    text, is_sound = report([answered("10.0.0.6", lambda: SOUND), lost])
    assert not is_sound
    assert text.startswith("a: ok\n")
    lines = text.splitlines()
    assert lines[-2] == "10.0.0.7: 1 problem"
    assert lines[-1].startswith("  PROBLEM   this node could not be looked at: ")
    assert words in lines[-1]


def test_a_node_lost_while_it_is_measured_keeps_its_findings():
    kept = compared(answer(), raising(GetTimeoutError("")))
    assert kept.findings == SOUND
    assert kept.problems == ("network and clock could not be measured: no answer within 180 s",)
    assert compared(answer(), lambda: (5e9, 3.0)).rate == 5e9


def test_differing_packages_compares_with_the_lock():
    installed = {"torch": "2.13.0+cpu", "ray": "2.59.0", "same": "1.0"}
    lock = {"torch": "2.13.0", "ray": "2.60.0", "none": "1.0", "same": "1.0"}
    assert differing_packages(lock, lambda name: installed.get(name, "")) == (
        "ray 2.59.0, locked 2.60.0",
        "none missing, locked 1.0",
    )
    assert read_lock(ROOT / "launch/requirements/gpu.txt")["accelerate"] == "1.15.0"


def test_free_bytes_of_a_folder_that_is_not_there_yet(tmp_path: Path):
    assert free_bytes(str(tmp_path / "run" / "1"), "run_dir") > 0
    assert list(tmp_path.iterdir()) == []


def test_gpus_of_a_machine_without_driver_and_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == ()
    install_nvidia_smi(tmp_path, monkeypatch, f"echo '{A100}'; echo '{A100}'")
    assert gpus() == (A100, A100)


def test_a_broken_driver_and_folders_that_can_not_be_written_to_are_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    install_nvidia_smi(tmp_path, monkeypatch, "echo 'Failed to initialize NVML: version mismatch'; exit 18")
    too_long = f"/tmp/{'a' * 300}/run"
    found = look(Wanted(lock={}, folders={"run_dir": "/proc/run", "features.folder": too_long}))
    assert found.gpus == ()
    assert "nvidia-smi fails with exit code 18: Failed to initialize NVML: version mismatch. Check the driver" in (
        found.problems
    )
    assert set(found.free) == {"/dev/shm"}
    for start in ("run_dir /proc/run: /proc can't be written to: ", f"features.folder {too_long}: "):
        assert [problem for problem in found.problems if problem.startswith(start)]


def test_a_tool_that_does_not_end_is_named_without_its_arguments():
    with pytest.raises(UserError, match=r"^nvidia-smi did not end within 0\.1 s$"):
        run_tool("nvidia-smi", [sys.executable, "-c", "import time; time.sleep(60)"], timeout_s=0.1)
    with pytest.raises(UserError, match=r"^nvidia-smi can't be started: No such file"):
        run_tool("nvidia-smi", ["/nowhere/nvidia-smi"])


def test_model_digest_needs_all_files_and_sees_a_change(tmp_path: Path):
    with pytest.raises(UserError, match=r"no config\.json"):
        model_digest(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    index = {"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "1.safetensors").write_bytes(b"1" * 3)
    with pytest.raises(UserError, match=r"lacks 2\.safetensors"):
        model_digest(tmp_path)
    (tmp_path / "2.safetensors").write_bytes(b"2" * 3)
    before = model_digest(tmp_path)
    (tmp_path / "2.safetensors").write_bytes(b"223")
    assert model_digest(tmp_path) != before


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": []}', "{}", "\xff"])
def test_a_broken_index_of_weights_is_a_problem(tmp_path: Path, text: str):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_bytes(text.encode("latin1"))
    with pytest.raises(UserError, match=r"index\.json is no index of weights on this machine"):
        model_digest(tmp_path)


@pytest.mark.parametrize("options", [["--model.path=m"], ["--with", "file.toml"]])
def test_doctor_refuses_options_without_a_config(options: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(options) == 2
    assert "without a CONFIG there is nothing to change" in capsys.readouterr().err


def test_doctor_without_the_cluster_that_it_is_sent_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def refused(cluster: ClusterSettings):
        raise ConnectionError("Could not find any running Ray instance")

    monkeypatch.setattr("launch.doctor_nodes.connect", refused)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert main([]) == 2
    assert "error: no Ray cluster answers at 10.0.0.1:6379" in capsys.readouterr().err


def test_doctor_on_this_machine_names_a_missing_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    missing = tmp_path / "no-model"
    assert main([str(ROOT / "configs/train/quickstart.toml"), "--model.path", str(missing)]) == 1
    text = capsys.readouterr().out
    assert f"PROBLEM   model.path {missing} has no config.json on this machine" in text
    assert "rewards   vaserl.rewards:VaseReward" in text
