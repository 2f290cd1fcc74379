"""Tests stages in processes that crash, hang and use too much memory: only the failing photograph is rejected."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.curation_stages import LENGTH, DiesAtOnce, KeepAll, Perilous, RejectOdd, prepared
from vaserl.curation.job import isolated
from vaserl.curation.job.batch import RowBatch, batch_of, rejecting
from vaserl.curation.job.isolated import Effort, Isolated, JobFailed, Limits
from vaserl.errors import UserError

ROOT = Path(__file__).parents[3]


def batch(*photos: str) -> RowBatch:
    return batch_of([{"photo": photo, "rejected_by": "", "reason": ""} for photo in photos])


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    (tmp_path / "notes").touch()
    return tmp_path / "notes"


def perilous(notes: Path, **limits) -> Isolated:
    defaults = {"batch_size": 4, "timeout_s": 3.0, "memory_bytes": 2**28, "num_retries": 0}
    return Isolated([prepared("perilous", Perilous, (notes,), (LENGTH,))], Limits(**{**defaults, **limits}))


def is_alive(pid: int) -> bool:
    """Tells whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and is_alive(pid):
        time.sleep(0.05)
    return not is_alive(pid)


@pytest.mark.slow
def test_isolated_each_kind_of_death_costs_its_photograph_and_no_other(notes):
    photos = ["a", "segfault-1", "b", "exit-2", "c", "hang-3", "lock-4", "d", "eat-5", "e"]
    stage, effort = perilous(notes), Effort()
    answer = stage.run(0, batch(*photos), effort)
    stage.close()
    reasons = dict(zip(photos, answer["reason"], strict=True))
    assert {photo: reason for photo, reason in reasons.items() if reason} == {
        "segfault-1": "the perilous process died of SIGSEGV on this photograph",
        "exit-2": "the perilous process ended with code 0 on this photograph",
        "hang-3": "the perilous process gave no answer within 3 s and was killed on this photograph",
        "lock-4": "the perilous process gave no answer within 3 s and was killed on this photograph",
        "eat-5": "the perilous process took more than 0.25 GiB of memory and was killed on this photograph",
    }
    assert [bool(name) for name in answer["rejected_by"]] == ["-" in photo for photo in photos]
    lengths = dict(zip(photos, answer["length"], strict=True))
    assert all(np.isnan(lengths[photo]) == ("-" in photo) for photo in photos)
    # pieces of 4, 4 and 2 photographs, each with failing ones: one death per piece, then one per failing photograph
    assert (effort.rows, effort.killed_rows, effort.deaths) == (10, 5, 3 + 5)


def test_isolated_retries_a_failing_photograph_alone(notes):
    stage, effort = perilous(notes, num_retries=2), Effort()
    answer = stage.run(0, batch("segfault-1", "a"), effort)
    stage.close()
    assert list(answer["rejected_by"]) == ["perilous", ""]
    assert effort.deaths == 1 + 3 and notes.read_text().count("segfault-1") == 4


def test_isolated_death_by_chance_leaves_no_trace_in_the_answer(notes):
    stage, effort = perilous(notes), Effort()
    answer = stage.run(0, batch("a", "once-1", "b"), effort)
    stage.close()
    assert not any(answer["rejected_by"]) and effort.killed_rows == 0 and effort.deaths == 1
    assert list(answer["length"]) == [3.0, 3.0, 3.0]  # as after a success: in one piece


def test_isolated_rows_that_pass_alone_but_not_as_a_batch_run_alone(notes, monkeypatch):
    monkeypatch.setenv("VASERL_TEST_CROWD", "segfault")
    stage, effort = perilous(notes), Effort()
    answer = stage.run(0, batch("a", "b", "c", "d"), effort)
    stage.close()
    assert list(answer["length"]) == [1.0] * 4 and effort.deaths == 2


def test_isolated_batch_that_fails_where_it_died_before_ends_the_job_in_words(notes, monkeypatch):
    monkeypatch.setenv("VASERL_TEST_CROWD", "fickle")
    stage, effort = perilous(notes), Effort()
    with pytest.raises(JobFailed, match="perilous failed on 4 photographs at once, a to d:") as caught:
        stage.run(0, batch("a", "b", "c", "d"), effort)
    stage.close()
    assert "a fault of the stage's own" in str(caught.value) and effort.deaths == 1


def test_isolated_rejected_rows_are_not_judged_and_stay_in_place(notes):
    stage, effort = perilous(notes), Effort()
    rows = rejecting(batch("segfault-0", "a", "b"), "source", {0: "gone"})
    answer = stage.run(0, rows, effort)
    stage.close()
    assert list(answer["reason"]) == ["gone", "", ""] and effort.rows == 2
    assert np.isnan(answer["length"][0]) and list(answer["length"][1:]) == [2.0, 2.0]
    assert list(answer["photo"]) == ["segfault-0", "a", "b"]


def test_stage_guard_kills_what_a_dead_stage_had_started(notes):
    stage = perilous(notes)
    stage.run(0, batch("orphan-1"), Effort())
    stage.close()
    (pid,) = [int(line.split()[1]) for line in notes.read_text().splitlines() if line.startswith("started")]
    assert gone_within(pid, 20)


