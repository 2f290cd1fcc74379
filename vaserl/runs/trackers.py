"""Sends the metrics of a training run to experiment trackers: TensorBoard, Weights & Biases."""

from collections.abc import Callable, Mapping
from typing import Any

from vaserl.errors import UserError
from vaserl.runs.run import RecordedRun
from vaserl.settings.section import Section

Tracker = Callable[[int, Mapping[str, float]], None]
"""Function that logs the metrics of one step. Its arguments are the step's number and the metrics by name."""


def start_tracker(name: str, run: RecordedRun[Any], settings: Section) -> Tracker:
    """Starts the tracker `name` ("tensorboard" or "wandb") and returns its logging function.

    Raises: UserError if wandb is requested but not installed.
    """
    return {"tensorboard": _tensorboard, "wandb": _wandb}[name](run, settings)


def _tensorboard(run: RecordedRun[Any], settings: Section) -> Tracker:
    from torch.utils.tensorboard.writer import SummaryWriter

    writer = SummaryWriter(str(run.tensorboard_folder))

    def log(step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return log


def _wandb(run: RecordedRun[Any], settings: Section) -> Tracker:
    try:
        import wandb  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError("the setting trackers has wandb, which is not installed: pip install 'vaserl[wandb]'") from None
    started = wandb.init(project="vaserl", dir=str(run.path), config=settings.model_dump(mode="json"))
    return lambda step, values: started.log(dict(values), step=step)
