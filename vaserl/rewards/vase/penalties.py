"""Penalties P of the reward: for length, repetition and irrelevance."""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from vaserl.rewards.vase.config import RewardConfig
from vaserl.rewards.vase.lexicon import lexicon_words
from vaserl.rewards.vase.text import CONNECTIVES, content_words, lemma


def count_words(text: str, config: RewardConfig) -> int:
    """Counts the words of a text between white space; a run longer than `word_chars` characters counts as several."""
    return len(_runs(config.word_chars).findall(text))


def length_penalty(num_words: int, truncated: bool, question: bool, config: RewardConfig) -> float:
    """Returns the length penalty: 0 up to the free number of words, then rising linearly to the full penalty.

    A completion that the token limit cut off (`truncated`) gets the full penalty; a caption with fewer than
    `short_words` words gets `short_penalty`.
    """
    if truncated:
        return config.length_penalty
    free = config.question_free_words if question else config.length_free_words
    full = config.question_full_words if question else config.length_full_words
    if num_words < config.short_words and not question:
        return config.short_penalty
    return config.length_penalty * min(1.0, max(0.0, (num_words - free) / (full - free)))


def repetition_penalty(words: Sequence[str], config: RewardConfig) -> float:
    """Returns `config.repetition_penalty` times the share of n-grams that repeat an earlier one."""
    n = config.repetition_ngram
    if len(words) < max(config.repetition_min_words, n):
        return 0.0
    all_ngrams = len(words) - n + 1
    distinct = len(set(zip(*(words[i:] for i in range(n)), strict=False)))
    return config.repetition_penalty * (1 - distinct / all_ngrams)


def irrelevance_penalty(
    words: Sequence[str], relevant: Collection[str], unfounded: Collection[str], config: RewardConfig
) -> float:
    """Returns `config.irrelevance_penalty` times the share of content words that are irrelevant.

    A word is irrelevant if it is neither in `relevant`, nor in a lexicon, nor a catalogue word such as "scene".

    relevant: lemmas of reference and record. unfounded: words that are irrelevant in any case.
    """
    content = content_words(list(words))
    if not content:
        return 0.0
    allowed = _always_relevant()
    irrelevant = len([w for w in content if w in unfounded or (w not in allowed and w not in relevant)])
    return config.irrelevance_penalty * irrelevant / len(content)


@lru_cache(maxsize=1)
def _always_relevant() -> frozenset[str]:
    words = [*lexicon_words(), *CONNECTIVES]
    return frozenset(words) | frozenset(map(lemma, words))


@lru_cache(maxsize=8)
def _runs(word_chars: int) -> re.Pattern[str]:
    return re.compile(rf"\S{{1,{word_chars}}}")
