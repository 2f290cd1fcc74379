"""Advantages dimension by dimension, by hand and by law; those of the sum are in test_grpo."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vaserl.grpo.test_loss import scored
from vaserl.errors import UserError
from vaserl.grpo.advantage import STD_EPSILON, advantages, credit, part_advantages, whiten
from vaserl.grpo.loss import assemble
from vaserl.settings import TrainSettings
from vaserl.settings.section import load_config
from vaserl.types import Score, ScoredGroup


def parts(**columns: list[float]) -> list[dict[str, float]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def with_parts(**columns: list[float]) -> ScoredGroup:
    group = scored([0.0] * len(next(iter(columns.values()))))
    return ScoredGroup(group=group.group, scores=tuple(Score(total=sum(p.values()), parts=p) for p in parts(**columns)))


def test_two_parts_by_hand():
    # fabric 0, 1: mean 1/2, std 1/sqrt 2; date 0.4, 0.2: mean 0.3, std 0.2/sqrt 2
    fabric = 0.5 / (math.sqrt(0.5) + STD_EPSILON)
    date = 0.1 / (0.2 * math.sqrt(0.5) + STD_EPSILON)
    found = part_advantages(parts(fabric=[0.0, 1.0], date=[0.4, 0.2]), {"fabric": 0.75, "date": 0.25})
    assert found == pytest.approx((-0.75 * fabric + 0.25 * date, 0.75 * fabric - 0.25 * date))


def test_a_small_difference_counts_as_much_as_a_large_one():
    found = part_advantages(parts(a=[0.0, 0.0, 1.0], b=[0.01, 0.0, 0.0]), {"a": 1.0, "b": 1.0})
    assert found[0] == pytest.approx(found[2], rel=0.06)  # the 1e-4 weighs on the smaller one
    # on the sum, the third is far ahead
    of_sum = advantages([0.01, 0.0, 1.0])
    assert of_sum[0] < 0 < of_sum[2]


def test_a_part_without_variance_adds_nothing():
    # equal but for the last bit: without the rule, (1e-16 - mean) / (std + 1e-4) is small, but at 1e-7 it would be 1e-3
    for noise in (0.0, 1e-16, 9e-7):
        found = part_advantages(parts(a=[0.0, 1.0], b=[0.3 + noise, 0.3]), {"a": 0.5, "b": 100.0})
        assert found == pytest.approx([0.5 * a for a in advantages([0.0, 1.0])])
    assert part_advantages(parts(a=[1.0, 1.0, 1.0]), {"a": 1.0}) == (0.0, 0.0, 0.0)


def test_a_negative_weight_makes_a_cost():
    cost = part_advantages(parts(length=[0.0, 0.2]), {"length": -1.0})
    assert cost[0] == -cost[1] > 0


def test_a_completion_that_lacks_a_part_is_left_out_of_it():
    given_parts = [{"a": 0.0}, {"a": 1.0}, {}]
    expected = advantages([0.0, 1.0])
    assert part_advantages(given_parts, {"a": 1.0, "absent": 1.0}) == pytest.approx((*expected, 0.0))


def test_the_step_is_whitened_over_what_has_signal():
    # -1, 1, -3, 3: unbiased std sqrt(20 / 3); the dead group neither counts nor changes
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
def test_laws_of_part_advantages(table, level, scale):
    weights = {"a": 0.5, "b": 0.3, "c": -0.2, "d": 0.1}
    found = np.array(part_advantages(parts(**table), weights))
    assert found.sum() == pytest.approx(0, abs=1e-6)
    # the level of a part says nothing, and its scale next to nothing, once it is well above the 1e-4
    changed = {name: [level + scale * value for value in values] for name, values in table.items()}
    if all(max(values) - min(values) > 0.1 or max(values) == min(values) for values in table.values()):
        assert part_advantages(parts(**changed), weights) == pytest.approx(found, abs=0.02)


@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=8))
def test_one_part_is_the_sum_up_to_the_whitening(rewards):
    (found,) = credit([with_parts(a=rewards)], part_weights={"a": 1.0})
    of_sum = advantages(rewards)
    assert np.corrcoef(found, of_sum)[0, 1] == pytest.approx(1) if any(of_sum) else not any(found)


def test_assemble_by_part():
    # equal totals, different parts: nothing to learn from the sum, something from the parts
    group = with_parts(fabric=[0.0, 1.0], shape=[1.0, 0.0])
    assert assemble([group], credit([group]), step=1).groups == ()
    batch = assemble([group], credit([group], part_weights={"fabric": 2.0, "shape": 1.0}), step=1)
    # whitened: -x, x have std sqrt(2) x
    assert [s.advantage for s in batch.groups[0].samples] == pytest.approx([-math.sqrt(0.5), math.sqrt(0.5)], abs=1e-3)
    equal = [with_parts(fabric=[1.0, 1.0])]
    assert assemble(equal, credit(equal, part_weights={"fabric": 1.0}), step=1).groups == ()


def test_weights_that_fit_nothing_are_an_error():
    with pytest.raises(UserError, match=r"none of the reward's parts: it has VaseReward/fabric; the parts are fabric"):
        credit([with_parts(fabric=[0.0, 1.0])], part_weights={"VaseReward/fabric": 1.0})
    with pytest.raises(ValueError, match="normalised"):
        credit([with_parts(fabric=[0.0, 1.0])], normalise=False, part_weights={"fabric": 1.0})


def test_the_setting(tmp_path):
    path = tmp_path / "train.toml"
    path.write_text('run_dir = "r"\nnum_steps = 1\n[model]\npath = "m"\n[data]\npath = "d"\n')
    assert not load_config(TrainSettings, path).advantage.per_dimension
    chosen = load_config(TrainSettings, path, ["--advantage.per_dimension", "true"]).advantage
    assert (chosen.per_dimension, chosen.weights["fabric"], chosen.weights["penalty/length"]) == (True, 0.2, -0.1)
    with pytest.raises(UserError, match=r"needs loss\.normalise_advantages"):
        load_config(TrainSettings, path, ["--advantage.per_dimension", "true", "--loss.normalise_advantages", "false"])
