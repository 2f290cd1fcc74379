"""Tests what `launch doctor` finds on a machine and says about several."""

import dataclasses
import json
from pathlib import Path

import pytest

from launch.doctor import Answer, clock_skew, main, report
from launch.doctor_probe import NodeFindings, differing_packages, free_bytes, model_digest, read_lock
from vaserl.errors import UserError

ROOT = Path(__file__).parents[2]
SOUND = NodeFindings(
    host="a",
    python="3.11.7",
    gpus=("A100, 81920 MiB, 580.1",) * 2,
    differing=(),
    renderer="NVIDIA / A100",
    free={"/data": 50 * 10**9, "/dev/shm": 5 * 10**9},
    model="abc",
    rewards={"m:f": "1" * 64},
    problems=(),
)


def answer(*, skew_s: float = 0.0, **changes) -> Answer:
    return Answer(findings=dataclasses.replace(SOUND, **changes), skew_s=skew_s)


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
        ({"model": "def"}, "the model differs from that on a: def instead of abc"),
        ({"rewards": {}}, "reward m:f differs from that on a: missing instead of 111111111111"),
        ({"python": "3.12.1"}, "python differs from that on a: 3.12.1 instead of 3.11.7"),
        ({"differing": tuple("abcdef")}, "a; b; c; d and 2 more: run launch/setup.sh there"),
        ({"problems": ("off-screen rendering (EGL) fails",)}, "off-screen rendering (EGL) fails"),
    ],
)
def test_report_names_each_problem_of_a_machine(changes, words):
    text, is_sound = report([answer(), answer(host="b", **changes)])
    assert not is_sound
    assert "a: ok" in text
    assert "b: 1 problems" in text
    assert f"PROBLEM   {words}" in text


def test_differing_packages_compares_with_the_lock():
    installed = {"torch": "2.13.0+cpu", "ray": "2.59.0", "same": "1.0"}
    lock = {"torch": "2.13.0", "ray": "2.60.0", "none": "1.0", "same": "1.0"}
    assert differing_packages(lock, lambda name: installed.get(name, "")) == (
        "ray 2.59.0, locked 2.60.0",
        "none missing, locked 1.0",
    )
    assert read_lock(ROOT / "launch/requirements/gpu.txt")["accelerate"] == "1.15.0"


def test_free_bytes_of_a_folder_that_is_not_there_yet(tmp_path: Path):
    assert free_bytes([str(tmp_path / "run" / "1")])[str(tmp_path / "run" / "1")] > 0


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


def test_doctor_on_this_machine_names_a_missing_model(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    missing = tmp_path / "no-model"
    assert main([str(ROOT / "configs/train/quickstart.toml"), "--model.path", str(missing)]) == 1
    text = capsys.readouterr().out
    assert f"PROBLEM   model.path {missing} has no config.json on this machine" in text
    assert "rewards   vaserl.rewards:VaseReward" in text
