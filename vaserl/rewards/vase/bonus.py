"""B: how closely the caption follows the words of the target caption."""

from collections.abc import Sequence
from functools import lru_cache

from vaserl.rewards.vase.config import RewardConfig


def sequence_bonus(words: Sequence[str], target_words: Sequence[str], any_passed: bool, config: RewardConfig) -> float:
    """The scaled ratio of matching blocks; 0 below the least ratio or when no dimension passed tau."""
    if not any_passed:
        return 0.0
    ratio = sequence_ratio(words, target_words, config.bonus_min_ratio)
    return config.bonus * ratio if ratio >= config.bonus_min_ratio else 0.0


def sequence_ratio(words: Sequence[str], target_words: Sequence[str], cutoff: float = 0.0) -> float:
    """Twice the words in matching blocks over all words, in [0, 1], after Ratcliff and Obershelp.

    The longest common block of words is matched (the first one of several), then what stands left of it, then what
    stands right, and so on: what `difflib.SequenceMatcher(autojunk=False).ratio()` gives, with less around it.
    Returns 0 without a look at the words when the lengths alone rule out `cutoff`.
    """
    total = len(words) + len(target_words)
    if not words or not target_words or 2 * min(len(words), len(target_words)) < cutoff * total:
        return 0.0  # also spares a caption of thousands of words
    places = _places(tuple(target_words))
    matched = 0
    open_blocks = [(0, len(words), 0, len(target_words))]
    while open_blocks:
        low, high, target_low, target_high = open_blocks.pop()
        end = target_end = size = 0
        lengths: dict[int, int] = {}  # place in the target to the length of the block that ends there
        for index in range(low, high):
            longer: dict[int, int] = {}
            for place in places.get(words[index], ()):
                if target_low <= place < target_high:
                    length = longer[place] = lengths.get(place - 1, 0) + 1
                    if length > size:
                        end, target_end, size = index + 1, place + 1, length
            lengths = longer
        if size:
            matched += size
            if low < end - size and target_low < target_end - size:
                open_blocks.append((low, end - size, target_low, target_end - size))
            if end < high and target_end < target_high:
                open_blocks.append((end, high, target_end, target_high))
    return 2 * matched / total


@lru_cache(maxsize=4096)
def _places(target_words: tuple[str, ...]) -> dict[str, list[int]]:
    """Where each word stands; a group's completions share their target."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(target_words):
        places.setdefault(word, []).append(place)
    return places
