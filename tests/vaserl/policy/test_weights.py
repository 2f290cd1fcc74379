"""Tests the digest of published weights."""

import dataclasses

import numpy as np
import pytest

from vaserl.policy.weights import check_digest, make_weights

FILES = {"adapter_config.json": b"{}", "adapter_model.safetensors": np.arange(64, dtype=np.uint8)}


def test_digest_files_depends_on_names_contents_and_every_chunk():
    weights = make_weights(1, FILES)
    check_digest(weights)
    check_digest(dataclasses.replace(weights, files={name: bytes(content) for name, content in FILES.items()}))
    long = np.zeros(9 << 20, np.uint8)
    digests = {make_weights(1, {"a": long}).digest, make_weights(1, {"b": long}).digest}
    for place in (0, (4 << 20) - 1, 4 << 20, len(long) - 1):
        changed = long.copy()
        changed[place] = 1
        digests.add(make_weights(1, {"a": changed}).digest)
        with pytest.raises(ValueError, match="digest does not match"):
            check_digest(dataclasses.replace(make_weights(1, {"a": long}), files={"a": changed}))
    digests.add(make_weights(1, {"a": long[:-1]}).digest)
    assert len(digests) == 7
