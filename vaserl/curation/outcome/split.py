"""Assigns each vase to training, validation or test by a hash of its id, so that the order of vases does not matter.

Two goals exclude each other: that no vase enters or leaves the test split when other vases are added, and that the test
split has the same proportions of fabrics, techniques and shapes as the rest. A test split whose size is set as a share
(`test_share`) achieves the first goal. A test split whose size is set as a number (`num_test`) achieves the second. So
does the validation split, on which no results are reported.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from vaserl.curation.settings import SplitSettings
from vaserl.dataset import Row
from vaserl.errors import UserError
from vaserl.rewards.vase.facts import Facts
from vaserl.rewards.vase.parse import parse_record


def split_vases(strata: Mapping[str, str], settings: SplitSettings, seed: int) -> dict[str, str]:
    """Returns the split of each vase, "train", "val" or "test", by vase id.

    If `num_test` is set, that many test vases are drawn in proportion to the sizes of the strata. Otherwise the test
    vases are those whose hash, a number from 0 to 1, is less than `test_share`. Validation vases are drawn from the
    others, in proportion to the sizes of the strata.

    strata: the stratum of each vase, by vase id; see `stratum_of`.
    """
    if settings.num_test is None:
        test = {vase_id for vase_id in strata if position(vase_id, seed) < settings.test_share}
    else:
        test = drawn(strata, settings.num_test, seed)
    left = {vase_id: stratum for vase_id, stratum in strata.items() if vase_id not in test}
    num_val = settings.num_val if settings.num_val is not None else round(settings.val_share * len(strata))
    val = drawn(left, num_val, seed)
    return {v: "test" if v in test else "val" if v in val else "train" for v in sorted(strata)}


def with_split(rows: Sequence[Row], split: str, number: int, seed: int) -> list[Row]:
    """Returns the rows of an imported data set with `number` of its training vases moved into another split, drawn as
    by `drawn`.

    Raises: UserError that names the option, --num-val or --num-test, if the data set states the split itself or no
    vase would be left for training.
    """
    if number == 0:
        return list(rows)
    if stated := sum(row.split == split for row in rows):
        raise UserError(f"the data set states the split {split!r} for {stated} vases; leave out --num-{split}")
    train = {row.vase_id: stratum_of(row.record) for row in rows if row.kept and row.split == "train"}
    if number >= len(train):
        raise UserError(f"--num-{split} {number} leaves no vase for training: the training split has {len(train)}")
    moved = drawn(train, number, seed)
    return [replace(row, split=split) if row.vase_id in moved else row for row in rows]


def drawn(strata: Mapping[str, str], number: int, seed: int) -> set[str]:
    """Returns the ids of `number` vases, drawn from all strata in proportion to their sizes, or all ids if there are
    fewer.

    Fractional numbers of vases are rounded by the largest-remainder method. From each stratum, the vases with the
    smallest hashes are drawn.

    strata: the stratum of each vase, by vase id.
    """
    members: defaultdict[str, list[str]] = defaultdict(list)
    for vase_id in sorted(strata, key=lambda v: (position(v, seed), v)):
        members[strata[vase_id]].append(vase_id)
    total = len(strata)
    number = min(number, total)
    due = {stratum: number * len(found) / total for stratum, found in members.items()}
    given = {stratum: int(share) for stratum, share in due.items()}
    # strata with equal remainders, such as all those of one vase, are ordered by the hash of their next vase
    by_remainder = sorted(
        members, key=lambda s: (given[s] - due[s], position(members[s][min(given[s], len(members[s]) - 1)], seed))
    )
    for stratum in by_remainder[: number - sum(given.values())]:
        given[stratum] += 1
    return {vase_id for stratum, found in members.items() for vase_id in found[: given[stratum]]}


def stratum_of(record: Mapping[str, str]) -> str:
    """Returns the stratum of a vase: its fabric, technique and shape as the reward function parses them, with "/"
    between."""
    facts: Facts = parse_record(record)
    return "/".join(_names(facts[dimension]) for dimension in ("fabric", "technique", "shape"))


def position(vase_id: str, seed: int) -> float:
    """Returns a hash of the vase's id and the seed as a number in [0, 1). The hashes of many vases are uniformly
    distributed."""
    digest = hashlib.sha256(f"split/{seed}/{vase_id}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _names(terms: Collection) -> str:
    return "+".join(term.id or term.text for term in terms)
