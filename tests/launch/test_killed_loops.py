"""Kills training jobs with fake parts again and again, at random moments and inside the writes of checkpoints.

A killed job loses at most one recorded step, and its run ends with the files of an uninterrupted one. The real learner
and engines are killed in `test_resume` and by `launch bench resume`.
"""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from launch.bench.job_process import contents, differences, recorded_steps, spans, starts, unfinished_checkpoints
from tests.fakes.killable_job import NUM_STEPS, run_job

_PROCESSES = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module", autouse=True)
def preloaded() -> None:
    """Lets jobs start without imports."""
    _PROCESSES.set_forkserver_preload(["tests.fakes.killable_job"])


def start(run_dir: Path, max_staleness: int | None):
    process = _PROCESSES.Process(target=run_job, args=(run_dir, max_staleness))
    process.start()
    return process


def wait_for_start(process, run_dir: Path, num_starts: int) -> None:
    while process.is_alive() and len(starts(run_dir)) == num_starts:
        time.sleep(0.0005)


def kill(process, run_dir: Path, number: int, draw: random.Random, length_s: float) -> None:
    """Sends a signal at a random moment, or as soon as a checkpoint is being written, and waits for the job's end."""
    until = time.monotonic() + draw.uniform(0, length_s)
    is_inside = draw.random() < 0.5
    while process.is_alive() and not (unfinished_checkpoints(run_dir) if is_inside else time.monotonic() > until):
        time.sleep(0.0005)
    if process.is_alive():
        os.kill(process.pid, number)
    process.join(30)


@pytest.mark.parametrize("max_staleness", [None, 0, 1, 2], ids=["on_policy", "ahead-0", "ahead-1", "ahead-2"])
def test_run_killed_again_and_again_has_the_files_of_an_uninterrupted_one(tmp_path: Path, max_staleness: int | None):
    whole = tmp_path / "whole"
    process = start(whole, max_staleness)
    wait_for_start(process, whole, 0)
    began = time.monotonic()
    process.join(60)
    assert process.exitcode == 0
    length_s = time.monotonic() - began
    expected = contents(whole)
    assert len([name for name in expected if name.startswith("rollouts/")]) == NUM_STEPS

    draw = random.Random(max_staleness)
    num_kills = 0
    for number in range(2):
        run_dir = tmp_path / f"killed-{number}"
        process = start(run_dir, max_staleness)
        for _ in range(3):
            wait_for_start(process, run_dir, 0)
            sent = draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM])
            kill(process, run_dir, sent, draw, length_s)
            assert process.exitcode in (0, -sent, 128 + sent)
            num_kills += process.exitcode != 0
            recorded, num_starts = recorded_steps(run_dir), len(starts(run_dir))
            process = start(run_dir, max_staleness)
            wait_for_start(process, run_dir, num_starts)
            if len(starts(run_dir)) > num_starts:  # not if the run was finished
                assert len(recorded) - starts(run_dir)[-1]["after_step"] <= 1
        process.join(60)
        assert process.exitcode == 0
        assert differences(contents(run_dir), expected) == []
        assert recorded_steps(run_dir) == list(range(1, NUM_STEPS + 1))
        assert spans(run_dir) == spans(whole)
        assert unfinished_checkpoints(run_dir) == []
    assert num_kills >= 2
