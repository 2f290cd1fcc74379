"""From a record to two captions: the complete one, and the one that a catalogue would print.

Catalogues are silent about much that a record states: labels leave out technique and date, and a good part of them
the attribution. `caption` imitates that with stated shares, `reference` says everything. Either way the reward's own
parser must find nothing in a caption that the record does not state.
"""

import hashlib
import json
from collections.abc import Mapping

from vaserl.curation.batch import Batch, remaining, with_column
from vaserl.curation.settings import DescribeSettings, SilenceSettings
from vaserl.rewards import gold_caption
from vaserl.rewards.parse import parse_caption, parse_record
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension

FALLBACK = "describe_fallback"


class Describe:
    """Adds `reference` and `caption`, and `describe_fallback`: 1.0 where a terse caption failed the check of facts and
    the complete one stands in for it, else 0.0."""

    def __init__(self, settings: DescribeSettings, seed: int) -> None:
        self._silence, self._seed = settings.silence, seed

    def __call__(self, batch: Batch) -> Batch:
        references: dict[int, str] = {}
        captions: dict[int, str] = {}
        fallbacks: dict[int, float] = {}
        for index in remaining(batch):
            record = json.loads(batch["record"][index])
            silent = silent_dimensions(batch["vase_id"][index], record, self._silence, self._seed)
            references[index] = gold_caption(record)
            terse = gold_caption(without(record, silent))
            invented = invented_dimensions(terse, record)
            captions[index] = references[index] if invented else terse
            fallbacks[index] = float(bool(invented))
        described = with_column(with_column(batch, "reference", references, ""), "caption", captions, "")
        return with_column(described, FALLBACK, fallbacks, float("nan"))


def silent_dimensions(
    vase_id: str, record: Mapping[str, str], shares: SilenceSettings, seed: int
) -> tuple[Dimension, ...]:
    """What this vase's catalogue leaves out: a pure function of vase, dimension and seed.

    If that were all that the record states, the first of them is said nevertheless: a caption says something.
    """
    stated: list[Dimension] = [d for d in DIMENSIONS if record.get(FIELD_OF_DIMENSION[d])]
    silent: list[Dimension] = [d for d in stated if _draw(vase_id, d, seed) < getattr(shares, d)]
    return tuple(silent[1:] if len(silent) == len(stated) else silent)


def without(record: Mapping[str, str], dimensions: tuple[Dimension, ...]) -> dict[str, str]:
    """The record with those dimensions' fields left out."""
    left_out = {FIELD_OF_DIMENSION[dimension] for dimension in dimensions}
    return {field: value for field, value in record.items() if field not in left_out}


def invented_dimensions(caption: str, record: Mapping[str, str]) -> tuple[Dimension, ...]:
    """Dimensions in which the caption states a value that the record does not, as the reward's parser reads both."""
    said, known = parse_caption(caption), parse_record(record)
    return tuple(dimension for dimension in DIMENSIONS if not set(said[dimension]) <= set(known[dimension]))


def _draw(vase_id: str, dimension: Dimension, seed: int) -> float:
    """In [0, 1), uniform over vases and independent between dimensions."""
    digest = hashlib.sha256(f"silence/{seed}/{dimension}/{vase_id}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
