"""Tests the reward bench with real actors: its captions are distinct, and each is scored."""

import json

from launch.bench.__main__ import main
from launch.bench.floods import floods
from launch.bench.reward import GROUP_SIZE, make_groups, rate_spread


def test_make_groups_repeats_no_caption_and_varies_groups():
    repeats = [make_groups(repeat, 20) for repeat in range(2)]
    for groups in repeats:
        texts = [completion.text for group in groups for completion in group.completions]
        assert len(texts) == len(set(texts)) == 20 * GROUP_SIZE
    assert make_groups(0, 20) == repeats[0]
    assert not {g.task.id for g in repeats[0]} & {g.task.id for g in repeats[1]}


def test_floods_have_the_length_asked_for_and_random_ones_differ_from_seed_to_seed():
    texts = floods(400, 0)
    assert {len(text) for text in texts.values()} == {400}
    assert floods(400, 0) == texts
    others = floods(400, 1)
    assert {"unknown words", "names of artists"} <= {name for name, text in texts.items() if text != others[name]}
    assert others["not"] == texts["not"] == ("not " * 100)


def test_rate_spread_by_hand():
    assert rate_spread([3.0, 1.0, 2.0]) == {"best": 3.0, "median": 2.0, "lowest": 1.0}


def test_bench_reward_with_real_actors(cluster, capsys):
    assert main(["reward", "--json", "--num-tasks", "8", "--num-repeats", "2"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["num_captions"] == 8 * GROUP_SIZE
    assert set(measured["pool"]) == {"1", "2", "4"}
    rates = [measured["per_core"], measured["by_the_clock"], *measured["pool"].values()]
    assert all(0 < rate["lowest"] <= rate["median"] <= rate["best"] for rate in rates)
    assert list(measured["flood_ms"].values()) == sorted(measured["flood_ms"].values(), reverse=True)
    assert set(measured["flood_ms"]) == set(floods(1, 0))
    assert measured["captions_per_second_per_core"] == measured["per_core"]["best"]
    # far below the rate of an idle machine, far above that of a broken parser
    assert measured["captions_per_second_per_core"] > 500


def test_bench_reward_refuses_to_measure_nothing(capsys):
    assert main(["reward", "--num-tasks", "0"]) == 2
    assert "must be at least 1" in capsys.readouterr().err
