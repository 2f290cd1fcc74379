"""A run that was stopped after a step whose checkpoint is written."""

from pathlib import Path
from typing import Any

from tests.fakes.recordings import StateLearner, recording
from tests.fakes.scored_groups import scored_group
from tests.fakes.settings import train_settings
from vaserl.policy.weights import make_weights
from vaserl.runs.beginning import begun
from vaserl.runs.recorder import GrpoRecorder
from vaserl.runs.run import Run
from vaserl.settings import TrainSettings

NUM_STEPS = 5


def settings_of(**changes: Any) -> TrainSettings:
    """Returns the settings of a run of five steps that keeps all its checkpoints."""
    checkpoint = {"keep_last": 9} | changes.pop("checkpoint", {})
    return train_settings(num_steps=NUM_STEPS, checkpoint=checkpoint, trackers=[], **changes)


def take_step(recorder: GrpoRecorder, step: int, learner: StateLearner) -> None:
    """Records what the training loop records in a step."""
    with recorder.phase(step, "learn"):
        learner.num_steps = step
    recorder.rollouts(step, [scored_group("v1", ["a", "bc"], [0.0, 1.0])], [(-0.5, 0.5)])
    recorder.metrics(step, {"loss": step / 8})
    recorder.pieces(step, "learn", {"forward": 0.25})
    recorder.keep(step, make_weights(step + 1, {"adapter.bin": bytes([step])}), learner, {})


def interrupted(run: Run, num_steps: int = 3, settings: TrainSettings | None = None) -> None:
    """Runs a job up to a step whose checkpoint is written, and no further."""
    with recording(run, settings or settings_of()) as recorder:
        learner = StateLearner()
        for step in range(1, num_steps + 1):
            take_step(recorder, step, learner)
        recorder.stop("a test")


def begin(run: Run, settings: TrainSettings | None = None, **given: Any) -> Any:
    """Begins a job, and ends it without a step. Returns: the state in which it began."""
    given = {"num_steps": NUM_STEPS, "data_sha256": "0" * 64} | given
    with begun(run, settings or settings_of(), **given) as beginning:
        return beginning


def checkpoint_file(run: Run, step: int, name: str = "state") -> Path:
    return run.checkpoints_folder / f"step={step:05d}" / name
