"""Begins a run in its folder: as a new run, or after the last checkpoint of a run that was stopped."""

import json
import os
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vaserl.errors import UserError
from vaserl.files import read_json_lines, write_atomic
from vaserl.runs.changes import SettingChange, changes_between, forbidden_changes, rounding_changes
from vaserl.runs.checkpoint.store import CheckpointStore
from vaserl.runs.checkpoint.stored import StoredCheckpoint
from vaserl.runs.claim import RunClaim, claimed
from vaserl.runs.run import RecordedRun
from vaserl.runs.status import SignsOfLife
from vaserl.settings import SftSettings, TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """The state in which a job begins to write to its run's folder."""

    claim: RunClaim
    store: CheckpointStore
    """Store of the run's checkpoints."""
    inputs: Mapping[str, str]
    """Hash of each input that the run's result depends on, by the input's name."""
    status: SignsOfLife
    """Writer of the job's status.json."""
    checkpoint: StoredCheckpoint | None = None
    """Checkpoint that the run continues from; None if it begins at the first step."""
    is_finished: bool = False
    """True if the run has all its steps already, so that there is nothing to do."""
    metrics: Sequence[Mapping[str, Any]] = field(default_factory=list)
    """Rows of metrics.jsonl up to the checkpoint's step."""

    @property
    def after_step(self) -> int:
        """Number of steps that the run has finished; 0 for a new run."""
        return self.checkpoint.step if self.checkpoint else 0


@contextmanager
def begun(
    run: RecordedRun[Any],
    settings: TrainSettings | SftSettings,
    *,
    num_steps: int,
    data_sha256: str,
    reward_sha256: Mapping[str, str] | None = None,
    fresh: bool = False,
) -> Iterator[Beginning]:
    """Claims a run's folder for the duration of the `with` block, and finds out where the run begins.

    A new run begins at step 1. A run that was stopped begins after its newest undamaged checkpoint; the records of
    later steps are removed, because these steps are made again. A run with several finished steps that has written no
    checkpoint yet is renamed to NAME.before-N, and a new one begins. Within the block, status.json is kept up to date.

    num_steps: number of steps of the run. data_sha256: SHA-256 of the data set. reward_sha256: SHA-256 of the code of
    each reward function, by the function's name in the config. fresh: if true, a run in the folder is renamed in any
    case.

    Raises: UserError when another job writes to the folder, when the folder has other files than a run's, when the
    run's checkpoints are gone, and when the settings or inputs differ from those that the run was started with in a way
    that changes its result.
    """
    run.check_usable()
    store = CheckpointStore(os.path.expanduser(settings.checkpoint.path) or str(run.checkpoints_folder))
    inputs = {"data set": data_sha256, **{f"reward {name}": sha for name, sha in (reward_sha256 or {}).items()}}
    with ExitStack() as claims:
        claim = claims.enter_context(claimed(run.path))
        # a job that ended before its first step leaves settings, but nothing to continue
        has_run = run.config_file.is_file() and bool(_has_metrics(run) or store.steps())
        changes: list[SettingChange] = []
        checkpoint: StoredCheckpoint | None = None
        if has_run and not fresh:
            changes = _allowed_changes(run, settings)
            if run.is_finished(num_steps) and not _goes_on(run, changes):
                print(f"{run.path}: this run is finished: {run.outcome}. --fresh starts it again", file=sys.stderr)
                status = SignsOfLife(run.path, run.JOB, num_steps)
                yield Beginning(claim=claim, store=store, inputs=inputs, status=status, is_finished=True)
                return
            checkpoint = _newest(run, store)
        if checkpoint is None:
            if not (has_run and Path(store.place).is_relative_to(run.path.absolute())):
                _check_unused(run, store)  # before the run is set aside, which leaves them where they are
            if has_run and not fresh:
                _check_none_lost(run, store)
            if has_run and (fresh or len(_recorded(run)) > 1):
                aside = run.set_aside()
                print(f"{run.path.name}: an earlier run was moved to {aside}", file=sys.stderr)
                claim = claims.enter_context(claimed(run.path, after_epoch=claim.epoch))
        else:
            _check_continues(run, checkpoint, inputs, num_steps)
        inputs[_RUN] = _run_id(run) or (checkpoint and checkpoint.manifest.inputs.get(_RUN)) or uuid.uuid4().hex
        store.sweep()  # not earlier: in the checkpoints of another run, that run may be writing
        after_step = checkpoint.step if checkpoint else 0
        run.drop_after(after_step if checkpoint else -1)
        store.drop_after(after_step)
        run.begin(settings, reward_sha256)
        begin = Beginning(
            claim=claim,
            store=store,
            inputs=inputs,
            status=SignsOfLife(run.path, run.JOB, num_steps, step=after_step, epoch=claim.epoch),
            checkpoint=checkpoint,
            metrics=run.metrics,
        )
        _log_start(run, begin, changes)
        if has_run and not fresh:
            print(f"{run.path.name}: continues after step {begin.after_step} of {num_steps}", file=sys.stderr)
        with begin.status:
            yield begin


def _allowed_changes(run: RecordedRun[Any], settings: TrainSettings | SftSettings) -> list[SettingChange]:
    """Returns the differences between the run's settings and those given now, and prints those that change rounding.

    Raises: UserError when a difference would change the run's result.
    """
    changes = changes_between(run.settings, settings)
    if forbidden := forbidden_changes(changes, settings):
        listed = "\n".join(f"  {change}" for change in forbidden)
        raise UserError(
            f"{run.path} holds a run with other settings, and continuing it with these would change its result:\n"
            f"{listed}\nGive the run's own settings to continue it, another --run_dir for a new run, or --fresh to set "
            "the old folder aside and start again"
        )
    for change in rounding_changes(changes):
        print(f"{run.path.name}: {change}; the rest of the run may differ by rounding", file=sys.stderr)
    return changes


