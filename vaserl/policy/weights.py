"""Weights that the learner sends to the engines: computes and checks their digest, and writes them into a folder."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from vaserl.policy.tensor_file import FileContent, byte_view
from vaserl.types import UNVOUCHED, Fingerprint, Weights

MODEL_TENSORS = "model.safetensors"
"""Name of the file with the tensors of a whole model."""
FINGERPRINT_FILE = "fingerprint.json"
_DIGEST_CHUNK = 4 << 20


def make_weights(version: int, files: Mapping[str, FileContent], fingerprint: Fingerprint = UNVOUCHED) -> Weights:
    """Returns a `Weights` object with these files, their digest, and the given version number and fingerprint."""
    return Weights(version=version, files=dict(files), digest=digest_files(files), fingerprint=fingerprint)


def digest_files(files: Mapping[str, FileContent]) -> str:
    """Returns one sha256, in hexadecimal, for all files. It is computed from the file name, length and sha256 of each
    chunk of 4 MiB, in the order of the file names.

    The chunks are hashed in parallel: a single thread would need more than 0.1 s for the adapter of a 7B model.
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
    """Raises ValueError when the digest computed from the files differs from the digest in `weights`."""
    if digest_files(weights.files) != weights.digest:
        raise ValueError(
            f"version {weights.version} of the weights was damaged in transfer: the files' digest does not match"
        )


def write_weights(weights: Weights, folder: Path) -> Path:
    """Writes the files of the weights into `folder`, and also their fingerprint (logprobs of a fixed text) if they have
    one.

    Returns: the folder.

    Raises: ValueError when the digest computed from the files differs from the digest in `weights`.
    """
    check_digest(weights)
    return write_files(folder_contents(weights), folder)


def folder_contents(weights: Weights) -> dict[str, FileContent]:
    """Returns the files that `write_weights` writes, as a dict from file name to content."""
    contents = dict(weights.files)
    if weights.fingerprint != UNVOUCHED:
        contents[FINGERPRINT_FILE] = fingerprint_content(weights.fingerprint)
    return contents


def fingerprint_content(fingerprint: Fingerprint) -> bytes:
    """Returns the content of the file in which a fingerprint is stored."""
    return f"{json.dumps(dataclasses.asdict(fingerprint))}\n".encode()


def weights_from_contents(version: int, contents: Mapping[str, FileContent]) -> Weights:
    """Returns the weights whose `folder_contents` are `contents`."""
    files = {name: content for name, content in contents.items() if name != FINGERPRINT_FILE}
    stored = contents.get(FINGERPRINT_FILE)
    return make_weights(version, files, UNVOUCHED if stored is None else _fingerprint(bytes(stored)))


def write_fingerprint(weights: Weights, folder: Path) -> None:
    """Writes the fingerprint of the weights into `folder`, if they have one."""
    if weights.fingerprint != UNVOUCHED:
        (folder / FINGERPRINT_FILE).write_bytes(fingerprint_content(weights.fingerprint))


def write_files(files: Mapping[str, FileContent], folder: Path) -> Path:
    """Writes each file into `folder`, which is created if it is missing. Returns: the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(byte_view(content))
    return folder


def read_fingerprint(folder: Path) -> Fingerprint:
    """Returns the fingerprint (logprobs of a fixed text) that `write_weights` stored in `folder`. If there is none,
    returns the empty fingerprint UNVOUCHED."""
    if not (folder / FINGERPRINT_FILE).is_file():
        return UNVOUCHED
    return _fingerprint((folder / FINGERPRINT_FILE).read_bytes())


def _fingerprint(content: bytes) -> Fingerprint:
    found = json.loads(content)
    return Fingerprint(token_ids=tuple(found["token_ids"]), logprobs=tuple(found["logprobs"]))


def _sha256(content: memoryview) -> bytes:
    return hashlib.sha256(content).digest()
