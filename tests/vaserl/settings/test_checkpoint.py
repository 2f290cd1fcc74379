"""Tests the settings of checkpoints."""

import pytest

from vaserl.settings.checkpoint import CheckpointSettings


@pytest.mark.parametrize(
    ("every", "method", "interval"),
    [(None, "lora", 1), (None, "full", 25), (0, "lora", 0), (0, "full", 0), (3, "full", 3)],
)
def test_checkpoint_interval_depends_on_the_method_unless_set(every: int | None, method: str, interval: int):
    assert CheckpointSettings(every=every).interval(method) == interval
