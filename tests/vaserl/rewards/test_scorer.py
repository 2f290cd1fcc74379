"""Tests that reward functions are found by name and summed, and that failing ones raise an error with the sample's
id."""

import math
from dataclasses import replace

import pytest

from tests.fakes.scored_by_hand import scored
from vaserl.errors import UserError
from vaserl.rewards.call import bind
from vaserl.rewards.scorer import RewardError, Scorer, load_scorer, make_scorer
from vaserl.settings import RewardSettings
from vaserl.types import Score


def group():
    return scored([0.0, 0.0]).group


def test_scorer_keeps_the_part_names_of_a_single_reward():
    scorer = load_scorer(["tests.fakes.rewards_for_tests:even_tokens"])
    score = scorer.score(group()).scores[0]
    assert (score.total, dict(score.parts)) == (0.5, {"even": 0.5})  # tokens 1 and 2: one of two is even


def test_scorer_sums_several_rewards_with_weights_and_prefixes():
    names = ["tests.fakes.rewards_for_tests:even_tokens", "tests.fakes.rewards_for_tests:one"]
    score = load_scorer(names, [2.0, 0.25]).score(group()).scores[1]
    assert score.total == pytest.approx(2 * 0.5 + 0.25)
    assert dict(score.parts) == {"even_tokens/even": 0.5, "even_tokens/total": 0.5, "one/total": 1.0}


def test_scorer_names_the_sample_of_broken_code():
    with pytest.raises(RewardError, match=r"broken failed on t, completion 0: KeyError"):
        load_scorer(["tests.fakes.rewards_for_tests:broken"]).score(group())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_scorer_refuses_a_score_that_is_not_finite(value: float):
    def f(task, completion):
        return Score(total=value, parts={})

    with pytest.raises(RewardError, match="m:f returned"):
        Scorer(rewards=(bind("m:f", f, {}),), weights=(1.0,)).score(group())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vaserl.rewards", "package.module:function"),
        ("no_such_package:f", "can't be imported"),
        ("tests.fakes.rewards_for_tests:nothing", "no function or class 'nothing'"),
        ("tests.fakes.rewards_for_tests:takes_one_argument", "must take"),
    ],
)
def test_load_scorer_explains_a_wrong_name(name: str, words: str):
    with pytest.raises(UserError, match=words):
        load_scorer([name])


def test_scorer_gives_questions_to_the_functions_of_questions():
    """Captions earn 0.5 each (one of two tokens is even), answers 1; the order of the groups stays."""
    caption = group()
    question = replace(caption, task=replace(caption.task, id="q", dimensions=()))
    names = ("tests.fakes.rewards_for_tests:even_tokens", "tests.fakes.rewards_for_tests:one")
    scorer = make_scorer(RewardSettings(functions=names[:1], questions=names[1:], weights=(3.0,)))
    found = scorer.score_all([question, caption, question])
    assert [[score.total for score in each.scores] for each in found] == [[1.0, 1.0], [1.5, 1.5], [1.0, 1.0]]
    assert [each.group.task.id for each in found] == ["q", "t", "q"]
    assert [reward.name for reward in scorer.all_rewards] == list(names)
    alone = make_scorer(RewardSettings(functions=names[:1]))
    assert [score.total for score in alone.score(question).scores] == [0.5, 0.5]


def test_reward_settings_refuse_two_question_functions_of_one_name():
    with pytest.raises(ValueError, match="two reward functions have the same name"):
        RewardSettings(functions=("a:f",), questions=("b:f",))
    with pytest.raises(ValueError, match="questions contains the same reward function twice"):
        RewardSettings(questions=("b:f", "b:f"))
    assert RewardSettings(functions=("a:f",), questions=("a:f", "b:g")).short_names == ("f", "g")
