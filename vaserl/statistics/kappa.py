"""Agreement between two raters who put the same items into categories."""

from collections import Counter
from collections.abc import Hashable, Sequence


def cohens_kappa(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Returns Cohen's kappa (1960): (p - q) / (1 - q), with p the share of N items on which the raters agree and q the
    share expected if each drew from the frequencies of its own categories. 1 is full agreement, 0 that of chance.

    NaN if both raters always give one and the same category: chance alone explains it.

    Raises: ValueError for no items, or lists of different lengths.
    """
    if len(one) != len(other) or not one:
        raise ValueError(f"expected two equally long lists of ratings, got {len(one)} and {len(other)}")
    num = len(one)
    observed = sum(a == b for a, b in zip(one, other, strict=True)) / num
    counts, other_counts = Counter(one), Counter(other)
    expected = sum(counts[category] * other_counts[category] for category in counts) / num**2
    return (observed - expected) / (1 - expected) if expected < 1 else float("nan")
