"""Writes the files of a training run during training: metrics, timeline, completions and weights."""

import json
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Generic, Self, TextIO

from vaserl.grpo.parts import Learner
from vaserl.policy.weights import write_fingerprint, write_weights
from vaserl.runs.job_folder import SettingsT
from vaserl.runs.progress import Progress
from vaserl.runs.rows import TimelineSpan, rollout_rows
from vaserl.runs.run import RecordedRun, Run
from vaserl.runs.status import SignsOfLife
from vaserl.runs.trackers import start_tracker
from vaserl.settings import TrainSettings
from vaserl.types import ScoredGroup, Weights


class Recorder(Generic[SettingsT]):
    """Writer of a training run's metrics and timeline, step by step.

    If the folder contains an earlier run, the constructor renames that folder. It then writes the settings and the
    software versions. In a `with` block, it keeps status.json up to date.
    """

    _JOB = "sft"

    def __init__(
        self,
        run: RecordedRun[SettingsT],
        settings: SettingsT,
        trackers: Sequence[str] = (),
        reward_sha256: Mapping[str, str] | None = None,
        num_steps: int = 0,
    ):
        """reward_sha256: SHA-256 of the code of each reward function, by the function's name in the config. num_steps:
        number of steps of the whole run, for the time left."""
        self._run = run
        run.set_aside()
        run.begin(settings, reward_sha256)
        self._metrics = run.metrics_file.open("w")
        self._timeline = run.timeline_file.open("w")
        self._started = time.monotonic()
        self._timeline_lock = threading.Lock()
        self._trackers = [start_tracker(name, run, settings) for name in trackers]
        self.status = SignsOfLife(run.path, self._JOB, num_steps)

    @contextmanager
    def phase(self, step: int, name: str, worker: str = "driver") -> Iterator[None]:
        """Measures the time of a `with` block and writes it to the timeline as one phase of the step. Thread-safe."""
        start = time.monotonic() - self._started
        with self.status.phase(step, name):
            yield
        end = time.monotonic() - self._started
        span = TimelineSpan(step=step, phase=name, worker=worker, start_s=round(start, 4), end_s=round(end, 4))
        with self._timeline_lock:
            _write_line(self._timeline, asdict(span))

    def pieces(self, step: int, phase: str, seconds: Mapping[str, float]) -> None:
        """Appends the durations of a phase's timed parts to pieces.jsonl. seconds: {part: duration}."""
        rounded = {name: round(value, 4) for name, value in seconds.items()}
        with self._timeline_lock, self._run.pieces_file.open("a") as file:
            _write_line(file, {"step": step, "phase": phase, **rounded})

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Appends a step's metrics to metrics.jsonl and sends them to the trackers (TensorBoard, Weights & Biases).

        Metrics that are NaN or infinite are left out, because JSON has neither; the metric `nonfinite_metrics` is then
        their number.
        """
        values = _finite(values)
        _write_line(self._metrics, {"step": step, **values})
        self.track(step, values)

    def track(self, step: int, values: Mapping[str, float]) -> None:
        """Sends values, such as a validation's metrics, to the trackers."""
        for tracker in self._trackers:
            tracker(step, values)
        if values.get("skipped"):
            self.status.skipped()
        self.status.advanced()

    def __enter__(self) -> Self:
        self.status.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._metrics.close()
        self._timeline.close()
        self.status.__exit__(*error)


class GrpoRecorder(Recorder[TrainSettings]):
    """Recorder of a GRPO run. It also writes the completions of each step, saves weights and shows the progress."""

    _JOB = "train"

    def __init__(
        self,
        run: Run,
        settings: TrainSettings,
        trackers: Sequence[str] = (),
        reward_sha256: Mapping[str, str] | None = None,
    ):
        super().__init__(run, settings, trackers, reward_sha256, settings.num_steps)
        self._grpo, self._settings = run, settings
        self._progress = Progress("grpo", settings.num_steps, waits_for=self.status.waits_for)
        self._num_skipped = 0

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Appends a step's metrics to metrics.jsonl, sends them to the trackers, and advances the progress display."""
        super().metrics(step, values)
        shown: dict[str, float | str] = {word: values[name] for word, name in _SHOWN.items() if name in values}
        self._num_skipped += bool(values.get("skipped"))
        if self._num_skipped:
            shown["skipped"] = str(self._num_skipped)
        self._progress.advance(1, **shown)

    def rollouts(self, step: int, scored: Sequence[ScoredGroup], advantages_P_G: Sequence[Sequence[float]]) -> None:
        """Writes the step's completions, P groups of G each, with their scores and advantages."""
        self._grpo.write_rollouts(step, rollout_rows(step, scored, advantages_P_G))

    def keep(self, step: int, weights: Weights, learner: Learner) -> None:
        """Saves the weights that a step produced, if the step is the last one or a multiple of `save_every`."""
        save_every = self._settings.save_every
        if step == self._settings.num_steps or (save_every and step % save_every == 0):
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


_SHOWN = {"reward": "reward/mean", "length": "length/mean"}
"""Metrics shown in the progress display: {label: name of the metric}."""


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    return finite if len(finite) == len(values) else {**finite, "nonfinite_metrics": float(len(values) - len(finite))}


def _write_line(stream: TextIO, values: Mapping[str, Any]) -> None:
    stream.write(json.dumps(values, allow_nan=False) + "\n")
    stream.flush()
