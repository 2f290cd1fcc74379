"""Which weights of a run a command is about: those that the user named, as a folder or by their version."""

import re
from pathlib import Path

from vaserl.errors import UserError
from vaserl.runs.checkpoint.folder_names import folder_name_in
from vaserl.runs.run import Run
from vaserl.runs.validation_row import best_validation

BEST = "best"
"""Name of the version with the best validation."""

_VERSION = re.compile(r"(?:weights-)?v(\d{5,})", re.ASCII)


def chosen_weights(path: Path, version: str | None = None) -> tuple[Run, int | None]:
    """Returns a GRPO run, and the version of its weights; None for the last one that is saved.

    path: folder of the run, or in it a folder of weights (weights/v00031) or of a checkpoint (checkpoints/step=00030).
    version: a number, or "best" for the weights with the best validation.

    Raises: UserError if there is no such run, if path and version contradict, or if nothing was validated.
    """
    run, named = _run_around(path.absolute())
    if named is not None and version is not None:
        raise UserError(f"{path} names the weights already; leave out --version {version}, or give the run's folder")
    if version is None:
        return run, named
    if version == BEST:
        return run, _best(run)
    if not version.isdecimal():
        raise UserError(f"--version {version}: expected a number or {BEST!r}")
    return run, int(version)


def _run_around(path: Path) -> tuple[Run, int | None]:
    weights, checkpoint = _VERSION.fullmatch(path.name), folder_name_in(path.name)
    inside = folder_name_in(path.parent.name)
    if checkpoint and path.is_dir():
        return Run.open(_above_checkpoints(path)), checkpoint.step + 1
    if weights and inside and path.is_dir():
        return Run.open(_above_checkpoints(path.parent)), int(weights[1])
    if weights and Run(path.parent.parent).weights_folder(int(weights[1])) == path and path.is_dir():
        return Run.open(path.parent.parent), int(weights[1])
    return Run.open(path), None


def _above_checkpoints(checkpoint: Path) -> Path:
    run = Run(checkpoint.parent.parent)
    if run.checkpoints_folder != checkpoint.parent:
        raise UserError(
            f"{checkpoint} does not lie in its run's folder (checkpoint.path is elsewhere); give the run's folder, and "
            "--version with the step's number + 1"
        )
    return run.path


def _best(run: Run) -> int:
    metric = run.settings.validation.metric
    best = best_validation(run.validations, metric)
    if best is None:
        raise UserError(
            f"{run.path} has no validation with validation/{metric}, so none of its weights are the best; give a number"
        )
    return best.weights_version
