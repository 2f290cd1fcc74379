"""Tests the bench of predictions: its numbers from a timeline written by hand, and its watch over the GPUs' memory."""

from pathlib import Path

import pytest

from launch.bench.gpu_memory import GpuMemoryWatch
from launch.bench.plan import measurement, seconds_of_steps
from vaserl.errors import UserError
from vaserl.runs.rows import TimelineSpan


def test_measurement_counts_what_a_plan_predicts():
    durations = {"rollout": 2.0, "reward": 0.5, "learn": 4.0, "publish": 1.0, "checkpoint": 3.0}
    spans, now = [], 0.0
    for step in (1, 2, 3):
        for phase, seconds in durations.items():
            end = now + seconds * step
            spans.append(TimelineSpan(step=step, phase=phase, worker="driver", start_s=now, end_s=end))
            now = end
    steps = seconds_of_steps(spans)
    assert steps[2] == pytest.approx({name: 3 * seconds for name, seconds in durations.items()})
    measured = measurement(steps[1:], 12.0)
    assert measured["step_s"] == pytest.approx({"median": 18.75, "lowest": 15.0, "highest": 22.5})  # 7.5 * (2, 3)
    assert measured["phases_s"]["learn"]["median"] == pytest.approx(10.0)
    assert set(measured["unpredicted_s"]) == {"checkpoint"}
    assert measured["peak_gpu_gib"] == 12.0


def driver(folder: Path, text: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def test_watch_keeps_the_highest_memory_of_any_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    driver(tmp_path, "printf '1024\\n2048\\n512\\n'; exec sleep 60")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with GpuMemoryWatch() as watch:
        while watch.peak_gib < 2:
            pass
        watch.restart()
        assert watch.peak_gib == 0
    assert watch.has_gpu


def test_watch_fails_if_the_driver_answers_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    driver(tmp_path, "exit 9")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UserError, match="ended with exit code 9"), GpuMemoryWatch() as watch:
        assert watch._process
        watch._process.wait()


def test_watch_without_a_gpu_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with GpuMemoryWatch() as watch:
        assert not watch.has_gpu
    assert watch.peak_gib == 0
