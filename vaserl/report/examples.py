"""Chooses the vases whose captions the report shows, and marks the correct statements of each caption."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import Literal

from vaserl.evaluation.caption_metrics import metric_words
from vaserl.runs.evaluation_run import EvaluatedVase
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension

NUM_EACH = 4
"""Largest number of vases in each of the lists "best", "typical" and "worst"."""
MAX_CHARACTERS = 600
"""Largest number of characters of a caption that are shown. A longer caption is cut, and its full length is shown."""

Mark = Literal["right", "wrong", "silent", "no record", "unscored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Consecutive words of a caption: either all of them are in the reference caption, or none."""

    text: str
    """The words of the passage, with case and punctuation as in the caption."""
    matched: bool
    """True if the words are in the reference caption; case and punctuation are ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Statement of one model's caption about one dimension of a vase (such as its shape), and whether it is right."""

    mark: Mark
    """"right" if the dimension's part of the score is at least `tau`, the threshold used for the accuracy.
    Below `tau`: "silent" if the caption is known to state no value for the dimension, otherwise "wrong".
    "no record" if the museum record states no value. "unscored" if no dimension of the caption was scored."""
    value: str
    """Value that the caption states; empty if it states no value or captions.jsonl contains no values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionExample:
    """A held-out vase with its captions by both models, SFT and RL."""

    id: str
    """Id of the vase."""
    clip: str
    """Content hash of the vase's turntable video."""
    reference: str
    """Reference caption: the text of a perfect answer."""
    gain: float
    """Reward of RL's caption minus reward of SFT's caption."""
    rewards: Mapping[str, float]
    """Reward of each model's caption, under the keys "sft" and "rl"."""
    captions: Mapping[str, tuple[Passage, ...]]
    """Caption by each model, split into passages, under the keys "sft" and "rl"."""
    truth: Mapping[str, str]
    """Value of each dimension in the museum record; empty if the record has no value."""
    statements: Mapping[str, Mapping[str, Statement]]
    """Statement of each model about each dimension: {"sft" or "rl": {dimension: statement}}."""


def choose(vases: Sequence[EvaluatedVase], tau: float) -> dict[str, list[CaptionExample]]:
    """Returns the vases on which RL gained most ("best"), least ("worst") and nearest to the median ("typical").

    A vase's gain is RL's reward minus SFT's reward. Each list has at most `NUM_EACH` vases and at most a third of all
    vases. With fewer than three vases, all are "typical". No vase is in two lists. Vases with equal gains are sorted
    by id, so that the choice is deterministic. tau: see `Statement.mark`.
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
    """Converts an evaluated vase to the data that the report page shows. tau: see `Statement.mark`."""
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
    """Splits a caption into passages.

    A caption longer than `MAX_CHARACTERS` is cut, and a last passage with the caption's full length is added.
    """
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
