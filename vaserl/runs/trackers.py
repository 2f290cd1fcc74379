"""Sends a run's metrics to trackers (TensorBoard, Weights & Biases) while it trains."""

from collections.abc import Callable, Mapping
from typing import Any

from vaserl.errors import UserError
from vaserl.runs.run import RecordedRun
from vaserl.settings.section import Section

Tracker = Callable[[int, Mapping[str, float]], None]
"""Function that logs metrics; takes the step's number and the metrics by name."""


def start_tracker(name: str, run: RecordedRun[Any], settings: Section) -> Tracker:
    """Starts the tracker of that name. Raises: UserError when its package is not installed."""
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
