"""Sends the metrics of a training run to experiment trackers: TensorBoard, Weights & Biases.

wandb reads its own environment variables (WANDB_PROJECT, WANDB_ENTITY, WANDB_NAME, WANDB_RUN_GROUP, WANDB_MODE, …). An
argument of `wandb.init` would override them, so an argument is passed only where its variable is not set.
"""

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.runs.run import RecordedRun
from vaserl.settings.section import Section

Tracker = Callable[[int, Mapping[str, float]], None]
"""Function that logs the metrics of one step. Its arguments are the step's number and the metrics by name."""

WANDB_ID_FILE = "wandb_id"
"""Name of the file in the run folder with the id of the run at Weights & Biases, which a resumed run continues."""
_OFFLINE = ("offline", "disabled", "dryrun")
"""Values of WANDB_MODE with which wandb needs no account."""


def check_trackers(names: Sequence[str]) -> None:
    """Checks, before anything is started, that each of the trackers can be started.

    Raises: UserError when a tracker's package is not installed, or when wandb is not offline and can't log in. On a
    terminal, wandb asks for the API key.
    """
    if "tensorboard" in names:
        _import("torch.utils.tensorboard", "SummaryWriter", "tensorboard", "pip install tensorboard")
    if "wandb" not in names:
        return
    wandb = _wandb_module()
    if os.environ.get("WANDB_MODE", "online") in _OFFLINE:
        return
    try:
        wandb.login()
    except wandb.Error as error:
        raise UserError(
            f"the setting trackers has wandb, which can't log in: {error} WANDB_MODE=offline keeps the metrics on this "
            "machine."
        ) from error


def start_tracker(name: str, run: RecordedRun[Any], settings: Section, after_step: int = 0) -> Tracker:
    """Starts the tracker `name` ("tensorboard" or "wandb") and returns its logging function.

    after_step: last step before a resume, 0 for a new run. Steps logged after it are hidden (TensorBoard) or keep
    their values (wandb, which accepts each step once; a resumed run computes the same values again).

    Raises: UserError when the tracker's package is not installed.
    """
    return {"tensorboard": _tensorboard, "wandb": _wandb}[name](run, settings, after_step)


def _tensorboard(run: RecordedRun[Any], settings: Section, after_step: int) -> Tracker:
    from torch.utils.tensorboard.writer import SummaryWriter

    writer = SummaryWriter(str(run.tensorboard_folder), purge_step=after_step + 1 if after_step else None)

    def log(step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return log


def _wandb(run: RecordedRun[Any], settings: Section, after_step: int) -> Tracker:
    wandb = _wandb_module()
    if wandb.run is not None:
        wandb.finish()  # of an earlier job in this process; wandb.init would continue that run
    id_file = run.path / WANDB_ID_FILE
    stored = id_file.read_text().strip() if id_file.is_file() else None
    ours = {
        "project": ("WANDB_PROJECT", "vaserl"),
        "name": ("WANDB_NAME", run.path.name),
        "id": ("WANDB_RUN_ID", stored),
    }
    arguments = {key: value for key, (variable, value) in ours.items() if value and not os.environ.get(variable)}
    started = wandb.init(
        **arguments, resume="allow", dir=str(run.path), config=settings.model_dump(mode="json"), allow_val_change=True
    )
    write_atomic(id_file, f"{started.id}\n".encode())
    return lambda step, values: started.log(dict(values), step=step)


def _wandb_module() -> Any:
    return _import("wandb", "init", "wandb", "pip install 'vaserl[wandb]'")


def _import(module: str, member: str, tracker: str, remedy: str) -> Any:
    """Returns an imported module.

    Raises: UserError when the module is missing or lacks `member`. A folder named `wandb` in the working directory,
    which wandb itself makes, can be imported too, but without the package it has no members.
    """
    try:
        found = importlib.import_module(module)
    except ImportError:
        found = None
    if not hasattr(found, member):
        raise UserError(f"the setting trackers has {tracker}, which is not installed: {remedy}")
    return found
