"""Reads canonical values of records and captions with the reward's own parser, and compares them by its similarity."""

from collections.abc import Mapping
from typing import Any

from vaserl.evaluation.dimensions import Values
from vaserl.evaluation.evaluate import Reader
from vaserl.rewards.vase import RewardConfig, RewardContext, Term, YearInterval, parse_caption, parse_record
from vaserl.rewards.vase.similarity import interval_similarity, shape_similarity, words_similarity
from vaserl.types import DIMENSIONS, Dimension

SEPARATOR = " | "
"""Separator between several values of one dimension."""


def canonical_values(facts: Any) -> Values:
    """Returns each dimension's value as one comparable string; None where the text states none.

    Several values are joined, so that stating two values differs from stating one.
    """
    return {dimension: SEPARATOR.join(map(_text, facts[dimension])) or None for dimension in DIMENSIONS}


def reward_reader(config: RewardConfig | None = None) -> Reader:
    """Returns a reader with the reward's parser; its `same` applies the reward's similarity threshold to a guess."""
    chosen = config or RewardConfig()

    def record(fields: Mapping[str, str]) -> Values:
        return canonical_values(parse_record(fields, chosen.parser))

    def caption(text: str) -> Values:
        return canonical_values(parse_caption(text, chosen.parser))

    def same(dimension: Dimension, guess: str, truth: str) -> bool:
        return guess == truth or _similarity(dimension, guess, truth, chosen) >= chosen.tau

    return Reader(record=record, caption=caption, same=same)


def _similarity(dimension: Dimension, guess: str, truth: str, config: RewardConfig) -> float:
    """Returns the reward's similarity of two different canonical values of a decoration, shape or date, and else 0.

    Several dates or shapes at once, and attributions, must be equal: stricter than the reward, but rarely relevant.
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
