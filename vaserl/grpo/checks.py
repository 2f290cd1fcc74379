"""Checks that stop a run before it learns, or publishes, what another policy wrote."""

from collections.abc import Mapping, Sequence

from vaserl.errors import ParityError
from vaserl.grpo.metrics import staleness
from vaserl.types import ScoredGroup

MAX_MISSING_SHARE = 0.01
"""Largest share of a step's tokens that may lack an engine log-probability: such tokens can't be compared."""


class StalenessError(RuntimeError):
    """A sample is older than the bound, or newer than the learner: the engines did not keep the order."""


def check_parity(step: int, values: Mapping[str, float], max_logprob_gap: float) -> None:
    """Compares `logprob_gap` and `engine_missing` of a step's metrics with their limits.

    Raises: ParityError when learner and engine differ by more, or when too few tokens can be compared.
    """
    if (missing := values.get("engine_missing", 0.0)) > MAX_MISSING_SHARE:
        raise ParityError(f"step {step}: the engine gave no log-probability for {missing:.1%} of the sampled tokens")
    if (gap := values.get("logprob_gap", 0.0)) > max_logprob_gap:
        raise ParityError(
            f"step {step}: learner and engine differ by {gap:.2e} in mean |log-probability| of the sampled tokens, "
            f"the limit is {max_logprob_gap:.2e} (max_logprob_gap). Their weights, positions or precision differ."
        )


def check_staleness(scored: Sequence[ScoredGroup], version: int, max_staleness: int) -> None:
    """Checks that the learner's `version` or one of the `max_staleness` versions before it wrote every sample.

    Raises: StalenessError.
    """
    ages = staleness(scored, version)
    for age in (min(ages), max(ages)):
        if not 0 <= age <= max_staleness:
            raise StalenessError(
                f"step {version}: a sample was written by v{version - age}, but the learner has v{version} and "
                f"max_staleness is {max_staleness}"
            )
