"""The stage that writes two captions from a record: a complete one, and one such as a catalogue would print.

Catalogues leave out much that a record states: labels often lack technique and date, many also the attribution. The
column `caption` imitates catalogues: each dimension (fabric, shape, …) is left out of a share of the captions, which is
set in [describe.silence]. The column `reference` states every dimension. Captions are written by fixed rules, or by a
language model if describe.writer = "llm". Either way the parser that is used for the reward checks that a caption
states the right facts. docs/captions.md explains the stage.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from vaserl.curation.settings import CurateSettings, DescribeSettings, PoolSettings, SilenceSettings
from vaserl.curation.stage import Column, Kept, KeptPhotograph, Photograph, Recipe, Stage, StageContext, Verdict
from vaserl.curation.stages.writer import Wording, Write, check_writer, read_prompt
from vaserl.curation.stamps import code_of_file, file_stamps
from vaserl.rewards.vase import lists_keywords, reference_caption
from vaserl.rewards.vase.parse import parse_caption, parse_record
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension

REFERENCE, CAPTION = Column(name="reference", kind=str), Column(name="caption", kind=str)
FALLBACK = Column(name="caption_fallback", kind=str)
"""Why the caption isn't the writer's first wording but another: the writer had none, or it states the wrong facts.
Empty if the first wording is used."""
INVENTS, LOSES = Column(name="caption_invents"), Column(name="caption_loses")
"""Numbers of dimensions in which the first wording of the caption stated something that the record doesn't (`INVENTS`),
or left out something that it should state (`LOSES`)."""
KEYWORDS = Column(name="reference_keywords")
"""1.0 if the record's decoration is so long that the reference lists its words instead of writing phrases, else NaN."""
_POOL = PoolSettings(num_cpus=1, batch_size=64)


class Describe:
    """Adds the columns `reference` and `caption`, and columns that count the errors in the caption's first wording.

    The stage rejects nothing. The first wording is the language model's, if there is one. If it states wrong facts, the
    rules' wording of the same fields is used. If that states a wrong fact too, the rules' wording of the whole record
    is used, which is also the reference. `caption_invents` is NaN if the first wording invented nothing,
    `caption_loses` is NaN if it left out nothing.
    """

    def __init__(self, settings: DescribeSettings, seed: int, make_writer: Callable[[], Write] | None = None) -> None:
        self._silence, self._seed = settings.silence, seed
        self._write = make_writer() if make_writer else None

    def judge_all(self, photographs: Sequence[Photograph]) -> list[Verdict]:
        """Returns `Kept` with the captions for each photograph, in their order."""
        records: list[dict[str, str]] = [json.loads(photograph.record) for photograph in photographs]
        stated = [
            without(record, silent_dimensions(photograph.vase_id, record, self._silence, self._seed))
            for photograph, record in zip(photographs, records, strict=True)
        ]
        by_rules = [reference_caption(fields) for fields in stated]
        first = self._write(stated) if self._write else [Wording(text) for text in by_rules]
        return [
            Kept(columns=_columns(record, fields, wording, rules))
            for record, fields, wording, rules in zip(records, stated, first, by_rules, strict=True)
        ]


def _columns(
    record: Mapping[str, str], stated: Mapping[str, str], first: Wording, by_rules: str
) -> dict[str, float | str]:
    reference = reference_caption(record)
    caption = settled((first.text, by_rules), record, stated) or reference
    invented, lost = invented_dimensions(first.text, record), lost_dimensions(first.text, stated)
    faults = [f"invents {', '.join(invented)}"] * bool(invented) + [f"leaves out {', '.join(lost)}"] * bool(lost)
    return {
        REFERENCE.name: reference,
        CAPTION.name: caption,
        FALLBACK.name: (first.problem or f"it {' and '.join(faults)}") if caption != first.text else "",
        **({KEYWORDS.name: 1.0} if lists_keywords(record) else {}),
        **({INVENTS.name: float(len(invented))} if invented else {}),
        **({LOSES.name: float(len(lost))} if lost else {}),
    }


def settled(wordings: Sequence[str], record: Mapping[str, str], stated: Mapping[str, str]) -> str:
    """Returns the first of the wordings that states all facts of `stated` and no facts that are not in `record`.

    If there is none, returns the last wording, which is written by rules, or "" if it states something that is not in
    `record`. A fact that the parser can't find in the rules' wording counts as left out. No other wording would state
    the fact better, so the rules' wording is used as long as it invents nothing.
    """
    for wording in wordings:
        if is_faithful(wording, record, stated):
            return wording
    return "" if invented_dimensions(wordings[-1], record) else wordings[-1]


def is_faithful(caption: str, record: Mapping[str, str], stated: Mapping[str, str]) -> bool:
    """Returns True if the caption states all facts of `stated`, and no facts that are not in `record`.

    `stated` contains the fields of the record that the caption should state.
    """
    return not invented_dimensions(caption, record) and not lost_dimensions(caption, stated)


