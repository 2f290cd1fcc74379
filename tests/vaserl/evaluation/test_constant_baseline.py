"""Tests the reward of one constant caption for all vases against numbers by hand."""

import pytest

from tests.fakes.constant_tasks import RECORDS, TASKS
from vaserl.evaluation.constant_baseline import score_constant_caption
from vaserl.evaluation.constant_caption import constant_caption
from vaserl.rewards import load_scorer


def test_score_constant_caption_by_hand():
    earned = score_constant_caption(constant_caption(RECORDS), TASKS, load_scorer(["vaserl.rewards:vase_caption"]))
    assert earned["fabric"] == pytest.approx((2 - 0.25) / 3)  # the third fabric is another one
    assert earned["technique"] == pytest.approx(2 / 3)
    assert earned["dating"] == 1.0  # of the two records that have a date
    assert earned["attribution"] == 0.0
    assert 0 < earned["reward"] < 1
