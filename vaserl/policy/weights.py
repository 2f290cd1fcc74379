"""Weights that the learner sends to the engines: their digest, and the folder in which a version is stored."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vaserl.policy.tensor_file import FileContent, byte_view
from vaserl.types import UNVOUCHED, Fingerprint, Weights

FINGERPRINT_FILE = "fingerprint.json"
_DIGEST_CHUNK = 4 << 20


def make_weights(version: int, files: Mapping[str, FileContent], fingerprint: Fingerprint = UNVOUCHED) -> Weights:
    """Returns the version of the weights that consists of these files, with their digest."""
    return Weights(version=version, files=dict(files), digest=digest_files(files), fingerprint=fingerprint)


def digest_files(files: Mapping[str, FileContent]) -> str:
    """Returns one sha256, in hexadecimal, of all files: over the name, length and sha256 of each 4 MiB chunk, sorted by
    file name.

    The chunks are hashed in parallel: one thread needs more than a tenth of a second for a 7B model's adapter.
    """
    chunks = [
        (name, view[start : start + _DIGEST_CHUNK])
        for name in sorted(files)
        for view in [byte_view(files[name])]
        for start in range(0, max(len(view), 1), _DIGEST_CHUNK)
    ]
    total = hashlib.sha256()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        each = (threads.map if len(chunks) > len(files) else map)(_sha256, (chunk for _, chunk in chunks))
        for (name, chunk), part in zip(chunks, each, strict=True):
            total.update(f"{name}\0{len(chunk)}\0".encode() + part)
    return total.hexdigest()


def check_digest(weights: Weights) -> None:
    """Raises ValueError when the files differ from those that the digest was computed from."""
    if digest_files(weights.files) != weights.digest:
        raise ValueError(f"weights v{weights.version} were damaged in transfer: their digest does not match")


def write_weights(weights: Weights, folder: Path) -> Path:
    """Writes the files of the weights, and their fingerprint (logprobs of a fixed text) if they have one, into
    `folder`.

    Returns: the folder.

    Raises: ValueError when the digest does not match.
    """
    check_digest(weights)
    target = write_files(weights.files, folder)
    if weights.fingerprint != UNVOUCHED:
        (target / FINGERPRINT_FILE).write_text(json.dumps(dataclasses.asdict(weights.fingerprint)) + "\n")
    return target


def write_files(files: Mapping[str, FileContent], folder: Path) -> Path:
    """Writes each file into `folder`, which is created if it is missing. Returns: the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(byte_view(content))
    return folder


def read_fingerprint(folder: Path) -> Fingerprint:
    """Returns the fingerprint that `write_weights` stored in `folder`, or the empty one, UNVOUCHED, if there is
    none."""
    if not (folder / FINGERPRINT_FILE).is_file():
        return UNVOUCHED
    found = json.loads((folder / FINGERPRINT_FILE).read_text())
    return Fingerprint(token_ids=tuple(found["token_ids"]), logprobs=tuple(found["logprobs"]))


def _sha256(content: memoryview) -> bytes:
    return hashlib.sha256(content).digest()
