"""Extracts the value of each dimension from records and captions, and compares values, in the same way as the reward.

The evaluation uses the reward's parser and similarities, so that both agree on which values are equal.
"""

from collections.abc import Mapping
from typing import Any

from vaserl.evaluation.dimensions import Values
from vaserl.evaluation.evaluate import Reader
from vaserl.rewards.vase import RewardConfig, RewardContext, Term, YearInterval, parse_caption, parse_record
from vaserl.rewards.vase.similarity import interval_similarity, shape_similarity, words_similarity
from vaserl.types import DIMENSIONS, Dimension

SEPARATOR = " | "
"""Separator between several values of one dimension in the string that represents them."""


def canonical_values(facts: Any) -> Values:
    """Returns each dimension's value as a string, or None if the facts have no value in the dimension.

    Several values of a dimension are joined to one string, which therefore differs from the string of a single value.
    """
    return {dimension: SEPARATOR.join(map(_text, facts[dimension])) or None for dimension in DIMENSIONS}


def reward_reader(config: RewardConfig | None = None) -> Reader:
    """Returns a Reader that uses the reward's parser.

    A guess counts as right if it is equal to the true value, or if the reward's similarity is at least tau.
    """
    chosen = config or RewardConfig()

    def record(fields: Mapping[str, str]) -> Values:
        return canonical_values(parse_record(fields, chosen.parser))

    def caption(text: str) -> Values:
        return canonical_values(parse_caption(text, chosen.parser))

    def same(dimension: Dimension, guess: str, truth: str) -> bool:
        return guess == truth or _similarity(dimension, guess, truth, chosen) >= chosen.tau

    return Reader(record=record, caption=caption, same=same)


def _similarity(dimension: Dimension, guess: str, truth: str, config: RewardConfig) -> float:
    """Returns the reward's similarity of two different decorations, two shapes or two dates; 0 for other dimensions.

    It also returns 0 if one side has several shapes or dates. For these, and for attributions, only an equal guess
    counts as right; this is stricter than the reward, but makes a difference in few cases.
    """
    guesses, truths = guess.split(SEPARATOR), truth.split(SEPARATOR)
    if dimension == "decoration":
        return words_similarity(guesses, truths, config, RewardContext())
    if len(guesses) != 1 or len(truths) != 1:
        return 0.0
    if dimension == "shape":
        return shape_similarity(Term(guess, ""), Term(truth, ""), config)
    if dimension == "dating":
        return interval_similarity(_interval(guess), _interval(truth))
    return 0.0


def _interval(text: str) -> YearInterval:
    start, end = text.split(" to ")
    return YearInterval(int(start), int(end))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, YearInterval):
        return f"{value.start} to {value.end}"
    if hasattr(value, "name"):
        return f"{value.qualifier} {value.name}".strip()
    return value.id or value.text
