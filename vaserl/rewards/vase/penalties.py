"""Computes the penalties that the reward subtracts for the length, repetitions and irrelevant words of a text."""

import re
from collections.abc import Collection, Sequence
from functools import lru_cache

from vaserl.rewards.vase.config import RewardConfig
from vaserl.rewards.vase.labels import labels
from vaserl.rewards.vase.lexicon import lexicon_words
from vaserl.rewards.vase.text import CONNECTIVES, content_words, lemma
from vaserl.rewards.vase.zones import KEEPERS, METADATA


def count_words(text: str, config: RewardConfig) -> int:
    """Counts the words of a text, which are separated by white space.

    A word of more than `config.word_chars` characters counts as several words.
    """
    return len(_runs(config.word_chars).findall(text))


def length_penalty(num_words: int, truncated: bool, question: bool, config: RewardConfig) -> float:
    """Returns the length penalty of a caption or, if `question` is True, of an answer to a question.

    The penalty of a caption is 0 up to `config.length_free_words` words. From there it rises linearly, up to
    `config.length_penalty` at `config.length_full_words` words. For an answer, the two numbers of words are
    `config.question_free_words` and `config.question_full_words`.

    A text that the token limit cut off (`truncated`) gets the full `config.length_penalty`. A caption of fewer than
    `config.short_words` words gets `config.short_penalty`.
    """
    if truncated:
        return config.length_penalty
    free = config.question_free_words if question else config.length_free_words
    full = config.question_full_words if question else config.length_full_words
    if num_words < config.short_words and not question:
        return config.short_penalty
    return config.length_penalty * min(1.0, max(0.0, (num_words - free) / (full - free)))


def repetition_penalty(words: Sequence[str], config: RewardConfig) -> float:
    """Returns `config.repetition_penalty` times the share of n-grams of words that occurred earlier in the text."""
    n = config.repetition_ngram
    if len(words) < max(config.repetition_min_words, n):
        return 0.0
    all_ngrams = len(words) - n + 1
    distinct = len(set(zip(*(words[i:] for i in range(n)), strict=False)))
    return config.repetition_penalty * (1 - distinct / all_ngrams)


def irrelevance_penalty(
    words: Sequence[str], relevant: Collection[str], unfounded: Collection[str], config: RewardConfig
) -> float:
    """Returns `config.irrelevance_penalty` times the share of irrelevant words among the content words of a text.

    A word is irrelevant if it is neither in `relevant`, nor in a lexicon, nor a catalogue word such as "scene", nor a
    word of museums' data about vases such as "accession".

    relevant: lemmas of the reference caption and the record. unfounded: words that are irrelevant even if a lexicon
    contains them.
    """
    content = content_words(list(words))
    if not content:
        return 0.0
    allowed = _always_relevant()
    irrelevant = len([w for w in content if w in unfounded or (w not in allowed and w not in relevant)])
    return config.irrelevance_penalty * irrelevant / len(content)


@lru_cache(maxsize=1)
def _always_relevant() -> frozenset[str]:
    of_labels = {word for label in labels() for word in label.split()}
    words = [*lexicon_words(), *CONNECTIVES, *METADATA, *KEEPERS, *of_labels, *_OF_DATES]
    return frozenset(words) | frozenset(map(lemma, words))


_OF_DATES = frozenset(("archaic", "classical", "hellenistic", "geometric", "ca", "circa"))
"""Words of dates. Numbers, and single letters such as the c in "c. 500", are no content words."""


@lru_cache(maxsize=8)
def _runs(word_chars: int) -> re.Pattern[str]:
    return re.compile(rf"\S{{1,{word_chars}}}")
