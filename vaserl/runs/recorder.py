"""Writes the files of a training run during training: metrics, timeline, completions and weights."""

import json
import math
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Generic, Self, TextIO, TypeVar

from vaserl.files import sha256_of
from vaserl.grpo.parts import Learner
from vaserl.policy.weights import FINGERPRINT_FILE, write_fingerprint, write_weights
from vaserl.runs.beginning import Beginning
from vaserl.runs.progress import Progress
from vaserl.runs.rows import TimelineSpan, rollout_rows
from vaserl.runs.run import RecordedRun, Run
from vaserl.runs.saver import CheckpointSaver
from vaserl.runs.trackers import start_tracker
from vaserl.settings import SftSettings, TrainSettings
from vaserl.types import ScoredGroup, Weights

_SettingsT = TypeVar("_SettingsT", SftSettings, TrainSettings)


class Recorder(Generic[_SettingsT]):
    """Writer of a training run's metrics and timeline, step by step, after the steps that the run has already.

    Each step is recorded only after the checkpoint of the step
    before it is written, so a killed run loses at most one recorded step. A job whose folder was claimed by a later job
    can't record anything.
    """

    def __init__(
        self,
        run: RecordedRun[_SettingsT],
        settings: _SettingsT,
        begin: Beginning,
        *,
        trackers: Sequence[str] = (),
        num_versions: int = 0,
    ):
        """num_versions: number of versions of the
        published weights that a checkpoint contains."""
        self._run, self._begin = run, begin
        self._metrics = run.metrics_file.open("a")
        self._timeline = run.timeline_file.open("a")
        earlier = run.timeline
        self._started = time.monotonic() - max((span.end_s for span in earlier), default=0.0)
        self._recorded = {(span.step, span.phase) for span in earlier if span.step}
        self._timeline_lock = threading.Lock()
        self._trackers = [start_tracker(name, run, settings, begin.after_step) for name in trackers]
        self.status = begin.status
        # a continued run must have the same base model, whose fingerprint the first job wrote
        inputs = {"base model": sha256_of(run.path / FINGERPRINT_FILE), "config": sha256_of(run.config_file)}
        self._saver = CheckpointSaver(
            settings,
            begin,
            inputs=inputs,
            num_versions=num_versions,
            before_commit=self._sync,
            committed=self.status.checkpointed,
        )
        self._last = begin.after_step

    @contextmanager
    def phase(self, step: int, name: str, worker: str = "driver") -> Iterator[None]:
        """Measures the time of a `with` block and writes it to the timeline as one phase of the step. Thread-safe.

        A phase that an earlier job has recorded already is not written again: a continued run repeats the publication
        of the weights that it begins with.

        Raises: TakenOverError, before the block runs, when a later job has claimed the folder.
        """
        self._begin.claim.check()
        start = time.monotonic() - self._started
        with self.status.phase(step, name):
            yield
        if (step, name) in self._recorded:
            return
        end = time.monotonic() - self._started
        span = TimelineSpan(step=step, phase=name, worker=worker, start_s=round(start, 4), end_s=round(end, 4))
        with self._timeline_lock:
            _write_line(self._timeline, asdict(span))

    def pieces(self, step: int, phase: str, seconds: Mapping[str, float]) -> None:
        """Appends the durations of a phase's timed parts to pieces.jsonl. seconds: {part: duration}."""
        self._begin.claim.check()
        rounded = {name: round(value, 4) for name, value in seconds.items()}
        with self._timeline_lock, self._run.pieces_file.open("a") as file:
            _write_line(file, {"step": step, "phase": phase, **rounded})

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Appends a step's metrics to metrics.jsonl and sends them to the trackers (TensorBoard, Weights & Biases).

        Metrics that are NaN or infinite are left out, because JSON has neither; the metric `nonfinite_metrics` is then
        their number.

        Raises: the errors of `CheckpointSaver.settle`; TakenOverError when a later job has claimed the folder.
        """
        self._saver.settle()
        self._begin.claim.check()
        self._last = step
        values = _finite(values)
        _write_line(self._metrics, {"step": step, **values})
        self.track(step, values)
        if values.get("skipped"):
            self.status.skipped()
        self.status.advanced()

    def track(self, step: int, values: Mapping[str, float]) -> None:
        """Sends values, such as a validation's metrics, to the trackers."""
        for tracker in self._trackers:
            tracker(step, values)

    def __enter__(self) -> Self:
        return self

    def checkpoint(self, step: int, learner: Learner, values: Mapping[str, float], *, is_last: bool) -> None:
        """Begins a checkpoint of a step if one is due; see `CheckpointSaver`. values: validation metrics of the
        step."""
        if self._saver.is_due(step, is_last=is_last):
            with self.phase(step, "checkpoint"):
                self._saver.save(step, learner, values)

    def finish(self, stop_reason: str = "") -> None:
        """Waits for the last checkpoint and marks the run as complete. stop_reason: why the run ends before its last
        step; empty if it doesn't."""
        self._saver.settle()
        self._begin.claim.check()
        reason = stop_reason or f"all {self._last} steps are done"
        self._run.write_finished(steps=self._last, reason=reason, stopped_early=bool(stop_reason))

    def stop(self, cause: str) -> None:
        """Finishes a checkpoint that is being written, if that takes less than `_GRACE_S` seconds, and prints how to
        continue the run. cause: why the job ends."""
        try:
            self._saver.settle(_GRACE_S)
        except Exception as error:
            print(f"checkpoint: {error}", file=sys.stderr)
        self.status.stopped(cause)
        kept = self._saver.last_step
        where = f"after step {kept}" if kept else "at step 1, because there is no checkpoint yet"
        text = f"stopped by {cause} after step {self._last}; the same command continues {where}"
        print(f"{self._run.path.name}: {text}", file=sys.stderr)

    def _sync(self) -> None:
        for file in (self._metrics, self._timeline):
            os.fsync(file.fileno())

    def __exit__(self, *_: object) -> None:
        self._saver.close()
        self._metrics.close()
        self._timeline.close()


