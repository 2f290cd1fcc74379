"""Puts the learner into the state in which a run was stopped, and says how to continue when a job is told to end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from actors.learner import LearnerGroup
from launch.interruption import Interruption, naming_signals
from vaserl.errors import UserError
from vaserl.grpo.parts import Learner
from vaserl.grpo.start import LoopStart
from vaserl.policy.fingerprint import mean_gap
from vaserl.runs.beginning import Beginning
from vaserl.runs.checkpoint.space import checkpoint_bytes, missing_space
from vaserl.runs.checkpoint.stored import StoredCheckpoint, open_checkpoint
from vaserl.runs.checkpoint_weights import checkpoint_versions, checkpoint_weights
from vaserl.runs.recorder import GrpoRecorder, Recorder
from vaserl.runs.run import RecordedRun
from vaserl.settings import StartSettings, TrainSettings
from vaserl.types import Fingerprint


def starting_moments(start: StartSettings) -> StoredCheckpoint | None:
    """Returns the checkpoint whose moments a new run begins with, None if they begin at 0.

    Raises: UserError when `start.optimizer` is not the folder of a checkpoint.
    """
    return None if start.optimizer is None else open_checkpoint(str(start.optimizer))


def continue_from(
    begin: Beginning, ranks: LearnerGroup, run: RecordedRun[Any], max_gap: float, start: StartSettings
) -> LoopStart:
    """Restores the state of a run's checkpoint in the learner and returns where the training loop begins.

    For a new run, nothing is restored but the moments of `start.optimizer`, and the learner's log-probabilities of a
    fixed probe text are stored in the run's folder. A later job compares its own with them before it restores anything:
    the checkpoint has the trained parameters only, so the base model must be that of the run.

    max_gap: largest mean absolute difference between the stored and the present log-probabilities.

    Raises: UserError when the base model is another one; RuntimeError when the restored weights differ from those that
    the run had published.
    """
    found = ranks.fingerprint()
    if begin.checkpoint is None:
        run.write_initial_fingerprint(found)
        if moments := starting_moments(start):
            ranks.take_moments(moments)
        return LoopStart()
    _check_base(run, found, max_gap)
    ranks.restore(begin.checkpoint)
    version = begin.after_step + 1
    stored = checkpoint_versions(begin.checkpoint)
    if version in stored and ranks.weights(version).digest != checkpoint_weights(begin.checkpoint, version).digest:
        raise RuntimeError(
            f"{run.path}: the weights restored from the checkpoint of step {begin.after_step} differ from those that "
            "the run published after that step"
        )
    earlier = tuple(checkpoint_weights(begin.checkpoint, number) for number in stored if number < version)
    return LoopStart(step=version, earlier=earlier, metrics=tuple(begin.metrics))


def remember_versions(recorder: GrpoRecorder, settings: TrainSettings, ranks: Learner, start: LoopStart) -> None:
    """Gives a recorder the weights with which an overlapped loop begins. They sample steps after the first ones, so the
    checkpoints of the first steps must contain them."""
    if settings.loop == "ahead" and settings.max_staleness:
        for weights in (*start.earlier, ranks.weights(version=start.step)):
            recorder.know_version(weights)


def warn_of_little_space(begin: Beginning, num_parameters: int) -> None:
    """Prints a warning if the disk has no room for a run's checkpoints. num_parameters: number of trained
    parameters."""
    # two bytes for each parameter of the published weights; of weights in float32 it is a lower bound
    if message := missing_space(begin.store.place, checkpoint_bytes(num_parameters, 2 * num_parameters)):
        print(f"warning: {message}", file=sys.stderr)


@contextmanager
def stopping(recorder: Recorder[Any]) -> Iterator[None]:
    """Finishes a checkpoint that is being written, and prints how to continue, if the job is told to end while the
    `with` block runs."""
    try:
        with naming_signals():
            yield
    except Interruption as interruption:
        recorder.stop(interruption.signal.name)
        raise


def _check_base(run: RecordedRun[Any], found: Fingerprint, max_gap: float) -> None:
    expected = run.initial_fingerprint
    is_same_text = expected.token_ids == found.token_ids
    gap = mean_gap(expected.logprobs, found.logprobs) if is_same_text else float("inf")
    if not gap <= max_gap:
        raise UserError(
            f"{run.path}: the model at model.path is not the one that this run was started with: its log-probabilities "
            f"of the probe text differ by {gap:.2e} on average; the limit is {max_gap:.2e}. Restore the model, or "
            "start again with --fresh"
        )
