"""Tests the learning-rate schedule against numbers by hand."""

import pytest
import torch

from vaserl.policy.optimizer import decay_groups, learning_rate


def test_learning_rate_by_hand():
    def at(step: int, cosine: bool) -> float:
        return learning_rate(step, peak=1.0, warmup_steps=4, num_steps=12, cosine=cosine)

    assert [at(s, True) for s in (1, 4)] == [0.25, 1.0]
    assert at(8, True) == pytest.approx(0.5)  # half of the eight steps after warm-up
    assert at(12, True) == pytest.approx(0.02)
    assert at(8, False) == 1.0


def test_decay_groups_spare_parameters_with_one_axis():
    matrix, bias, scale = (torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 2), (2,), ()))
    groups = decay_groups([matrix, bias, scale], 0.5)
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.5), (2, 0.0)]
    assert [len(group["params"]) for group in decay_groups([matrix], 0.5)] == [1]  # an adapter: no empty group
    for parameter in (matrix, bias, scale):
        parameter.grad = torch.zeros_like(parameter)
    torch.optim.AdamW(groups, lr=0.1).step()
    assert matrix.tolist() == [[pytest.approx(0.95)] * 2] * 2  # 1 - 0.1 * 0.5
    assert bias.tolist() == [1.0, 1.0] and scale.tolist() == 1.0
