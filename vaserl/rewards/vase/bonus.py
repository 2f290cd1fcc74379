"""Computes the reward's bonus B: it is higher if a caption has the words of the reference caption in the same order."""

from collections.abc import Sequence
from functools import lru_cache

from vaserl.rewards.vase.config import RewardConfig


def sequence_bonus(
    words: Sequence[str], reference_words: Sequence[str], any_passed: bool, config: RewardConfig
) -> float:
    """Returns `config.bonus` times the `sequence_ratio` of a caption and its reference caption.

    The bonus is 0 if the ratio is below `config.bonus_min_ratio`. It is also 0 if `any_passed` is False, which means
    that the caption is right in no dimension (the similarity is below `config.tau` everywhere).
    """
    if not any_passed:
        return 0.0
    ratio = sequence_ratio(words, reference_words, config.bonus_min_ratio)
    return config.bonus * ratio if ratio >= config.bonus_min_ratio else 0.0


def sequence_ratio(words: Sequence[str], reference_words: Sequence[str], cutoff: float = 0.0) -> float:
    """Returns the similarity of two sequences of words, in [0, 1]: 2 M / T (Ratcliff and Obershelp).

    M is the number of matched words, T the total number of words in both sequences. The longest common block of words
    is matched; if several are equally long, the first. The words to the left of the block are then matched in the same
    way, and so are the words to its right. The result equals `difflib.SequenceMatcher(autojunk=False).ratio()`, which
    is slower.

    cutoff: returns 0 without comparing words if the lengths show that the similarity is below this value.
    """
    total = len(words) + len(reference_words)
    if not words or not reference_words or 2 * min(len(words), len(reference_words)) < cutoff * total:
        return 0.0  # comparing thousands of words would take long
    places = _places(tuple(reference_words))
    matched = 0
    open_blocks = [(0, len(words), 0, len(reference_words))]
    while open_blocks:
        low, high, reference_low, reference_high = open_blocks.pop()
        end = reference_end = size = 0
        lengths: dict[int, int] = {}  # by position in the reference: the length of the common block that ends there
        for index in range(low, high):
            longer: dict[int, int] = {}
            for place in places.get(words[index], ()):
                if reference_low <= place < reference_high:
                    length = longer[place] = lengths.get(place - 1, 0) + 1
                    if length > size:
                        end, reference_end, size = index + 1, place + 1, length
            lengths = longer
        if size:
            matched += size
            if low < end - size and reference_low < reference_end - size:
                open_blocks.append((low, end - size, reference_low, reference_end - size))
            if end < high and reference_end < reference_high:
                open_blocks.append((end, high, reference_end, reference_high))
    return 2 * matched / total


@lru_cache(maxsize=4096)
def _places(reference_words: tuple[str, ...]) -> dict[str, list[int]]:
    """Returns each word's positions in the reference caption; cached, as a task's completions have one reference."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(reference_words):
        places.setdefault(word, []).append(place)
    return places
