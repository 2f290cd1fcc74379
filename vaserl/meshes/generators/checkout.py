"""Loads modules and weights from folders that the settings name; installs and downloads nothing."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import torch

from vaserl.errors import UserError


def import_from(checkout: Path, places: Sequence[str], module: str, setting: str) -> ModuleType:
    """Imports a module, with the folders `places` of the checkout on the import path.

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
    """Returns the folder if it contains these files and folders. Raises: UserError naming what is missing."""
    if not folder.is_dir():
        raise UserError(f"{setting} {folder}: no such folder; {remedy}")
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise UserError(f"{setting} {folder}: lacks {', '.join(missing)}; {remedy}")
    return folder


def usable_device(device: str, setting: str) -> str:
    """Returns the device. Raises: UserError for CUDA when the process sees no CUDA device."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(
            f'{setting}.device "{device}": this process sees no CUDA device; set pool.lift.num_gpus, '
            "or choose another device"
        )
    return device
