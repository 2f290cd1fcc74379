"""Tests advantages of the reward's sum and of each dimension, against numbers by hand and by their invariances."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.scored_by_hand import scored
from vaserl.errors import UserError
from vaserl.grpo.advantage import STD_EPSILON, advantages, group_advantages, has_signal, part_advantages, whiten
from vaserl.grpo.batch import assemble
from vaserl.settings import TrainSettings
from vaserl.settings.section import load_config
from vaserl.types import Score, ScoredGroup


def test_group_advantages_by_hand():
    # rewards 1, 2, 3: mean 2, unbiased std 1, so -1, 0, 1 over 1.0001
    assert group_advantages([1.0, 2.0, 3.0]) == pytest.approx((-1 / 1.0001, 0.0, 1 / 1.0001))
    assert group_advantages([1.0, 2.0, 3.0], normalise=False) == pytest.approx((-1.0, 0.0, 1.0))


def test_group_advantages_are_zero_without_variance():
    # 0.1 + 0.2 and 0.3 differ in the last bit, by rounding: the group counts as equal
    assert group_advantages([0.1 + 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]) == (0.0,) * 8
    assert group_advantages([0.7]) == (0.0,)
    assert not has_signal([0.5])
    assert has_signal([0.5, 0.5 + 2e-6])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_group_advantages_refuse_rewards_that_are_not_finite(bad: float):
    with pytest.raises(ValueError, match="finite"):
        group_advantages([0.1, bad])


@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=12), st.floats(-5, 5), st.floats(0.5, 4))
def test_group_advantages_ignore_the_level_and_keep_the_order(rewards, level, scale):
    base = group_advantages(rewards)
    assert sum(base) == pytest.approx(0, abs=1e-6)
    if max(rewards) - min(rewards) > 1e-3:
        shifted = group_advantages([r + level for r in rewards])
        assert shifted == pytest.approx(base, abs=1e-6)
        ranked = sorted(range(len(rewards)), key=lambda i: rewards[i])
        assert all(base[a] <= base[b] + 1e-12 for a, b in itertools.pairwise(ranked))


def parts(**columns: list[float]) -> list[dict[str, float]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def with_parts(**columns: list[float]) -> ScoredGroup:
    group = scored([0.0] * len(next(iter(columns.values()))))
    return ScoredGroup(group=group.group, scores=tuple(Score(total=sum(p.values()), parts=p) for p in parts(**columns)))


def test_part_advantages_of_two_parts_by_hand():
    # fabric 0, 1: mean 1/2, std 1/sqrt 2; date 0.4, 0.2: mean 0.3, std 0.2/sqrt 2
    fabric = 0.5 / (math.sqrt(0.5) + STD_EPSILON)
    date = 0.1 / (0.2 * math.sqrt(0.5) + STD_EPSILON)
    found = part_advantages(parts(fabric=[0.0, 1.0], date=[0.4, 0.2]), {"fabric": 0.75, "date": 0.25})
    assert found == pytest.approx((-0.75 * fabric + 0.25 * date, 0.75 * fabric - 0.25 * date))


def test_part_advantages_weigh_a_small_difference_as_a_large_one():
    found = part_advantages(parts(a=[0.0, 0.0, 1.0], b=[0.01, 0.0, 0.0]), {"a": 1.0, "b": 1.0})
    assert found[0] == pytest.approx(found[2], rel=0.06)  # the 1e-4 in the denominator matters more for the smaller one
    # on the sum, the third is far ahead
    of_sum = group_advantages([0.01, 0.0, 1.0])
    assert of_sum[0] < 0 < of_sum[2]


def test_part_advantages_ignore_a_part_without_variance():
    # equal but for the last bit: without the rule, (1e-16 - mean) / (std + 1e-4) is small, but at 1e-7 it would be 1e-3
    for noise in (0.0, 1e-16, 9e-7):
        found = part_advantages(parts(a=[0.0, 1.0], b=[0.3 + noise, 0.3]), {"a": 0.5, "b": 100.0})
        assert found == pytest.approx([0.5 * a for a in group_advantages([0.0, 1.0])])
    assert part_advantages(parts(a=[1.0, 1.0, 1.0]), {"a": 1.0}) == (0.0, 0.0, 0.0)


def test_part_advantages_with_a_negative_weight_are_a_cost():
    cost = part_advantages(parts(length=[0.0, 0.2]), {"length": -1.0})
    assert cost[0] == -cost[1] > 0


def test_part_advantages_leave_out_a_completion_that_lacks_the_part():
    given_parts = [{"a": 0.0}, {"a": 1.0}, {}]
    expected = group_advantages([0.0, 1.0])
    assert part_advantages(given_parts, {"a": 1.0, "absent": 1.0}) == pytest.approx((*expected, 0.0))


def test_whiten_divides_by_the_std_of_groups_with_signal():
    # -1, 1, -3, 3: unbiased std sqrt(20 / 3); the group of equal rewards neither counts nor changes
    scale = math.sqrt(20 / 3) + STD_EPSILON
    found = whiten([(-1.0, 1.0), (0.0, 0.0, 0.0), (-3.0, 3.0)])
    assert found == [
        pytest.approx((-1 / scale, 1 / scale)),
        (0.0, 0.0, 0.0),
        pytest.approx((-3 / scale, 3 / scale)),
    ]
    assert whiten([(0.0, 0.0)]) == [(0.0, 0.0)]
    assert whiten([]) == []


columns = st.integers(2, 8).flatmap(
    lambda size: st.dictionaries(
        st.sampled_from("abcd"),
        st.lists(st.floats(-1, 1, width=32), min_size=size, max_size=size),
        min_size=1,
    )
)


@given(columns, st.floats(-3, 3), st.floats(0.5, 4))
def test_part_advantages_obey_their_laws(table, level, scale):
    weights = {"a": 0.5, "b": 0.3, "c": -0.2, "d": 0.1}
    found = np.array(part_advantages(parts(**table), weights))
    assert found.sum() == pytest.approx(0, abs=1e-6)
    # the level of a part has no effect, and its scale almost none once it is well above the 1e-4
    changed = {name: [level + scale * value for value in values] for name, values in table.items()}
    if all(max(values) - min(values) > 0.1 or max(values) == min(values) for values in table.values()):
        assert part_advantages(parts(**changed), weights) == pytest.approx(found, abs=0.02)


@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=8))
def test_advantages_of_one_part_are_those_of_the_sum_up_to_scale(rewards):
    (found,) = advantages([with_parts(a=rewards)], part_weights={"a": 1.0})
    of_sum = group_advantages(rewards)
    assert np.corrcoef(found, of_sum)[0, 1] == pytest.approx(1) if any(of_sum) else not any(found)


def test_advantages_by_part_find_signal_in_equal_totals():
    # equal totals, different parts: nothing to learn from the sum, something from the parts
    group = with_parts(fabric=[0.0, 1.0], shape=[1.0, 0.0])
    assert assemble([group], advantages([group]), step=1).groups == ()
    batch = assemble([group], advantages([group], part_weights={"fabric": 2.0, "shape": 1.0}), step=1)
    # whitened: -x, x have std sqrt(2) x
    assert [s.advantage for s in batch.groups[0].samples] == pytest.approx([-math.sqrt(0.5), math.sqrt(0.5)], abs=1e-3)
    equal = [with_parts(fabric=[1.0, 1.0])]
    assert assemble(equal, advantages(equal, part_weights={"fabric": 1.0}), step=1).groups == ()


def test_advantages_refuse_weights_that_name_no_part():
    with pytest.raises(
        UserError, match=r"none of the reward's parts: its keys are VaseReward/fabric; the reward's parts are fabric"
    ):
        advantages([with_parts(fabric=[0.0, 1.0])], part_weights={"VaseReward/fabric": 1.0})
    with pytest.raises(ValueError, match="normalised"):
        advantages([with_parts(fabric=[0.0, 1.0])], normalise=False, part_weights={"fabric": 1.0})


def test_advantage_settings_are_off_by_default(tmp_path):
    path = tmp_path / "train.toml"
    path.write_text('run_dir = "r"\nnum_steps = 1\n[model]\npath = "m"\n[data]\npath = "d"\n')
    assert not load_config(TrainSettings, path).advantage.per_dimension
    chosen = load_config(TrainSettings, path, ["--advantage.per_dimension", "true"]).advantage
    assert (chosen.per_dimension, chosen.weights["fabric"], chosen.weights["penalty/length"]) == (True, 0.2, -0.1)
    with pytest.raises(UserError, match=r"needs loss\.normalise_advantages"):
        load_config(TrainSettings, path, ["--advantage.per_dimension", "true", "--loss.normalise_advantages", "false"])
