"""Tests the manifest of a checkpoint: every changed byte is detected, newer formats are refused by name."""

import hashlib
import json
import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaserl.errors import DamagedCheckpointError, UserError
from vaserl.runs.checkpoint.manifest import CHECKPOINT_FORMAT, CheckpointManifest, StoredFile

MANIFEST = CheckpointManifest(
    job="train",
    step=12,
    weights_version=13,
    epoch=3,
    num_ranks=2,
    inputs={"config": "9f", "data set": "ab", "é": "☃"},
    metrics={"caption": 0.1 + 0.2, "length": 40.0},
    files={
        "state-00000-of-00002.safetensors": StoredFile.describing(b"a"),
        "weights-v00013/adapter_config.json": StoredFile.describing(b""),
    },
)
CONTENT = MANIFEST.to_bytes()


def resealed(**changes: object) -> bytes:
    """Returns the manifest's content with other values and the digest that fits them."""
    content = {key: value for key, value in {**json.loads(CONTENT), **changes}.items() if key != "sha256"}
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    content["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def test_manifest_survives_the_file_and_pickling():
    assert CheckpointManifest.from_bytes(CONTENT) == MANIFEST
    assert resealed() == CONTENT
    assert pickle.loads(pickle.dumps(MANIFEST)) == MANIFEST
    assert MANIFEST.num_bytes == 1


def test_manifest_detects_every_flipped_bit():
    for position in range(len(CONTENT)):
        for bit in range(8):
            damaged = bytearray(CONTENT)
            damaged[position] ^= 1 << bit
            with pytest.raises(DamagedCheckpointError, match=r"^s3://runs/manifest\.json: "):
                CheckpointManifest.from_bytes(bytes(damaged), "s3://runs/manifest.json")


def test_manifest_detects_every_truncation():
    for length in range(len(CONTENT)):
        with pytest.raises(DamagedCheckpointError):
            CheckpointManifest.from_bytes(CONTENT[:length])


@given(content=st.binary(max_size=60) | st.text('[]{}:"1eé,', max_size=60).map(str.encode), at=st.integers(0, 2000))
def test_manifest_refuses_any_other_bytes(content: bytes, at: int):
    for other in (content, CONTENT[:at] + content + CONTENT[at:] if content else b"", b"[" * 100_000):
        with pytest.raises(DamagedCheckpointError):
            CheckpointManifest.from_bytes(other)


def test_manifest_of_a_newer_format_is_refused_with_the_remedy():
    with pytest.raises(
        UserError, match=rf"format {CHECKPOINT_FORMAT + 1}; .*up to {CHECKPOINT_FORMAT}.*Continue"
    ) as caught:
        CheckpointManifest.from_bytes(resealed(format=CHECKPOINT_FORMAT + 1, something_new=[1]))
    assert not isinstance(caught.value, DamagedCheckpointError)


@pytest.mark.parametrize(
    "changes",
    [
        {"step": -1},
        {"step": "12"},
        {"epoch": True},
        {"job": "curate"},
        {"surprise": 1},
        {"files": []},
        {"files": {"../config.toml": {"num_bytes": 1, "sha256": "0" * 64}}},
        {"files": {"/etc/passwd": {"num_bytes": 1, "sha256": "0" * 64}}},
        {"files": {"a": {"num_bytes": 1, "sha256": "0"}}},
        {"files": {"a": {"num_bytes": 1}}},
        {"metrics": {"caption": "high"}},
        {"inputs": {"config": None}},
    ],
)
def test_manifest_with_a_fitting_digest_is_checked_too(changes: dict):
    with pytest.raises(DamagedCheckpointError):
        CheckpointManifest.from_bytes(resealed(**changes))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_manifest_takes_no_number_that_json_lacks(value: float):
    with pytest.raises(ValueError, match="'caption' must be a finite number"):
        replace(MANIFEST, metrics={"caption": value})


def test_damaged_checkpoint_error_survives_pickling():
    error = pickle.loads(pickle.dumps(DamagedCheckpointError("a/manifest.json", "cut")))
    assert (error.file, error.reason, str(error)) == ("a/manifest.json", "cut", "a/manifest.json: cut")
