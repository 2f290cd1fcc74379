"""From a record to two captions: the complete one, and the one that a catalogue would print.

Catalogues are silent about much that a record states: labels leave out technique and date, and a good part of them
the attribution. `caption` imitates that with stated shares, `reference` says everything. Whoever words a caption, the
reward's own parser must read from it what the record states, nothing else and nothing less.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

from vaserl.curation.job.batch import RowBatch, remaining, with_column
from vaserl.curation.settings import DescribeSettings, SilenceSettings
from vaserl.rewards.vase import reference_caption
from vaserl.rewards.vase.parse import parse_caption, parse_record
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension

FALLBACK = "describe_fallback"
INVENTS, LOSES = "caption_invents", "caption_loses"

Write = Callable[[Sequence[Mapping[str, str]]], Sequence[str]]
"""Captions of records, of which only the fields that are to be stated are given; "" where it has none."""


class Describe:
    """Adds `reference` and `caption`, and `describe_fallback`: 1.0 where the first wording of the caption failed the
    check of facts and another stands in for it, else 0.0. `caption_invents` and `caption_loses` say in how many
    dimensions the first wording was wrong; they are NaN where it was right.

    The first wording is the writer's, where there is one. Behind it come the rules' caption of the same fields, and
    last the rules' caption of the whole record, which is the reference.
    """

    def __init__(self, settings: DescribeSettings, seed: int, write: Write | None = None) -> None:
        self._silence, self._seed = settings.silence, seed
        self._write = write

    def __call__(self, batch: RowBatch) -> RowBatch:
        rows = remaining(batch)
        records = [json.loads(batch["record"][index]) for index in rows]
        stated = [
            without(record, silent_dimensions(batch["vase_id"][index], record, self._silence, self._seed))
            for index, record in zip(rows, records, strict=True)
        ]
        by_rules = [reference_caption(fields) for fields in stated]
        first = self._write(stated) if self._write else by_rules
        references: dict[int, str] = {}
        captions: dict[int, str] = {}
        measures: dict[str, dict[int, float]] = {FALLBACK: {}, INVENTS: {}, LOSES: {}}
        for index, record, fields, *wordings in zip(rows, records, stated, first, by_rules, strict=True):
            references[index] = reference_caption(record)
            captions[index] = settled(wordings, record, fields) or references[index]
            measures[FALLBACK][index] = float(captions[index] != wordings[0])
            for name, wrong in (
                (INVENTS, invented_dimensions(wordings[0], record)),
                (LOSES, lost_dimensions(wordings[0], fields)),
            ):
                if wrong:
                    measures[name][index] = float(len(wrong))
        described = with_column(with_column(batch, "reference", references, ""), "caption", captions, "")
        for name, values in measures.items():
            described = with_column(described, name, values, float("nan"))
        return described


def settled(wordings: Sequence[str], record: Mapping[str, str], stated: Mapping[str, str]) -> str:
    """The first of the wordings that is faithful, the rules' being the last; "" if not even that one will do.

    What the parser can't read back from the rules' own words counts as lost, and no other wording would bring it back:
    they stand as long as they invent nothing.
    """
    for wording in wordings:
        if is_faithful(wording, record, stated):
            return wording
    return "" if invented_dimensions(wordings[-1], record) else wordings[-1]


def is_faithful(caption: str, record: Mapping[str, str], stated: Mapping[str, str]) -> bool:
    """Whether the caption says nothing that the record doesn't, and all that the fields to be stated do."""
    return not invented_dimensions(caption, record) and not lost_dimensions(caption, stated)


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


def lost_dimensions(caption: str, stated: Mapping[str, str]) -> tuple[Dimension, ...]:
    """Dimensions of which the caption leaves out a value of the fields that are to be stated, as the reward's parser
    reads both. A record's attributions are alternatives, of which one is enough."""
    said, known = parse_caption(caption), parse_record(stated)

    def is_lost(dimension: Dimension) -> bool:
        there, wanted = set(said[dimension]), set(known[dimension])
        return bool(wanted) and (not there & wanted if dimension == "attribution" else not wanted <= there)

    return tuple(dimension for dimension in DIMENSIONS if is_lost(dimension))


def _draw(vase_id: str, dimension: Dimension, seed: int) -> float:
    """In [0, 1), uniform over vases and independent between dimensions."""
    digest = hashlib.sha256(f"silence/{seed}/{dimension}/{vase_id}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
