"""What `launch doctor` looks at on one machine. Everything here runs without a GPU and without Ray."""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vaserl.errors import UserError
from vaserl.rewards import read_sources
from vaserl.settings import RewardSettings

_PROCESS_TIMEOUT_S = 60.0
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

    def tried(what: Callable[[], str]) -> str:
        try:
            return what()
        except (UserError, OSError, subprocess.SubprocessError) as error:
            problems.append(str(error))
            return ""

    rewards: dict[str, str] = {}
    if wanted.reward is not None:
        reward = wanted.reward
        tried(lambda: rewards.update({each.name: each.sha256 for each in read_sources(reward)}) or "")
    return NodeFindings(
        host=socket.gethostname(),
        python=platform.python_version(),
        gpus=gpus(),
        differing=differing_packages(wanted.lock, installed_version),
        renderer=tried(renderer),
        free=free_bytes([*wanted.folders.values(), "/dev/shm"]),
        model=tried(lambda: model_digest(Path(wanted.model))) if wanted.model else "",
        rewards=rewards,
        problems=tuple(problems),
    )


def gpus() -> tuple[str, ...]:
    """Returns name, memory and driver of each GPU; empty where nvidia-smi is missing or fails."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PROCESS_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip())


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
    done = subprocess.run(
        [sys.executable, "-c", _RENDER], capture_output=True, text=True, timeout=_PROCESS_TIMEOUT_S, check=False
    )
    found = [line.removeprefix("found: ") for line in done.stdout.splitlines() if line.startswith("found: ")]
    if not found:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise UserError(f"off-screen rendering (EGL) fails: {last}. launch/setup.sh installs the system libraries")
    return found[0]


def free_bytes(folders: Sequence[str]) -> dict[str, int]:
    """Returns the free bytes of each folder's disk. A folder that isn't there yet counts with the nearest one above."""
    found = {}
    for folder in dict.fromkeys(folders):
        place = Path(folder)
        while not place.exists():
            place = place.parent
        if os.access(place, os.R_OK):
            found[folder] = shutil.disk_usage(place).free
    return found


def model_digest(folder: Path) -> str:
    """Returns a digest of config.json and of names, sizes and both ends of the weights files.

    Raises: UserError if a file is missing.
    """
    if not (folder / "config.json").is_file():
        raise UserError(f"model.path {folder} has no config.json on this machine")
    index = folder / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.is_file():
        names = sorted({str(name) for name in json.loads(index.read_text())["weight_map"].values()})
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
