"""Tasks that a run leaves out because they are too long, listed in dropped.jsonl in the run's folder."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from vaserl.files import json_lines, write_atomic

_DROPPED_FILE = "dropped.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedTask:
    """A task that is too long for a run's limits."""

    task: str
    """Identifier of the task."""
    part: Literal["prompt", "reference"]
    """What is too long: the prompt with the longest completion, or the reference answer."""
    num_tokens: int
    limit: int
    """Largest number of tokens that the run's settings allow."""


def write_dropped(run: Path, dropped: Sequence[DroppedTask]) -> None:
    """Writes the list to the run's folder, if there is anything to list."""
    if dropped:
        write_atomic(run / _DROPPED_FILE, json_lines([asdict(task) for task in dropped]))