def silent_dimensions(
    vase_id: str, record: Mapping[str, str], shares: SilenceSettings, seed: int
) -> tuple[Dimension, ...]:
    """Returns the dimensions that this vase's caption leaves out, drawn by hash of vase, dimension and seed.

    `shares` gives the probability with which each dimension is left out. If the draw would leave out every
    dimension that the record states, the first one is kept, so that no caption is empty.
    """
    stated: list[Dimension] = [d for d in DIMENSIONS if record.get(FIELD_OF_DIMENSION[d])]
    silent: list[Dimension] = [d for d in stated if _draw(vase_id, d, seed) < getattr(shares, d)]
    return tuple(silent[1:] if len(silent) == len(stated) else silent)


def without(record: Mapping[str, str], dimensions: tuple[Dimension, ...]) -> dict[str, str]:
    """Returns the record without the fields of `dimensions`."""
    left_out = {FIELD_OF_DIMENSION[dimension] for dimension in dimensions}
    return {field: value for field, value in record.items() if field not in left_out}


def invented_dimensions(caption: str, record: Mapping[str, str]) -> tuple[Dimension, ...]:
    """Returns the dimensions in which the caption states a value that the record does not.

    Both are read by the parser that is used for the reward.
    """
    found, known = parse_caption(caption), parse_record(record)
    return tuple(dimension for dimension in DIMENSIONS if not set(found[dimension]) <= set(known[dimension]))


def lost_dimensions(caption: str, stated: Mapping[str, str]) -> tuple[Dimension, ...]:
    """Returns the dimensions in which the caption lacks a value of `stated`, the fields that it should state.

    Both are read by the parser that is used for the reward. If `stated` has several attributions, the caption needs
    only one of them, because they are alternatives.
    """
    found, due = parse_caption(caption), parse_record(stated)

    def is_lost(dimension: Dimension) -> bool:
        there, needed = set(found[dimension]), set(due[dimension])
        return bool(needed) and (not there & needed if dimension == "attribution" else not needed <= there)

    return tuple(dimension for dimension in DIMENSIONS if is_lost(dimension))


def _draw(vase_id: str, dimension: Dimension, seed: int) -> float:
    """Returns a number in [0, 1) from a hash of its arguments: uniform over vases, independent between dimensions."""
    digest = hashlib.sha256(f"silence/{seed}/{dimension}/{vase_id}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _recipe(context: StageContext) -> Recipe:
    settings, seed = context.settings.describe, context.settings.seed
    if settings.writer == "rules":
        return Recipe(make=Describe, arguments=(settings, seed), depends={"seed": seed})
    assert settings.llm is not None, "the writer must be checked before the run"
    make_writer = context.make_writer
    if settings.llm.server is not None:
        from vaserl.curation.stages.served_writer import ServedWriter  # imports the HTTP client

        make_writer = ServedWriter
    assert make_writer is not None, "the caller must pass the engine that runs a model"
    return Recipe(
        make=Describe,
        arguments=(settings, seed, partial(make_writer, settings.llm, _pool_of(context), seed)),
        depends={
            "seed": seed,
            "prompt": read_prompt(settings.llm.prompt),
            "weights": file_stamps(settings.llm.path),
            "writer": code_of_file(make_writer),
        },
    )


def _pool_of(context: StageContext) -> PoolSettings:
    return context.settings.pool.of(DESCRIBE.name, _POOL)


def _holds_a_model(settings: CurateSettings) -> bool:
    return settings.describe.writer != "rules"


def _check(context: StageContext) -> None:
    check_writer(context.settings.describe, _pool_of(context).timeout_s)


def _tell(kept: KeptPhotograph) -> str:
    """Returns the line that `vaserl why` prints: the caption, what was wrong with its first wording, and whether the
    reference is a list of words."""
    scores, fallback = kept.row.scores, kept.row.caption_fallback
    found = {"invented": scores.get(INVENTS.name, 0.0), "lost": scores.get(LOSES.name, 0.0)}
    wrong = ", ".join(f"{number:.0f} {word}" for word, number in found.items() if number > 0)
    keywords = "; the reference lists words: the decoration is too long" if scores.get(KEYWORDS.name, 0.0) > 0 else ""
    first = f"not the first wording: {fallback}" if fallback else f"dimensions of the first wording: {wrong}"
    return f"“{kept.row.caption}”" + (f"; {first}" if fallback or wrong else "") + keywords


DESCRIBE = Stage(
    name="describe",
    section="describe",
    recipe=_recipe,
    check=_check,
    columns=(REFERENCE, CAPTION, FALLBACK, INVENTS, LOSES, KEYWORDS),
    hint="describe.llm, and at the memory and time of its pool",
    pool=_POOL,
    opens_pool=_holds_a_model,
    tell=_tell,
)