def test_stage_guard_and_stage_end_with_a_killed_parent(notes):
    """Checks that neither a stage that hangs with the interpreter's lock held nor a child of another stage survives."""
    script = f"""
        from pathlib import Path
        from tests.fakes.curation_stages import Perilous
        from tests.vaserl.curation.test_isolated import batch, perilous
        from vaserl.curation.job.isolated import Effort
        stage = perilous(Path({str(notes)!r}), timeout_s=600)
        stage.run(0, batch("a"), Effort())
        print(stage._process.pid, flush=True)
        stage.run(0, batch("lock-1"), Effort())
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    guard = int(parent.stdout.readline())
    (worker,) = map(int, Path(f"/proc/{guard}/task/{guard}/children").read_text().split())
    deadline = time.monotonic() + 20
    while "lock-1" not in notes.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_alive(worker) and "lock-1" in notes.read_text()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone_within(worker, 20) and gone_within(guard, 20)


@pytest.mark.slow
def test_stage_guard_stage_is_killed_first_when_memory_is_short_and_with_its_guard(notes):
    stage = perilous(notes, num_retries=1)
    stage.run(0, batch("a"), Effort())
    assert stage._process is not None
    guard = stage._process.pid
    (worker,) = map(int, Path(f"/proc/{guard}/task/{guard}/children").read_text().split())
    assert Path(f"/proc/{worker}/oom_score_adj").read_text() == "1000\n"
    os.kill(guard, signal.SIGKILL)
    assert gone_within(worker, 5)
    effort = Effort()
    assert not any(stage.run(0, batch("b"), effort)["rejected_by"]) and effort.deaths == 1
    stage.close()


def test_isolated_exception_ends_the_job_and_names_the_photograph(notes):
    stage = perilous(notes)
    with pytest.raises(JobFailed) as caught:
        stage.run(0, batch("a", "b", "raise-7"), Effort())
    assert "perilous failed on raise-7" in str(caught.value) and "a fault of the stage's own" in str(caught.value)
    assert not any(stage.run(0, batch("a"), Effort())["rejected_by"])  # the process lives and goes on
    stage.close()


def test_isolated_stage_that_dies_on_everything_ends_the_job(notes, monkeypatch):
    monkeypatch.setattr(isolated, "MAX_CONSECUTIVE_KILLS", 3)
    stage = perilous(notes)
    with pytest.raises(JobFailed, match="on each of 3 consecutive photographs, the last being exit-3"):
        stage.run(0, batch("exit-0", "a", "exit-1", "exit-2", "exit-3"), Effort())
    stage.close()


def test_isolated_counts_consecutive_kills_of_each_stage_apart(notes, monkeypatch):
    monkeypatch.setattr(isolated, "MAX_CONSECUTIVE_KILLS", 3)
    stages = Isolated(
        [prepared("well", KeepAll), prepared("perilous", Perilous, (notes,), (LENGTH,))],
        Limits(batch_size=2, timeout_s=3, num_retries=0),
    )
    # a batch without a failure resets the count of consecutive deaths
    stages.run(1, batch("exit-0", "exit-1", "a", "b"), Effort())
    stages.run(1, batch("exit-2", "exit-3"), Effort())
    stages.run(0, batch("exit-4"), Effort())
    with pytest.raises(JobFailed, match="on each of 3 consecutive photographs, the last being exit-4"):
        stages.run(1, batch("exit-4"), Effort())
    stages.close()


def test_isolated_model_that_cannot_be_loaded_is_not_the_photographs_fault():
    stage = Isolated([prepared("fragile", DiesAtOnce)], Limits(batch_size=4, timeout_s=20))
    with pytest.raises(UserError, match="the fragile process died of SIGSEGV while its model was loaded"):
        stage.run(0, batch("a"), Effort())
    stage.close()


def test_isolated_tells_apart_which_stage_of_a_process_died(notes):
    """Runs two stages in one process. The stage that was running is named in the rejection, and all other rows are
    complete."""
    photos = ["a", "intact.segfault-1", "lift.exit-2", "b", "lift.eat-3", "c"]
    stages = [prepared(name, Perilous, (notes, name), (LENGTH,)) for name in ("intact", "lift")]
    pool = Isolated(stages, Limits(batch_size=4, timeout_s=20, memory_bytes=2**28, num_retries=0))
    rows, efforts = batch(*photos), (Effort(), Effort())
    for index, effort in enumerate(efforts):
        rows = pool.run(index, rows, effort)
    pool.close()
    assert list(rows["rejected_by"]) == ["", "intact", "lift", "", "lift", ""]
    assert [reason.split(" on ")[0] for reason in rows["reason"] if reason] == [
        "the intact process died of SIGSEGV",
        "the lift process ended with code 0",
        "the lift process took more than 0.25 GiB of memory and was killed",
    ]
    assert [effort.rows for effort in efforts] == [6, 5] and [effort.killed_rows for effort in efforts] == [1, 2]


def test_isolated_stages_of_a_pool_share_a_process(notes):
    stages = [prepared("perilous", Perilous, (notes,), (LENGTH,)), prepared("odd", RejectOdd)]
    pool, efforts = Isolated(stages, Limits(batch_size=2, timeout_s=20)), (Effort(), Effort())
    rows = pool.run(1, pool.run(0, batch("1", "2", "3"), efforts[0]), efforts[1])
    assert list(rows["rejected_by"]) == ["odd", "", "odd"] and list(rows["length"]) == [2.0, 2.0, 1.0]
    assert [effort.rows for effort in efforts] == [3, 3] and not any(effort.deaths for effort in efforts)
    pool.close()
