"""The manifest of a checkpoint: what the checkpoint is, and the size and SHA-256 of each of its files.

The manifest is strict JSON with a SHA-256 of its own content. It has exactly one form for each content, so every
changed byte is detected, including one in the whitespace.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

import numpy as np

import vaserl
from vaserl.errors import DamagedCheckpointError, UserError
from vaserl.files.durable import bytes_of

MANIFEST_FILE = "manifest.json"
"""Name of the manifest in the folder of a checkpoint."""
CHECKPOINT_FORMAT = 1
"""Version number of the layout of checkpoints. It increases when the meaning or layout of a file changes."""
_DIGEST = "sha256"
"""Key of the manifest's own SHA-256."""
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """Size and digest of a file of a checkpoint."""

    num_bytes: int
    sha256: str
    """SHA-256 of the content, 64 hexadecimal digits in lower case."""

    def __post_init__(self) -> None:
        if type(self.num_bytes) is not int or self.num_bytes < 0:
            raise ValueError(f"num_bytes must be an integer of at least 0, got {self.num_bytes!r}")
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise ValueError(f"sha256 must be 64 hexadecimal digits, got {self.sha256!r}")

    @classmethod
    def describing(cls, content: "bytes | memoryview | np.ndarray[Any, Any]") -> "StoredFile":
        """Returns the size and digest of the content."""
        view = bytes_of(content)
        return cls(num_bytes=view.nbytes, sha256=hashlib.sha256(view).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointManifest:
    """What a checkpoint is and which files it consists of.

    Example: CheckpointManifest(job="train", step=12, weights_version=13, epoch=3, num_ranks=2,
        inputs={"config": "9f…"}, metrics={"caption": 0.41}, files={"state-00000-of-00002.safetensors": StoredFile(…)})
    """

    job: Literal["train", "sft"]
    """Kind of the run that wrote the checkpoint."""
    step: int
    """Last finished step, counted from 1; the run continues with the next one."""
    weights_version: int
    """Version of the weights that the step produced."""
    epoch: int
    """Number of the claim on the run folder under which the checkpoint was written."""
    num_ranks: int
    """Number of learner ranks that wrote files."""
    inputs: Mapping[str, str]
    """Hash of each input on which the run's results depend, by its name: config, data set, base model, reward code."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Validation metrics of the step; empty if the step wasn't validated."""
    files: Mapping[str, StoredFile]
    """Size and digest of each file, by its path relative to the checkpoint's folder, with "/" as separator."""
    format: int = CHECKPOINT_FORMAT
    """Version number of the layout of the checkpoint."""

    def __post_init__(self) -> None:
        if self.job not in ("train", "sft"):
            raise ValueError(f'job must be "train" or "sft", got {self.job!r}')
        for name in ("step", "weights_version", "epoch", "num_ranks", "format"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 0:
                raise ValueError(f"{name} must be an integer of at least 0, got {getattr(self, name)!r}")
        if not all(isinstance(name, str) and isinstance(digest, str) for name, digest in self.inputs.items()):
            raise ValueError("inputs must map names to hashes")
        for name, value in self.metrics.items():
            if type(value) not in (int, float) or not math.isfinite(value):
                raise ValueError(f"metric {name!r} must be a finite number, got {value!r}")
        for name in self.files:
            if name == MANIFEST_FILE or not name or any(part in ("", ".", "..") for part in name.split("/")):
                raise ValueError(f"{name!r} can't be the path of a file in a checkpoint")

    @property
    def num_bytes(self) -> int:
        """Size of all files together in bytes, without the manifest."""
        return sum(file.num_bytes for file in self.files.values())

    def to_bytes(self) -> bytes:
        """Returns the content of the manifest's file."""
        content = asdict(self)
        content["files"] = {name: asdict(file) for name, file in self.files.items()}
        content["inputs"], content["metrics"] = dict(self.inputs), dict(self.metrics)
        return _canonical({**content, _DIGEST: hashlib.sha256(_canonical(content)).hexdigest()})

    @classmethod
    def from_bytes(cls, content: bytes, place: str = MANIFEST_FILE) -> "CheckpointManifest":
        """Returns the manifest that a file contains. place: path or URL of the file, for error messages.

        Raises: DamagedCheckpointError if the content isn't exactly what `to_bytes` returned; UserError if a newer
        version of vaserl wrote it.
        """
        try:
            found = json.loads(content)
            digest = found.pop(_DIGEST)
            is_whole = digest == hashlib.sha256(_canonical(found)).hexdigest()
            is_whole = is_whole and _canonical({**found, _DIGEST: digest}) == content
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedCheckpointError(place, f"not a manifest ({type(error).__name__}: {error})") from error
        if not is_whole:
            raise DamagedCheckpointError(place, "the content doesn't match the SHA-256 that it states")
        # only after the digest: a flipped bit in the number would ask for a version that doesn't exist
        if isinstance(found.get("format"), int) and found["format"] > CHECKPOINT_FORMAT:
            raise UserError(
                f"{place}: written in checkpoint format {found['format']}; this is vaserl {vaserl.__version__}, which "
                f"reads formats up to {CHECKPOINT_FORMAT}. Continue the run with the version of vaserl that its "
                "versions.json names"
            )
        try:
            if found.keys() != {one.name for one in fields(cls)}:
                raise ValueError(f"expected other keys than {sorted(found)}")
            files = {name: StoredFile(**file) for name, file in found.pop("files").items()}
            return cls(**found, files=files)
        except (ValueError, TypeError, AttributeError) as error:
            raise DamagedCheckpointError(place, f"not a manifest of a checkpoint ({error})") from error


def _canonical(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
