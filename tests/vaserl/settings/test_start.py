"""Tests that a reference policy which nothing would use is refused."""

from pathlib import Path
from typing import Any

import pydantic
import pytest

from vaserl.settings import LossSettings, SftSettings, StartSettings, TrainSettings

PLACES: dict[str, Any] = {"run_dir": Path("r"), "model": {"path": Path("m")}, "data": {"path": Path("d")}}
START = StartSettings(weights=Path("w"), reference="start")


def test_reference_start_needs_weights():
    with pytest.raises(pydantic.ValidationError, match=r"has an effect with start\.weights only"):
        StartSettings(reference="start")


def test_moments_need_weights():
    with pytest.raises(pydantic.ValidationError, match=r"set start\.weights too"):
        StartSettings(optimizer=Path("checkpoints/step=00012"))


def test_reference_start_needs_a_loss_that_compares():
    with pytest.raises(pydantic.ValidationError, match=r"has an effect with loss\.beta > 0 only"):
        TrainSettings(num_steps=1, start=START, loss=LossSettings(beta=0.0), **PLACES)
    assert TrainSettings(num_steps=1, start=START, loss=LossSettings(beta=0.1), **PLACES).start == START


def test_reference_start_is_refused_in_supervised_training():
    with pytest.raises(pydantic.ValidationError, match="supervised training has no KL term"):
        SftSettings(start=START, **PLACES)
    assert SftSettings(start=StartSettings(weights=Path("w")), **PLACES).start.weights == Path("w")
