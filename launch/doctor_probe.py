"""What `launch doctor` looks at on one machine. Everything here runs without a GPU and without Ray."""

import hashlib
import importlib.metadata
import json
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vaserl.errors import UserError
from vaserl.rewards import read_sources
from vaserl.settings import RewardSettings

_Found = TypeVar("_Found")
_PROCESS_TIMEOUT_S = 60.0
_KILL_TIMEOUT_S = 1.0
_SAMPLE = 2**20
"""Bytes at both ends of each weights file that its digest contains: reading all of a 7B model takes a minute."""
_RENDER = """
from vaserl.meshes.offscreen import acquire_renderer
from OpenGL.GL import GL_RENDERER, GL_VENDOR, glGetString
acquire_renderer()
print("found:", glGetString(GL_VENDOR).decode(), "/", glGetString(GL_RENDERER).decode())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a job needs on each machine."""

    lock: Mapping[str, str]
    """Version of each locked package."""
    folders: Mapping[str, str]
    """Folders that the job writes to, by the key of the config."""
    model: str = ""
    """Folder of the model; "" if none is looked for."""
    reward: RewardSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFindings:
    """What was found on one machine."""

    host: str
    python: str
    gpus: tuple[str, ...]
    """Name, memory and driver of each GPU."""
    differing: tuple[str, ...]
    """Locked packages that are missing or have another version: "torch 2.10, locked 2.11"."""
    renderer: str
    """Vendor and renderer of OpenGL; if off-screen rendering fails, "" and the reason is in `problems`."""
    free: Mapping[str, int]
    """Free bytes, by folder."""
    model: str
    """Digest of the model's files, by which machines are compared; "" without a model."""
    rewards: Mapping[str, str]
    """SHA-256 of the code of each reward function."""
    problems: tuple[str, ...]


def look(wanted: Wanted) -> NodeFindings:
    """Looks at this machine."""
    problems: list[str] = []

    def tried(what: Callable[[], _Found], otherwise: _Found) -> _Found:
        try:
            return what()
        except (UserError, OSError) as error:
            problems.append(str(error))
            return otherwise

    nothing: dict[str, str] = {}
    reward, model = wanted.reward, wanted.model
    free: dict[str, int] = {}
    for key, folder in {**wanted.folders, "shared memory": "/dev/shm"}.items():
        tried(lambda key=key, folder=folder: free.update({folder: free_bytes(folder, key)}), None)
    return NodeFindings(
        host=socket.gethostname(),
        python=platform.python_version(),
        gpus=tried(gpus, ()),
        differing=differing_packages(wanted.lock, installed_version),
        renderer=tried(renderer, ""),
        free=free,
        model=tried(lambda: model_digest(Path(model)), "") if model else "",
        rewards=tried(lambda: {each.name: each.sha256 for each in read_sources(reward)}, nothing) if reward else {},
        problems=tuple(problems),
    )


def gpus() -> tuple[str, ...]:
    """Returns name, memory and driver of each GPU; empty where nvidia-smi is missing.

    Raises: UserError if nvidia-smi is there but fails or does not end.
    """
    if not shutil.which("nvidia-smi"):
        return ()
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    code, output, errors = run_tool("nvidia-smi", command)
    if code:
        raise UserError(f"nvidia-smi fails with exit code {code}: {_last(errors or output)}. Check the driver")
    return tuple(line.strip() for line in output.splitlines() if line.strip())


def run_tool(name: str, command: Sequence[str], timeout_s: float = _PROCESS_TIMEOUT_S) -> tuple[int, str, str]:
    """Runs a command. A process that a broken driver holds in uninterruptible sleep is not waited for.

    Returns: exit code, output and error output. Raises: UserError with `name` if it can't be started or does not end in
    time.
    """
    with (
        tempfile.TemporaryFile("w+", errors="replace") as output,
        tempfile.TemporaryFile("w+", errors="replace") as log,
    ):
        try:
            process = subprocess.Popen(command, stdout=output, stderr=log, stdin=subprocess.DEVNULL)
        except OSError as error:
            raise UserError(f"{name} can't be started: {error.strerror}") from error
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_KILL_TIMEOUT_S)
            raise UserError(f"{name} did not end within {timeout_s:g} s") from error
        output.seek(0)
        log.seek(0)
        return code, output.read(), log.read()


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1].rstrip(".")


def read_lock(path: Path) -> dict[str, str]:
    """Returns the version of each package in a file of locked packages."""
    pairs = (line.strip().partition("==") for line in path.read_text().splitlines() if "==" in line)
    return {name: version.split()[0] for name, _, version in pairs if not name.startswith("#")}


def installed_version(package: str) -> str:
    """Returns the version of an installed package, "" if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def differing_packages(lock: Mapping[str, str], version_of: Callable[[str], str]) -> tuple[str, ...]:
    """Returns the packages that are not as locked. A build's suffix ("+cpu") counts only if the lock has one too."""
    found = []
    for name, locked in lock.items():
        version = version_of(name)
        same = version == locked or ("+" not in locked and version.partition("+")[0] == locked)
        if not same:
            found.append(f"{name} {version or 'missing'}, locked {locked}")
    return tuple(found)


def renderer() -> str:
    """Returns vendor and renderer of the OpenGL with which turntables are filmed, in a process of its own.

    Raises: UserError if off-screen rendering fails.
    """
    _, output, errors = run_tool("off-screen rendering (EGL)", [sys.executable, "-c", _RENDER])
    found = [line.removeprefix("found: ") for line in output.splitlines() if line.startswith("found: ")]
    if not found:
        raise UserError(
            f"off-screen rendering (EGL) fails: {_last(errors)}. launch/setup.sh installs the system libraries"
        )
    return found[0]


def free_bytes(folder: str, key: str) -> int:
    """Returns the free bytes of a folder's disk, for this user. A folder that isn't there yet counts with the nearest
    one above, in which it can be made. key: what the folder is for, in messages.

    Raises: UserError if files can't be written there.
    """
    place = Path(folder)
    try:
        while not place.exists():
            place = place.parent
        with tempfile.TemporaryFile(dir=place):  # permissions alone don't tell: the disk may be read-only
            pass
        return shutil.disk_usage(place).free
    except OSError as error:
        raise UserError(f"{key} {folder}: {place} can't be written to: {error.strerror}") from error


def model_digest(folder: Path) -> str:
    """Returns a digest of config.json and of names, sizes and both ends of the weights files.

    Raises: UserError if a file is missing or the index can't be read.
    """
    if not (folder / "config.json").is_file():
        raise UserError(f"model.path {folder} has no config.json on this machine")
    index = folder / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.is_file():
        try:
            names = sorted({str(name) for name in json.loads(index.read_bytes())["weight_map"].values()})
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise UserError(
                f"{index} is no index of weights on this machine ({type(error).__name__}: {error}); copy it again"
            ) from error
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise UserError(f"model.path {folder} lacks {', '.join(missing)} on this machine")
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for name in names:
        size = (folder / name).stat().st_size
        digest.update(f"{name} {size}".encode())
        with (folder / name).open("rb") as file:
            digest.update(file.read(_SAMPLE))
            file.seek(max(0, size - _SAMPLE))
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()
