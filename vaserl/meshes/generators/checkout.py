"""Imports modules from a generator's checkout and checks that its files exist; installs and downloads nothing."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch

from vaserl.errors import UserError


def import_from(checkout: Path, places: Sequence[str], module: str, setting: str) -> ModuleType:
    """Imports a module of the checkout, after adding the checkout's folders `places` to sys.path.

    `setting` is the table of settings that error messages name.

    Raises: UserError when the checkout or the module is missing, or one of the checkout's requirements isn't installed.
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
        raise UserError(f"{setting}.checkout {checkout}: {module} was imported from {origin} instead")
    return found


def need_files(folder: Path, names: Sequence[str], setting: str, remedy: str = "download the weights there") -> Path:
    """Returns the folder if it contains all of `names`. Raises: UserError naming what is missing, and the remedy."""
    if not folder.is_dir():
        raise UserError(f"{setting} {folder}: no such folder; {remedy}")
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise UserError(f"{setting} {folder}: lacks {', '.join(missing)}; {remedy}")
    return folder


def usable_device(device: str, setting: str) -> str:
    """Returns the device. Raises: UserError for CUDA when no CUDA device is visible to the process."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(
            f'{setting}.device "{device}": no CUDA device is visible to this process; set pool.lift.num_gpus, '
            "or choose another device"
        )
    return device
