"""Which vases are learned from and which are held out: by hash, so that it is the same whatever the order."""

import hashlib
from collections.abc import Collection

from vaserl.curation.settings import SplitSettings


def split_vases(vase_ids: Collection[str], settings: SplitSettings, seed: int) -> dict[str, str]:
    """train, val or test for each vase; a vase has one, however many photographs show it.

    Test are the `num_test` smallest hashes, or those below `test_share`; validation are the next ones.
    """
    names = sorted(set(vase_ids), key=lambda vase_id: (position(vase_id, seed), vase_id))
    splits: dict[str, str] = {}
    end = 0.0
    for split, number, share in (
        ("test", settings.num_test, settings.test_share),
        ("val", settings.num_val, settings.val_share),
    ):
        end += share
        left = [name for name in names if name not in splits]
        chosen = left[:number] if number is not None else [name for name in left if position(name, seed) < end]
        splits.update(dict.fromkeys(chosen, split))
    return {name: splits.get(name, "train") for name in names}


def position(vase_id: str, seed: int) -> float:
    """Where the vase falls in [0, 1): uniform over vases, a pure function of its id and the seed."""
    digest = hashlib.sha256(f"split/{seed}/{vase_id}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
