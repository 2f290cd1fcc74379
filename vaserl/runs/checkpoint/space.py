"""Space that a run's checkpoints take, compared with the free space before the run starts."""

import shutil
from pathlib import Path

from vaserl.files.storage import is_url, normalised

BYTES_PER_PARAMETER = 12
"""Size of a trained parameter's state: float32 master weight and the two moments of AdamW."""
FREE_FACTOR = 3
"""Free space that a run should start with, in sizes of a checkpoint: two that are kept and one being written."""


def checkpoint_bytes(num_trained: int, num_weight_bytes: int) -> int:
    """Returns the expected size of a checkpoint in bytes.

    num_trained: number of trained parameters. num_weight_bytes: size of one version of the published weights.
    """
    return BYTES_PER_PARAMETER * num_trained + num_weight_bytes


def free_space(place: str) -> int | None:
    """Returns the free space in bytes on the disk of a folder, which needn't exist yet; None for a URL.

    A quota of the user isn't seen.
    """
    place = normalised(place)
    if is_url(place):
        return None
    there = next(path for path in (Path(place), *Path(place).parents) if path.exists())
    return shutil.disk_usage(there).free


def missing_space(place: str, num_bytes: int) -> str | None:
    """Returns a message if a disk has less free space than `FREE_FACTOR` checkpoints take; None if it has enough.

    num_bytes: size of a checkpoint. A storage whose free space is unknown counts as large enough.
    """
    free = free_space(place)
    if free is None or free >= FREE_FACTOR * num_bytes:
        return None
    return (
        f"{place}: {free / 1e9:.1f} GB are free, but a checkpoint takes about {num_bytes / 1e9:.1f} GB and "
        f"{FREE_FACTOR} of them should fit. Free some space, or set checkpoint.path to a folder on another disk"
    )
