"""Tests the soft overlong punishment against numbers by hand from equation 13."""

import pytest

from tests.fakes.scored_by_hand import scored
from vaserl.grpo.advantage import advantages
from vaserl.grpo.overlong import overlong_share, punish_overlong
from vaserl.settings import OverlongSettings
from vaserl.types import ScoredGroup


@pytest.mark.parametrize(("num_tokens", "share"), [(0, 0.0), (6, 0.0), (7, 0.25), (8, 0.5), (10, 1.0), (11, 1.0)])
def test_overlong_share_by_hand(num_tokens: int, share: float):
    # limit 10, the last 4 soft: (length - 6) / 4 between 6 and 10
    assert overlong_share(num_tokens, limit=10, num_soft=4) == share


def test_punish_overlong_subtracts_the_penalty_and_records_it_as_a_part():
    group = scored([0.5, 0.5])
    longer = tuple(
        type(c)(text="", token_ids=(1,) * n, logprobs=(-1.0,) * n, finish_reason="stop", weights_version=1)
        for c, n in zip(group.group.completions, (8, 2), strict=True)
    )
    group = ScoredGroup(
        group=type(group.group)(task=group.group.task, prompt_ids=(9,), completions=longer), scores=group.scores
    )
    (found,) = punish_overlong([group], OverlongSettings(num_tokens=4, penalty=0.6), 10)
    assert [score.total for score in found.scores] == pytest.approx([0.5 - 0.3, 0.5])
    assert [score.parts["penalty/overlong"] for score in found.scores] == pytest.approx([0.3, 0.0])
    assert found.group is group.group
    # equal rewards now differ: the shorter one is preferred
    ((long, short),) = advantages([found])
    assert long < 0 < short


def test_punish_overlong_is_off_by_default():
    groups = [scored([0.1, 0.9])]
    assert punish_overlong(groups, OverlongSettings(), 2) == groups
