"""Exact statements about a probability from counts of successes: the sign test with its power, and an upper bound."""

from math import comb


def sign_test(num_wins: int, num_losses: int) -> float:
    """Returns the exact two-sided p-value of the hypothesis that wins and losses are equally likely (sign test).

    It is the probability, under the hypothesis, of a split at least as uneven as this one; 1.0 without any wins and
    losses. Ties are left out by the caller.

    Raises: ValueError for a negative count.
    """
    if num_wins < 0 or num_losses < 0:
        raise ValueError(f"counts must not be negative, got {num_wins} wins and {num_losses} losses")
    num, few = num_wins + num_losses, min(num_wins, num_losses)
    tail, ways = 0, 1
    for k in range(few + 1):
        tail += ways
        ways = ways * (num - k) // (k + 1)  # comb(num, k + 1), which would be slow for thousands of outcomes
    return min(1.0, 2 * (tail / 2**num))


def sign_test_power(num: int, p: float, *, level: float = 0.05) -> float:
    """Returns the probability that `sign_test` gives a p-value of at most `level` for `num` outcomes, each of which is
    a win with probability `p`.

    Raises: ValueError if `p` is not from 0 to 1.
    """
    _check_share("p", p)
    rejected = (k for k in range(num + 1) if sign_test(k, num - k) <= level)
    return sum(comb(num, k) * p**k * (1 - p) ** (num - k) for k in rejected)


def upper_bound(num_successes: int, num_trials: int, *, confidence: float) -> float:
    """Returns the exact upper confidence bound of a probability (one-sided; Clopper and Pearson, 1934).

    With at least the probability `confidence`, the bound isn't below the true probability, at every number of trials.
    It is the p at which P(at most this many successes) = 1 - confidence: 1 if all trials succeeded, or without trials.

    Raises: ValueError for impossible counts.
    """
    if not 0 <= num_successes <= num_trials:
        raise ValueError(f"expected 0 <= successes <= trials, got {num_successes} successes in {num_trials} trials")
    _check_share("confidence", confidence)
    if num_successes == num_trials:
        return 1.0
    from scipy.stats import beta

    return float(beta.ppf(confidence, num_successes + 1, num_trials - num_successes))


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be from 0 to 1, got {value}")
