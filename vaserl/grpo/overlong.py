"""Soft overlong punishment: a penalty on the reward that grows as a completion's length nears the token limit.

DAPO, Yu et al., arXiv 2503.14476, equation 13.
"""

from collections.abc import Sequence
from dataclasses import replace

from vaserl.settings import OVERLONG_PART, OverlongSettings
from vaserl.types import Score, ScoredGroup


def overlong_share(num_tokens: int, *, limit: int, num_soft: int) -> float:
    """Returns the share of the full penalty for a completion of `num_tokens` tokens: 0 up to limit - num_soft tokens,
    then rising linearly to 1 at `limit` tokens."""
    return min(1.0, max(0.0, (num_tokens - (limit - num_soft)) / num_soft))


def punish_overlong(
    scored_P: Sequence[ScoredGroup], settings: OverlongSettings, max_new_tokens: int
) -> list[ScoredGroup]:
    """Returns the groups, in order, with the length penalty subtracted from each completion's total score.

    Each score contains the penalty, as a positive number, as its part OVERLONG_PART. With `settings.num_tokens` 0 the
    groups are unchanged.
    """
    if settings.num_tokens == 0:
        return list(scored_P)

    def punished(score: Score, num_tokens: int) -> Score:
        share = overlong_share(num_tokens, limit=max_new_tokens, num_soft=settings.num_tokens)
        cost = settings.penalty * share
        return Score(total=score.total - cost, parts={**score.parts, OVERLONG_PART: cost})

    return [
        replace(
            scored,
            scores=tuple(
                punished(score, len(completion.token_ids))
                for score, completion in zip(scored.scores, scored.group.completions, strict=True)
            ),
        )
        for scored in scored_P
    ]
