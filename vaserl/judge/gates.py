"""Gates that a judge must pass before any number of its verdicts is reported.

A judge that fails a gate makes a report void, in whichever direction its numbers point.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vaserl.judge.settings import GateLimits
from vaserl.judge.tally import VerdictTally
from vaserl.judge.verdict import PairVerdict

_BIAS_LEVEL = 0.01
"""Significance level of the sign test on base against base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedGate:
    """Result of one gate.

    Example: CheckedGate(name="clear gap", is_passed=False, value=0.71, need="at least 0.85 of 48 pairs")
    """

    name: str
    is_passed: bool
    value: float | None
    """Measured value; None if nothing could be measured, which is a failure."""
    need: str
    """What the gate demands, for reports."""


def parse_gate(verdicts: Sequence[PairVerdict], limits: GateLimits) -> CheckedGate:
    """Checks the share of answers, two a pair, that could be parsed."""
    parsed = sum((verdict.ab is not None) + (verdict.ba is not None) for verdict in verdicts)
    return _at_least("parse rate", parsed, 2 * len(verdicts), limits.min_parse_rate, "answers")


def completeness_gate(num_verdicts: int, num_pairs: int) -> CheckedGate:
    """Checks that every usable pair was asked in both orders."""
    return _at_least("both orders asked", num_verdicts, num_pairs, 1.0, "pairs")


def clear_gap_gate(found: VerdictTally, limits: GateLimits) -> CheckedGate:
    """Checks the win rate of intact meshes (a) over degraded ones (b), with flips as non-wins: a judge that is
    undecided there does not see a clear gap either."""
    return _at_least("clear gap", found.wins, found.num_parsed, limits.min_clear_gap, "pairs")


def base_gate(found: VerdictTally, limits: GateLimits) -> CheckedGate:
    """Checks that of two equally good meshes neither side is preferred.

    The rate counts flips as half wins. Because many flips would then hide a preference, the sign test on the consistent
    verdicts must not reject either.
    """
    low, high = limits.base_against_base
    rate, p = found.win_with_ties, found.p_value
    is_passed = rate is not None and low <= rate.mean <= high and p > _BIAS_LEVEL
    return CheckedGate(
        name="base against base",
        is_passed=is_passed,
        value=None if rate is None else rate.mean,
        need=f"{low:g} to {high:g} with flips as halves, and a sign test above {_BIAS_LEVEL:g} (p = {p:.2g}), over "
        f"{found.num_parsed} pairs",
    )


def anchor_gate(before: Mapping[str, PairVerdict], now: Mapping[str, PairVerdict], limits: GateLimits) -> CheckedGate:
    """Checks that the judge still gives the verdicts on the anchor pairs that it gave when it was calibrated.

    before, now: verdicts by pair.
    """
    same = sum(key in now and (now[key].ab, now[key].ba) == (old.ab, old.ba) for key, old in before.items())
    return _at_least("anchors re-judged alike", same, len(before), limits.min_anchor_agreement, "anchors")


def failed_gates(gates: Sequence[CheckedGate]) -> list[CheckedGate]:
    """Returns the gates that failed; a report with one of them is void."""
    return [gate for gate in gates if not gate.is_passed]


def _at_least(name: str, num: int, of: int, limit: float, what: str) -> CheckedGate:
    value = num / of if of else None
    return CheckedGate(
        name=name,
        is_passed=value is not None and value >= limit,
        value=value,
        need=f"at least {limit:g} of {of} {what}",
    )
