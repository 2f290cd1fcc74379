"""Tests the reward class that configs name: the formula for each kind of task, constants, and fitted word weights."""

from dataclasses import replace

import pytest

from vaserl.evaluation.predictions import completion_of
from vaserl.rewards.vase import (
    RewardConfig,
    RewardContext,
    VaseReward,
    fit_word_weights,
    reference_caption,
    vase_caption,
    vase_question,
)
from vaserl.types import DIMENSIONS, Task

RECORD = {"Fabric": "ATHENIAN", "Decoration": "A: WARRIOR AND LION", "Date": "-525 to -475"}
TASK = Task(id="v1", clip="", prompt="p", dimensions=DIMENSIONS, record=RECORD, reference=reference_caption(RECORD))
QUESTION = replace(TASK, dimensions=("fabric",))


def test_vase_reward_scores_one_dimension_as_a_question():
    answer = completion_of("Attic")
    assert VaseReward()(TASK, answer) == vase_caption(TASK, answer)
    assert VaseReward()(QUESTION, answer) == vase_question(QUESTION, answer)
    assert VaseReward()(QUESTION, answer).total == 1


def test_vase_reward_passes_constants_to_the_formula():
    caption = completion_of("An Athenian vase, 500-450 BC, with a warrior and a lion.")
    assert VaseReward()(TASK, caption).parts["dating"] == 0
    # 25 shared years of 75
    lenient = VaseReward(tau=0.3, weights={"dating": 1.0, "fabric": 0.0})
    assert lenient(TASK, caption) == vase_caption(
        TASK, caption, RewardConfig(tau=0.3, weights={"dating": 1.0, "fabric": 0.0})
    )
    assert lenient(TASK, caption).parts["dating"] == pytest.approx(1 / 3)


def test_vase_reward_prepare_weighs_words_by_rarity():
    reward, caption = VaseReward(), completion_of("An Athenian vase with a lion")
    # one of two words of equal weight: precision 1, recall 1/2
    assert reward(TASK, caption).parts["raw/decoration"] == pytest.approx(2 / 3)
    records = [RECORD, {"Decoration": "WARRIOR"}, {"Decoration": "WARRIOR"}]
    reward.prepare(records)
    # warrior in 3 of 3 weighs 1 + ln(4/4), lion in 1 of 3 weighs 1 + ln(4/2)
    lion = 1.6931471805599454
    recall = lion / (1 + lion)
    assert reward(TASK, caption).parts["raw/decoration"] == pytest.approx(2 * recall / (1 + recall))
    weights, unseen = fit_word_weights(records)
    context = RewardContext(word_weights=weights, unseen_weight=unseen)
    assert reward(TASK, caption) == vase_caption(TASK, caption, context=context)
