"""Assigns vases to training, validation and test by hash, so that the order of the vases does not matter.

Two requirements exclude each other. If vases must not move between the splits when others are added, the test set must
depend on each vase alone; if the test set must have the same mixture of vases as the rest, it depends on the rest. A
test set given as a share meets the first requirement. A test set given as a number meets the second, and so does
validation, on which no results are reported.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping

from vaserl.curation.settings import SplitSettings
from vaserl.rewards.vase.parse import Facts, parse_record


def split_vases(strata: Mapping[str, str], settings: SplitSettings, seed: int) -> dict[str, str]:
    """Returns the split, train, val or test, by vase id.

    strata: the stratum of each vase, by vase id; see `stratum_of`. Test vases are those whose hash lies below
    `test_share`, whatever their stratum, or `num_test` that are drawn stratum by stratum. Validation vases are drawn
    stratum by stratum from the rest.
    """
    if settings.num_test is None:
        test = {vase_id for vase_id in strata if position(vase_id, seed) < settings.test_share}
    else:
        test = drawn(strata, settings.num_test, seed)
    left = {vase_id: stratum for vase_id, stratum in strata.items() if vase_id not in test}
    num_val = settings.num_val if settings.num_val is not None else round(settings.val_share * len(strata))
    val = drawn(left, num_val, seed)
    return {v: "test" if v in test else "val" if v in val else "train" for v in sorted(strata)}


def drawn(strata: Mapping[str, str], number: int, seed: int) -> set[str]:
    """Returns the ids of `number` vases, or all if there are fewer.

    Each stratum contributes in proportion to its size, rounded by largest remainders; of its vases those with the
    smallest hashes are drawn.
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
    """Returns the stratum of a vase: fabric, technique and shape, as the reward's parser reads them, joined by "/"."""
    facts: Facts = parse_record(record)
    return "/".join(_names(facts[dimension]) for dimension in ("fabric", "technique", "shape"))


def position(vase_id: str, seed: int) -> float:
    """Returns a hash of id and seed as a number in [0, 1), uniformly distributed over vases."""
    digest = hashlib.sha256(f"split/{seed}/{vase_id}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _names(terms: Collection) -> str:
    return "+".join(term.id or term.text for term in terms)