class GrpoRecorder(Recorder[TrainSettings]):
    """Recorder of a GRPO run. It also writes the completions of each step, saves weights and shows the progress."""

    def __init__(self, run: Run, settings: TrainSettings, begin: Beginning, trackers: Sequence[str] = ()):
        num_versions = 1 + (settings.max_staleness if settings.loop == "ahead" else 0)
        super().__init__(run, settings, begin, trackers=trackers, num_versions=num_versions)
        self._grpo, self._settings = run, settings
        self._progress = Progress("grpo", settings.num_steps, begin.after_step, self.status.waits_for)
        self._num_skipped = sum(bool(row.get("skipped")) for row in begin.metrics)

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Appends a step's metrics to metrics.jsonl, sends them to the trackers, and advances the progress display."""
        super().metrics(step, values)
        shown: dict[str, float | str] = {word: values[name] for word, name in _SHOWN.items() if name in values}
        self._num_skipped += bool(values.get("skipped"))
        if self._num_skipped:
            shown["skipped"] = str(self._num_skipped)
        self._progress.advance(1, **shown)

    def rollouts(self, step: int, scored: Sequence[ScoredGroup], advantages_P_G: Sequence[Sequence[float]]) -> None:
        """Writes the step's completions, P groups of G each, with their scores and advantages.

        Raises: TakenOverError when a later job has claimed the folder.
        """
        self._begin.claim.check()
        self._grpo.write_rollouts(step, rollout_rows(step, scored, advantages_P_G))

    def keep(self, step: int, weights: Weights, learner: Learner, validation: Mapping[str, float]) -> None:
        """Begins the step's checkpoint if one is due. Saves the weights that the step produced if the step is a
        multiple of `save_every`. validation: validation metrics of the step; empty if it was not validated."""
        self.know_version(weights)
        self.checkpoint(step, learner, validation, is_last=step == self._settings.num_steps)
        save_every = self._settings.save_every
        if save_every and step % save_every == 0:
            self._save_weights(weights, learner)

    def know_version(self, weights: Weights) -> None:
        """Remembers published weights without files to be written now, for the checkpoints of the next steps."""
        if weights.files:
            self._saver.keep_version(weights)

    def complete(self, weights: Weights, learner: Learner, stop_reason: str = "") -> None:
        """Saves the run's last weights and marks the run as complete. stop_reason: why the run ends before its last
        step; empty if it doesn't."""
        self.checkpoint(self._last, learner, {}, is_last=True)  # of a run that stops early; others have it
        if not self._grpo.weights_folder(weights.version).is_dir():
            self._save_weights(weights, learner)
        self.finish(stop_reason)

    def _save_weights(self, weights: Weights, learner: Learner) -> None:
        self._begin.claim.check()
        with self._grpo.saving_weights(weights.version) as folder:
            if weights.files:
                write_weights(weights, folder)
            else:  # the weights have no files, because their tensors are sent from GPU to GPU
                learner.save(folder)
                write_fingerprint(weights, folder)

    def __enter__(self) -> Self:
        super().__enter__()
        self._progress.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._progress.__exit__(*error)
        super().__exit__(*error)


_GRACE_S = 1.5
"""Time in seconds for which a job that was told to end waits for a checkpoint. Ray kills a job's process 3 seconds
after it told it to end."""

_SHOWN = {"reward": "reward/mean", "length": "length/mean"}
"""Metrics shown in the progress display: {label: name of the metric}."""


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    return finite if len(finite) == len(values) else {**finite, "nonfinite_metrics": float(len(values) - len(finite))}


def _write_line(stream: TextIO, values: Mapping[str, Any]) -> None:
    left = (json.dumps(values, allow_nan=False) + "\n").encode()
    try:
        while left:  # unbuffered: on a full disk, what is left in a buffer would raise again when the file is closed
            left = left[os.write(stream.fileno(), left) :]
    except OSError as error:  # it doesn't name the file
        raise OSError(error.errno, error.strerror, stream.name) from error
