"""Tests the overlap bench: its numbers from a timeline written by hand, and both loops with Ray actors that sleep."""

import json
from pathlib import Path

import pytest

from launch.bench import overlap
from launch.bench.__main__ import main
from launch.bench.overlap import WARM_UP, compare_loops, step_seconds
from launch.bench.subject import make_dataset
from vaserl.dataset import DataSet
from vaserl.runs.rows import TimelineSpan


def spans(*learns: tuple[float, float], rollout_s: float) -> list[TimelineSpan]:
    """Returns the time spans of steps, each a rollout and then learning between the given seconds."""
    return [
        span
        for step, (start, end) in enumerate(learns, 1)
        for span in (
            TimelineSpan(step=step, phase="rollout", worker="driver", start_s=start - rollout_s, end_s=start),
            TimelineSpan(step=step, phase="learn", worker="driver", start_s=start, end_s=end),
        )
    ]


def test_compare_loops_by_hand():
    assert WARM_UP == 2
    on_policy = spans((9, 20), (21, 22), (24, 25), (27, 28), rollout_s=2)  # halves of 2 s and 1 s, steps of 3 s
    ahead = spans((9, 20), (21, 22), (23.4, 24.4), (25.4, 26.4), rollout_s=2.1)  # steps of 2.4 s and 2.0 s
    assert step_seconds(ahead) == pytest.approx([2.4, 2.0])
    found = compare_loops({"on_policy": on_policy, "ahead": ahead}.__getitem__)
    assert found["rollout_s"]["median"] == 2
    assert found["learn_s"]["median"] == 1
    assert found["on_policy_step_s"]["median"] == 3
    assert found["balance_of_halves"] == pytest.approx(0.5)
    assert found["ratio_step_over_longer_half"] == pytest.approx(2.2 / 2)
    assert found["ratio_step_over_longer_span"] == pytest.approx(2.2 / 2.1)
    assert found["speedup"] == pytest.approx(3 / 2.2)


def test_make_dataset_draws_distinct_clips(tmp_path: Path):
    vases = DataSet(make_dataset(tmp_path, num_vases=3, num_frames=4, size=112)).vases("train")
    frames = [DataSet(tmp_path).clips.load(vase.clip, 4).frames for vase in vases]
    assert [clip.shape for clip in frames] == [(4, 112, 112, 3)] * 3
    assert len({clip.tobytes() for clip in frames}) == 3


def test_overlap_bench_with_sleeping_halves(cluster, capsys):
    assert main(["overlap", "--json", "--no-real", "--half", "0.4", "--num-steps", "6"]) == 0
    measured = json.loads(capsys.readouterr().out)["sleeping"]
    assert measured["rollout_s"]["lowest"] >= 0.4
    assert measured["learn_s"]["lowest"] >= 0.4
    assert measured["on_policy_step_s"]["lowest"] >= 0.8  # one half after the other
    # load on the machine lengthens either, so the test does not compare them; the bench does
    assert measured["ahead_step_s"]["lowest"] >= 0.4


def test_overlap_bench_prints_only_json(capsys, monkeypatch):
    def talkative(arguments):
        print("WARNING: no accelerator")
        return {"num_steps": arguments.num_steps}

    monkeypatch.setattr(overlap, "run", talkative)
    assert main(["overlap", "--json", "--num-steps", "5"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"num_steps": 5}
    assert "no accelerator" in printed.err


def test_overlap_bench_refuses_too_few_steps(capsys):
    assert main(["overlap", "--num-steps", "3"]) == 2
    assert "--num-steps 3: a measurement needs 4 steps" in capsys.readouterr().err
