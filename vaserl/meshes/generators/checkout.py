"""Imports modules from a generator's checkout (a clone of its repository) and checks that required files exist.

Nothing is installed or downloaded.
"""

import contextlib
import importlib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from vaserl.errors import UserError
from vaserl.meshes.generators.generator import LiftFailure


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


def loaded(load: Callable[[], Any], name: str) -> Any:
    """Returns the pipeline that `load` loads onto its device. `name` is the generator's name for the error message.

    Raises: UserError when the GPU has too little memory for it.
    """
    try:
        return load()
    except torch.OutOfMemoryError as error:
        problem = str(error).partition(". GPU")[0]
        raise UserError(
            f"{name} doesn't fit into the free memory of its GPU ({problem}); let fewer workers share a GPU: raise "
            "pool.lift.num_gpus or lower pool.lift.num_workers"
        ) from error


@contextlib.contextmanager
def captured_prints() -> Iterator[io.StringIO]:
    """Captures what Python code prints, and tracebacks that it prints. The checkouts print the errors of their surface
    extraction and go on without a mesh."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        yield text


def without_surface(name: str, printed: str) -> LiftFailure:
    """Returns the failure of a photograph for which the generator made no surface.

    printed: what the checkout printed meanwhile.

    Raises: RuntimeError when it printed an error of CUDA, which concerns every photograph.
    """
    lines = [line for line in printed.splitlines() if line.strip()]
    if any("out of memory" in line for line in lines):
        return LiftFailure(f"{name} ran out of GPU memory")
    if any("CUDA" in line for line in lines):
        raise RuntimeError(f"{name} failed to extract the surface:\n{printed}")
    return LiftFailure(f"{name} found no surface")
