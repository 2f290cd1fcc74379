"""Captions of both systems beside the record: which vases to show, and what each caption got right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import Literal

from vaserl.evaluation.caption_metrics import metric_words
from vaserl.runs.evaluation_run import EvaluatedVase
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension

NUM_EACH = 4
"""Vases in each list."""
MAX_CHARACTERS = 600
"""A longer caption is cut here, and its length is shown."""

Mark = Literal["right", "wrong", "silent", "no record", "unscored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Neighbouring words of a caption that are all in the reference, or none of them."""

    text: str
    """With case and punctuation as the model wrote it."""
    matched: bool
    """True if the reference has these words; case and punctuation are ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One system's statement about one dimension."""

    mark: Mark
    """"right" if the dimension's part of the score reaches tau, as in the accuracy."""
    value: str
    """The value read from the caption; empty where the caption states none, or where the file lacks it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionExample:
    """One held-out vase with both captions."""

    id: str
    """Id of the vase."""
    clip: str
    """Content hash of its turntable."""
    reference: str
    """The text of a perfect answer."""
    gain: float
    """RL's reward minus SFT's."""
    rewards: Mapping[str, float]
    """System to reward."""
    captions: Mapping[str, tuple[Passage, ...]]
    """System to caption."""
    truth: Mapping[str, str]
    """Dimension to the record's value, empty if it has none."""
    statements: Mapping[str, Mapping[str, Statement]]
    """System to dimension to statement."""


def choose(vases: Sequence[EvaluatedVase], tau: float) -> dict[str, list[CaptionExample]]:
    """Returns the vases with the best gains, with typical ones (nearest to the median gain) and with the worst.

    Each list has `NUM_EACH` vases, or a third of all where there are too few; no vase is in two. Ties are broken by id,
    so that the choice is deterministic.
    """
    ordered = sorted(vases, key=lambda vase: (-_gain(vase), vase.id))
    num_each = min(NUM_EACH, len(ordered) // 3)
    if num_each == 0:
        return {"typical": [example(vase, tau) for vase in ordered]}
    middle = median(_gain(vase) for vase in ordered)
    between = sorted(ordered[num_each:-num_each], key=lambda vase: (abs(_gain(vase) - middle), vase.id))
    chosen = {"best": ordered[:num_each], "typical": between[:num_each], "worst": ordered[-num_each:][::-1]}
    return {name: [example(vase, tau) for vase in picked] for name, picked in chosen.items()}


def example(vase: EvaluatedVase, tau: float) -> CaptionExample:
    """Returns an evaluated vase as the page shows it."""
    read = vase.values.get("truth", {})
    return CaptionExample(
        id=vase.id,
        clip=vase.clip,
        reference=vase.reference,
        gain=_gain(vase),
        rewards={system: score.total for system, score in vase.scores.items()},
        captions={system: highlight(text, vase.reference) for system, text in vase.captions.items()},
        truth={d: read.get(d) or vase.record.get(FIELD_OF_DIMENSION[d]) or "" for d in DIMENSIONS},
        statements={
            system: {d: _statement(score.parts, vase.values.get(system), d, tau) for d in DIMENSIONS}
            for system, score in vase.scores.items()
        },
    )


def highlight(caption: str, reference: str) -> tuple[Passage, ...]:
    """Splits the caption into passages. A very long one is cut, and its last passage states the length."""
    known = set(metric_words(reference, "strict"))
    by_match = groupby(
        caption[:MAX_CHARACTERS].split(), key=lambda word: not known.isdisjoint(metric_words(word, "strict"))
    )
    passages = [Passage(text=" ".join(run), matched=matched) for matched, run in by_match]
    if len(caption) > MAX_CHARACTERS:
        passages.append(Passage(text=f"… ({len(caption):,} characters)", matched=False))
    return tuple(passages)


def _statement(
    parts: Mapping[str, float], values: Mapping[Dimension, str | None] | None, dimension: Dimension, tau: float
) -> Statement:
    value = (values or {}).get(dimension) or ""
    if dimension not in parts:
        scored = any(other in parts for other in DIMENSIONS)
        return Statement(mark="no record" if scored else "unscored", value=value)
    if parts[dimension] >= tau:
        return Statement(mark="right", value=value)
    # without the values that were read, silence can't be distinguished from error, and both are shown as wrong
    return Statement(mark="silent" if values is not None and not value else "wrong", value=value)


def _gain(vase: EvaluatedVase) -> float:
    return vase.scores["rl"].total - vase.scores["sft"].total
