"""Training settings for tests that need neither a model nor a data set."""

from typing import Any

from vaserl.settings import TrainSettings


def train_settings(**changes: Any) -> TrainSettings:
    """Returns the settings of an on-policy run of one step with one task, with these keys changed."""
    settings = {
        "run_dir": "run",
        "num_steps": 1,
        "tasks_per_step": 1,
        "max_logprob_gap": 0.1,
        "model": {"path": "model"},
        "data": {"path": "data"},
    }
    return TrainSettings.model_validate(settings | changes)
