"""Imports modules from a generator's checkout (a clone of its repository) and checks that required files exist.

Nothing is installed or downloaded.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch

from vaserl.errors import UserError


def import_from(checkout: Path, places: Sequence[str], module: str, setting: str) -> ModuleType:
    """Imports and returns a module of the checkout, after adding the checkout's folders `places` to sys.path.

    `setting` is the name of the settings table for error messages.

    Raises: UserError when the checkout or the module is missing, or one of the checkout's requirements isn't installed.
    """
    need_files(checkout, places, f"{setting}.checkout", "clone the generator's repository there")
    for place in places:
        path = str((checkout / place).resolve())
        if path not in sys.path:
            sys.path.append(path)
    try:
        found = importlib.import_module(module)
    except (ImportError, RuntimeError) as error:  # diffusers and transformers raise RuntimeError for what they lack
        raise UserError(
            f"{setting}.checkout {checkout}: can't import {module} ({error}); the checkout must be the root of "
            "the repository's clone, and the repository's requirements must be installed"
        ) from error
    origin = Path(found.__file__ or "")
    if not origin.resolve().is_relative_to(checkout.resolve()):
        raise UserError(f"{setting}.checkout {checkout}: {module} was imported from {origin}, not from the checkout")
    return found


def need_files(folder: Path, names: Sequence[str], setting: str, remedy: str = "download the weights there") -> Path:
    """Returns the folder if it contains all files and folders in `names`.

    Raises: UserError with the missing names and `remedy`, an instruction to the user.
    """
    if not folder.is_dir():
        raise UserError(f"{setting} {folder}: no such folder; {remedy}")
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise UserError(f"{setting} {folder}: lacks {', '.join(missing)}; {remedy}")
    return folder


def usable_device(device: str, setting: str) -> str:
    """Returns `device`, the name of a torch device.

    Raises: UserError for a CUDA device when no CUDA device is visible to the process.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(
            f'{setting}.device "{device}": no CUDA device is visible to this process; set pool.lift.num_gpus, '
            "or choose another device"
        )
    return device
