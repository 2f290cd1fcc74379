"""Saves checkpoints of a run while its next step runs."""

import contextlib
import math
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Literal

from vaserl.errors import DamagedCheckpointError, UserError
from vaserl.files.durable import write_durably
from vaserl.files.storage import joined
from vaserl.grpo.parts import Learner
from vaserl.policy.weights import folder_contents
from vaserl.runs.beginning import Beginning
from vaserl.runs.checkpoint.manifest import CheckpointManifest, StoredFile
from vaserl.runs.checkpoint.retention import Retention
from vaserl.runs.checkpoint_weights import weights_name
from vaserl.settings import SftSettings, TrainSettings
from vaserl.types import Weights


class SaveError(UserError):
    """Error of a run whose checkpoints could not be written several times in a row."""


class CheckpointSaver:
    """Writer of a run's checkpoints.

    `save` copies the training state and returns; a thread writes the copy while the next step runs. `settle` waits for
    that thread. The run's recorder calls it before it records the next step, so at most one recorded step has no
    checkpoint at any moment.
    """

    def __init__(
        self,
        settings: TrainSettings | SftSettings,
        begin: Beginning,
        *,
        inputs: Mapping[str, str],
        num_versions: int = 0,
        before_commit: Callable[[], None] = lambda: None,
        committed: Callable[[int, str], None] = lambda step, place: None,
    ):
        """inputs: hashes of inputs that were not known when the run began, by name. num_versions: number of versions of
        the published weights that a checkpoint contains, the newest one included. before_commit: function that makes
        the records of the checkpoint's step durable. committed: function that gets each checkpoint's step and place."""
        self._job: Literal["train", "sft"] = "train" if isinstance(settings, TrainSettings) else "sft"
        self._settings, self._every = settings.checkpoint, settings.checkpoint.interval(settings.learner.method)
        checkpoint = settings.checkpoint
        best_metric = None
        if isinstance(settings, TrainSettings) and checkpoint.keep_best:
            best_metric = f"validation/{settings.validation.metric}"
        self._retention = Retention(
            keep_last=checkpoint.keep_last,
            keep_every=checkpoint.keep_every,
            best_metric=best_metric,
        )
        self._num_ranks = settings.learner.num_ranks
        self._begin, self._before_commit, self._committed = begin, before_commit, committed
        self._num_versions = num_versions
        self._versions: deque[Weights] = deque(maxlen=num_versions)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None
        self._num_failed = 0
        self._inputs = {**begin.inputs, **inputs}
        self.last_step = begin.after_step
        """Step of the newest checkpoint; 0 if there is none."""
        self._begun_step = begin.after_step

    def keep_version(self, weights: Weights) -> None:
        """Remembers a version of the published weights, for the checkpoints of the next `num_versions` steps."""
        if self._num_versions:
            self._versions.append(weights)

    def is_due(self, step: int, *, is_last: bool) -> bool:
        """Tells whether a step gets a checkpoint: every `checkpoint.every` steps, and the last step of the run."""
        return self._every > 0 and step > self._begun_step and (step % self._every == 0 or is_last)

    def save(self, step: int, learner: Learner, metrics: Mapping[str, float]) -> None:
        """Begins a checkpoint of a finished step. metrics: validation metrics of the step.

        Blocks while the learner copies its state, but not while the copy is written.

        Raises: SaveError when the last `checkpoint.max_failed` checkpoints could not be written; TakenOverError when
        another job has claimed the run's folder.
        """
        self._begun_step = step
        self.settle()
        self._begin.claim.check()
        learner.snapshot()
        versions = tuple(self._versions)
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        self._pending = self._thread.submit(self._write, step, learner, versions, finite)

    def settle(self, timeout_s: float | None = None) -> bool:
        """Waits until the last checkpoint is written. Returns: False if that took longer than `timeout_s` seconds.

        Raises: the same errors as `save`.
        """
        if self._pending is None:
            return True
        try:
            self._pending.result(timeout_s)
        except FutureTimeoutError:
            return False
        except (OSError, DamagedCheckpointError) as error:
            self._pending = None
            self._count_failure(error)
        else:
            self._pending, self._num_failed = None, 0
        return True

    def close(self) -> None:
        """Ends the thread without waiting for it."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _write(self, step: int, learner: Learner, versions: Sequence[Weights], metrics: Mapping[str, float]) -> None:
        store, claim = self._begin.store, self._begin.claim
        place = store.begin(step, claim.epoch)
        try:
            files = dict(learner.write_snapshot(place))
            for weights in versions:
                for name, content in folder_contents(weights).items():
                    path = f"{weights_name(weights.version)}/{name}"
                    write_durably(joined(place, path), content)
                    files[path] = StoredFile.describing(content)
            manifest = CheckpointManifest(
                job=self._job,
                step=step,
                weights_version=step + 1,
                epoch=claim.epoch,
                num_ranks=self._num_ranks,
                inputs=self._inputs,
                metrics=metrics,
                files=files,
            )
            self._before_commit()
            committed = store.commit(step, claim.epoch, manifest, claim.check)
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is the one to report
                store.abandon(place)
            raise
        self.last_step = step
        self._committed(step, committed.place)
        try:
            store.prune(self._retention)
        except (OSError, DamagedCheckpointError) as error:
            print(f"checkpoint: old checkpoints could not be removed: {error}", file=sys.stderr)

    def _count_failure(self, error: Exception) -> None:
        self._num_failed += 1
        limit = self._settings.max_failed
        cause = getattr(error, "cause", None) or error  # of Ray's error, whose message is a traceback of many lines
        since = f"the newest one is of step {self.last_step}" if self.last_step else "there is none yet"
        text = f"checkpoint: could not be written, {self._num_failed} of {limit} times in a row ({since}): {cause}"
        if self._num_failed >= limit:
            raise SaveError(f"{text}. Free some space, or name another place with --checkpoint.path") from error
        print(text, file=sys.stderr)
