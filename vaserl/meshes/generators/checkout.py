"""Modules and weights from folders that the settings name: nothing is installed, nothing is fetched."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch

from vaserl.errors import UserError


def import_from(checkout: Path, places: Sequence[str], module: str, setting: str) -> ModuleType:
    """The module, with `places` of the checkout on the import path.

    Raises: UserError when the checkout isn't there, lacks the module, or misses one of its own requirements.
    """
    need_files(checkout, places, f"{setting}.checkout", "clone the generator's repository there")
    for place in places:
        path = str((checkout / place).resolve())
        if path not in sys.path:
            sys.path.append(path)
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"{setting}.checkout {checkout}: can't import {module} ({error}); is it the repository's root, and are its "
            "requirements installed?"
        ) from error
    origin = Path(found.__file__ or "")
    if not origin.resolve().is_relative_to(checkout.resolve()):
        raise UserError(f"{setting}.checkout {checkout}: {module} was taken from {origin} instead")
    return found


def need_files(folder: Path, names: Sequence[str], setting: str, remedy: str = "download the weights there") -> Path:
    """The folder, when it holds these files or folders. Raises: UserError naming what is missing."""
    if not folder.is_dir():
        raise UserError(f"{setting} {folder}: no such folder; {remedy}")
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise UserError(f"{setting} {folder}: lacks {', '.join(missing)}; {remedy}")
    return folder


def usable_device(device: str, setting: str) -> str:
    """The device. Raises: UserError for CUDA where there is none."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(
            f'{setting}.device "{device}": this process sees no CUDA device; give lift.pool.num_gpus, or another device'
        )
    return device