def _newest(run: RecordedRun[Any], store: CheckpointStore) -> StoredCheckpoint | None:
    """Returns the newest undamaged checkpoint, and prints the damaged ones and the number of steps lost with them."""
    found, damages = store.newest_good()
    for damage in damages:
        print(f"{run.path.name}: checkpoint of step {damage.step}: {damage.file}: {damage.reason}", file=sys.stderr)
    if damages and not found:
        raise UserError(
            f"{run.path}: none of its checkpoints is undamaged, so the run can't be continued. Restore them, or start "
            "again with --fresh"
        )
    if damages and found:
        lost = max(damage.step for damage in damages) - found.step
        print(f"{run.path.name}: {lost} steps are lost with the damage and are made again", file=sys.stderr)
    return found


def _check_unused(run: RecordedRun[Any], store: CheckpointStore) -> None:
    if steps := store.steps():
        raise UserError(
            f"checkpoint.path {store.place} has checkpoints of an earlier run (up to step {max(steps)}), but "
            f"{run.path} begins at step 1. Name another place with --checkpoint.path, or remove them"
        )


def _check_continues(
    run: RecordedRun[Any], checkpoint: StoredCheckpoint, inputs: Mapping[str, str], num_steps: int
) -> None:
    """Checks that a checkpoint belongs to these inputs. Raises: UserError that names the inputs which have changed."""
    before, step = checkpoint.manifest.inputs, checkpoint.step
    if None not in (before.get(_RUN), _run_id(run)) and before[_RUN] != _run_id(run):
        raise UserError(
            f"{checkpoint.place} is a checkpoint of another run than {run.path}. Each run needs a checkpoint.path of "
            "its own: give the one that this run was started with"
        )
    if changed := [name for name in sorted(inputs) if before.get(name) != inputs[name]]:
        raise UserError(
            f"{run.path}: since this run was started, the content of these inputs has changed: {', '.join(changed)}. "
            "Restore them to continue the run, or start again with --fresh"
        )
    if step > num_steps:
        raise UserError(f"{run.path} has {step} finished steps, but the settings ask for {num_steps} only")
    if len(_recorded(run)) < step:
        raise UserError(
            f"{run.metrics_file} has {len(_recorded(run))} steps, but the checkpoint is of step {step}. Restore the "
            "file, or start again with --fresh"
        )
    for number, row in enumerate(_recorded(run)[:step], start=1):
        if row.get("step") != number:
            raise UserError(
                f"{run.metrics_file}: row {number} is of step {row.get('step')}, so a row is missing or doubled. "
                "Restore the file, or start again with --fresh"
            )


def _check_none_lost(run: RecordedRun[Any], store: CheckpointStore) -> None:
    """Checks that a run without checkpoints can't have had any. Raises: UserError that names the place to look at."""
    settings, num_done = run.settings, len(_recorded(run))
    if 0 < settings.checkpoint.interval(settings.learner.method) < num_done:
        raise UserError(
            f"{run.path} has {num_done} finished steps, but {store.place} has no checkpoint: they were moved or "
            "deleted, their disk is not mounted, or none could be written. Bring them back, give their place with "
            "--checkpoint.path, or start again with --fresh"
        )


def _goes_on(run: RecordedRun[Any], changes: Sequence[SettingChange]) -> bool:
    """Tells whether a run that was stopped early has another rule for the early stop now, so that it may go on."""
    return run.is_stopped_early and any(change.key in _EARLY_STOP for change in changes)


def _has_metrics(run: RecordedRun[Any]) -> bool:
    """Tells whether metrics.jsonl has a row, without reading it: --fresh is the way out of a damaged one."""
    try:
        return b"\n" in run.metrics_file.read_bytes()
    except FileNotFoundError:
        return False


def _recorded(run: RecordedRun[Any]) -> list[dict[str, Any]]:
    return read_json_lines(run.metrics_file, drop_torn=True)


def _log_start(run: RecordedRun[Any], begin: Beginning, changes: Sequence[SettingChange]) -> None:
    row = {
        _RUN: begin.inputs[_RUN],
        "epoch": begin.claim.epoch,
        "after_step": begin.after_step,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "changed": {change.key: [change.before, change.after] for change in changes},
    }
    earlier = run.starts_file.read_bytes() if run.starts_file.is_file() else b""
    whole_lines = earlier[: earlier.rfind(b"\n") + 1]
    write_atomic(run.starts_file, whole_lines + (json.dumps(row, ensure_ascii=False) + "\n").encode())


def _run_id(run: RecordedRun[Any]) -> str | None:
    """Returns the random name of a run, which its checkpoints contain too; None if it has none yet."""
    try:
        return read_json_lines(run.starts_file, drop_torn=True)[-1].get(_RUN)
    except (UserError, IndexError):  # a damaged log of the starts is no reason to refuse a run
        return None


_RUN = "run"
"""Name of a run's random name among the inputs of its checkpoints, and in starts.jsonl."""

_EARLY_STOP = ("validation.stop_after", "validation.min_gain", "validation.metric")
"""Keys that decide when validations stop a run."""
