"""Captions before and after, beside the truth: which vases to show, and what each caption got right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import Any, Literal

from vaserl.evaluation.caption_metrics import metric_words
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension

NUM_EACH = 4
MAX_CHARACTERS = 600
"""A caption that ran away is cut here, and says so."""

Mark = Literal["right", "wrong", "silent", "no record", "unscored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Neighbouring words of a caption that the reference has too, or that it hasn't."""

    text: str
    """As written, with punctuation."""
    matched: bool
    """The reference has these words, case and punctuation aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one system said of one dimension."""

    mark: Mark
    """Right if the dimension's part of the score reaches tau, as in the accuracy."""
    value: str
    """What was read from the caption; empty where nothing was, or where the run didn't keep it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionExample:
    """One held-out vase with both captions."""

    id: str
    """The vase."""
    clip: str
    """Content hash of its turntable."""
    reference: str
    """The complete caption."""
    gain: float
    """RL's reward minus SFT's."""
    rewards: Mapping[str, float]
    """System to reward."""
    captions: Mapping[str, tuple[Passage, ...]]
    """System to caption."""
    truth: Mapping[str, str]
    """Dimension to the record's value, empty if it has none."""
    said: Mapping[str, Mapping[str, Said]]
    """System to dimension to what it said."""


def choose(lines: Sequence[Mapping[str, Any]], tau: float) -> dict[str, list[CaptionExample]]:
    """The best gains, typical ones (nearest to the median gain) and the worst, four each; no vase twice.

    With fewer than twelve vases each list gets a third. Ties go by id, so the choice is the same every time.
    """
    ordered = sorted(lines, key=lambda line: (-_gain(line), str(line["id"])))
    num_each = min(NUM_EACH, len(ordered) // 3)
    if num_each == 0:
        return {"typical": [example(line, tau) for line in ordered]}
    middle = median(_gain(line) for line in ordered)
    between = sorted(ordered[num_each:-num_each], key=lambda line: (abs(_gain(line) - middle), str(line["id"])))
    chosen = {"best": ordered[:num_each], "typical": between[:num_each], "worst": ordered[-num_each:][::-1]}
    return {name: [example(line, tau) for line in picked] for name, picked in chosen.items()}


def example(line: Mapping[str, Any], tau: float) -> CaptionExample:
    """One line of captions.jsonl, made ready to show."""
    values = line.get("values", {})
    truth = {
        dimension: str(
            values.get("truth", {}).get(dimension) or line["record"].get(FIELD_OF_DIMENSION[dimension]) or ""
        )
        for dimension in DIMENSIONS
    }
    return CaptionExample(
        id=str(line["id"]),
        clip=str(line.get("clip", "")),
        reference=str(line["reference"]),
        gain=_gain(line),
        rewards={system: score["total"] for system, score in line["scores"].items()},
        captions={system: highlight(text, line["reference"]) for system, text in line["captions"].items()},
        truth=truth,
        said={
            system: {d: _said(score["parts"], values.get(system), d, tau) for d in DIMENSIONS}
            for system, score in line["scores"].items()
        },
    )


def highlight(caption: str, reference: str) -> tuple[Passage, ...]:
    """The caption in passages; a very long one is cut, and its last passage says how long it was."""
    known = set(metric_words(reference, "strict"))
    by_match = groupby(
        caption[:MAX_CHARACTERS].split(), key=lambda word: not known.isdisjoint(metric_words(word, "strict"))
    )
    passages = [Passage(text=" ".join(run), matched=matched) for matched, run in by_match]
    if len(caption) > MAX_CHARACTERS:
        passages.append(Passage(text=f"… ({len(caption):,} characters)", matched=False))
    return tuple(passages)


def _said(
    parts: Mapping[str, float], values: Mapping[str, str | None] | None, dimension: Dimension, tau: float
) -> Said:
    value = str((values or {}).get(dimension) or "")
    if dimension not in parts:
        scored = any(other in parts for other in DIMENSIONS)
        return Said(mark="no record" if scored else "unscored", value=value)
    if parts[dimension] >= tau:
        return Said(mark="right", value=value)
    # Without the values that were read, silence and error look alike and are both shown as wrong.
    return Said(mark="silent" if values is not None and not value else "wrong", value=value)


def _gain(line: Mapping[str, Any]) -> float:
    return line["scores"]["rl"]["total"] - line["scores"]["sft"]["total"]
