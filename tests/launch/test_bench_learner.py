"""Tests the learner bench: its roofline against numbers by hand, a measurement on the tiny model, and the figure of a
step."""

import json
from types import SimpleNamespace

import pytest

from launch.bench.__main__ import main
from launch.bench.roofline import learner_work, visible_pairs
from launch.bench.step import _medians
from vaserl.errors import UserError
from vaserl.policy.attention import TokenSpan
from vaserl.report.anatomy import step_figure
from vaserl.synthetic.models.random_qwen import build_shape

CONFIG = SimpleNamespace(
    hidden_size=8,
    num_attention_heads=4,
    num_key_value_heads=2,
    num_hidden_layers=3,
    intermediate_size=16,
    vocab_size=10,
)


def test_visible_pairs_by_hand():
    # a prefix of 3: 1 + 2 + 3; branches of 2 and 1: each token attends to the prefix, then 1 + 2 and 1 of its own
    assert visible_pairs((TokenSpan(start=5, prefix_end=8, branch_ends=(10, 11)),)) == 6 + (6 + 3) + (3 + 1)


def test_learner_work_by_hand():
    # a layer: q and o 8 x 8 each, k and v 8 x 4 each, three of 8 x 16
    weights = 3 * (2 * 64 + 2 * 32 + 3 * 128)
    work = learner_work(CONFIG, num_tokens=11, num_pairs=19, num_targets=3, checkpointing=False)
    assert work.linear == 2 * weights * 11 * 2
    assert work.attention == 4 * 19 * 8 * 3 * 3.5
    assert work.head == 2 * 8 * 10 * 3 * 3
    again = learner_work(CONFIG, num_tokens=11, num_pairs=19, num_targets=3, checkpointing=True)
    assert again.linear == 2 * weights * 11 * 3
    assert again.total > work.total


def test_bench_learner_layouts_agree_and_the_ratio_is_of_what_was_timed(capsys):
    small = ["--num-groups", "1", "--group-size", "2", "--num-answer-tokens", "4", "--num-frames", "4", "--size", "56"]
    assert main(["learner", "--json", "--num-repeats", "1", *small]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["max_abs_dlogp_shared"] <= 1e-5
    assert measured["max_rel_dgrad_shared"] <= 1e-4
    seconds = {name: each["median"] for name, each in measured["seconds_per_group"].items()}
    assert measured["ratio_padded_over_shared"] == pytest.approx(seconds["padded_pixels"] / seconds["shared_features"])
    assert measured["hardware"]["num_cpus"] >= 1


def test_build_shape_refuses_an_unknown_shape(tmp_path):
    with pytest.raises(UserError, match="known sizes: 3b, 7b"):
        build_shape(tmp_path, "70b")


def test_bench_step_medians_are_by_part():
    rows = [{"forward": forward, "backward": 3.0} for forward in (1.0, 5.0, 2.0)]
    assert _medians(rows) == {"forward": 2.0, "backward": 3.0}


def test_step_figure_names_what_is_wide_enough():
    measured = {
        "model": "shape:7b",
        "num_tasks": 16,
        "group_size": 8,
        "num_new_tokens": 256,
        "num_frames": 24,
        "size": 448,
        "phases_s": {"rollout": {"median": 5.0}, "learn": {"median": 7.0}, "publish": {"median": 0.1}},
        "pieces_s": {"learn": {"forward": 3.0, "backward": 3.9}, "publish": {"put": 0.05, "total": 0.1}},
    }
    figure = step_figure(measured).decode()
    assert "12.1 s a step" in figure
    assert "7.00 s" in figure
    assert "backward" in figure
    assert "put" not in figure
