"""Tests of the bench of the geometric judge, on two vases."""

import argparse

import pytest

from launch.bench.judge import add_arguments, run, words
from vaserl.errors import UserError


def _arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(given)


@pytest.mark.slow
def test_bench_counts_every_pair_once():
    arguments = _arguments("--num-vases", "2", "--pairs-per-vase", "1", "--seed", "4")
    measured = run(arguments)
    rates = [measured["all"], *measured["damaged_photograph"].values()]
    assert [each["num_pairs"] for each in rates] == [2] * 5
    assert sum(each["num_pairs"] for each in measured["by_damage"].values()) == 4  # a pair has two kinds of damage
    assert sum(each["num_pairs"] for each in measured["by_gap"]) == 2
    assert "not certified at 5%" in words(measured) and "photograph: blur" in words(measured)


def test_bench_refuses_no_vases():
    with pytest.raises(UserError, match="--num-vases"):
        run(_arguments("--num-vases", "0"))
