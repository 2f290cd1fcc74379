"""Chooses the vases whose captions the report shows, and marks what each caption states correctly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import Literal

from vaserl.evaluation.caption_metrics import metric_words
from vaserl.runs.evaluation_run import EvaluatedVase
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension

NUM_EACH = 4
"""Largest number of vases in each list."""
MAX_CHARACTERS = 600
"""Number of characters after which a caption is cut; its length is then shown."""

Mark = Literal["right", "wrong", "silent", "no record", "unscored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Consecutive words of a caption; either all or none of them are in the reference."""

    text: str
    """The words, with case and punctuation as in the caption."""
    matched: bool
    """True if the reference has these words; case and punctuation are ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one system's caption states about one dimension of a vase, and whether that is right."""

    mark: Mark
    """"right" if the dimension's part of the score is at least `tau`, as in the accuracy; "silent" if the caption
    states no value; "no record" if the record states none."""
    value: str
    """The value read from the caption; empty where the caption states none, or captions.jsonl has no values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionExample:
    """One held-out vase with both captions."""

    id: str
    """Id of the vase."""
    clip: str
    """Content hash of its turntable video."""
    reference: str
    """The text of a perfect answer."""
    gain: float
    """RL's reward minus SFT's."""
    rewards: Mapping[str, float]
    """Reward of each system's caption."""
    captions: Mapping[str, tuple[Passage, ...]]
    """Caption of each system, split into passages."""
    truth: Mapping[str, str]
    """The record's value of each dimension; empty if the record has none."""
    statements: Mapping[str, Mapping[str, Statement]]
    """Statement of each system about each dimension: {system: {dimension: statement}}."""


def choose(vases: Sequence[EvaluatedVase], tau: float) -> dict[str, list[CaptionExample]]:
    """Returns the vases on which RL gained most ("best"), least ("worst") and nearest to the median ("typical").

    A vase's gain is RL's reward minus SFT's. Each list has `NUM_EACH` vases, or a third of all where there are too few;
    no vase is in two lists. Ties are broken by id, so that the choice is deterministic. tau: see `Statement.mark`.
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
    """Converts an evaluated vase to what the page shows of it."""
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
    """Splits the caption into passages. One over `MAX_CHARACTERS` is cut, and its last passage states the length."""
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
