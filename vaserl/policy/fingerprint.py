"""The fingerprint of published weights: what they say of a fixed text, by the learner and by every engine.

A step's own logprobs show a wrong policy too, but only after a rollout was spent on it, and only as a mean over
whatever was sampled. This costs each side one short forward pass, straight after the publish, and names the engine.
It is text alone: a vision tower that differs shows in the step's logprob gap instead.
"""

import math
from collections.abc import Callable, Sequence

from vaserl.errors import ParityError
from vaserl.policy.groups import Branch, PrefixGroup
from vaserl.policy.layout import Layout, shared_prefix_layout
from vaserl.policy.positions import VideoGrid
from vaserl.types import Fingerprint

PROBE_TEXT = (
    "Attic red-figure pelike, attributed to the Berlin Painter, about 490 BCE. A: Herakles wrestles with the lion; "
    "B: a youth with a lyre. Terracotta, height 34.2 cm, from Vulci; inventory 17.230.12."
)
_UNMOVED_SHARE = 0.1
"""Of the limit: how far the learner must have moved for an engine that has not moved at all to count as stale."""


def probe_ids(tokenize: Callable[[str], Sequence[int]]) -> tuple[int, ...]:
    """[T] the fixed text's tokens in the model's own vocabulary.

    Raises: ValueError when the tokenizer makes fewer than two of it.
    """
    token_ids = tuple(tokenize(PROBE_TEXT))
    if len(token_ids) < 2:
        raise ValueError(f"the tokenizer makes {len(token_ids)} tokens of the probe text")
    return token_ids


def probe_layout(token_ids: Sequence[int]) -> Layout:
    """One row of text, every token but the first predicted."""
    text = PrefixGroup(
        prefix_ids=tuple(token_ids[:1]),
        video_start=1,
        grid=VideoGrid(time=0, height=0, width=0, temporal_interval=0.0),
        branches=(Branch(context_ids=(), target_ids=tuple(token_ids[1:])),),
    )
    return shared_prefix_layout([text])


class FingerprintGate:
    """Compares each engine's answer with the learner's, and with the answers to the version before."""

    def __init__(self, max_gap: float):
        """max_gap: mean |log-probability| by which an engine may differ from the learner."""
        self._max_gap = max_gap
        self._before: tuple[Fingerprint, list[tuple[float, ...]]] | None = None

    def check(self, version: int, learner: Fingerprint, engines: Sequence[tuple[float, ...]]) -> float:
        """The largest mean |log-probability| between an engine and the learner, nan when no learner vouches.

        engines: [E][T-1] each engine's logprobs of `learner.token_ids` under the weights it says it serves.

        Raises: ParityError when it is above the limit, or when an engine answers exactly as it did before although the
        learner has moved: near the limit of bfloat16 one step's change is smaller than the noise between two engines,
        but no noise makes two versions equal to the bit.
        """
        if not learner.logprobs:
            return math.nan
        gaps = [mean_gap(engine, learner.logprobs) for engine in engines]
        for index, (engine, gap) in enumerate(zip(engines, gaps, strict=True)):
            # not (a <= b): a nan must not pass
            if not gap <= self._max_gap:
                raise ParityError(
                    f"engine {index} does not serve v{version} as the learner holds it: on the probe text its mean "
                    f"log-probability is {_mean(engine):.6f}, the learner's {_mean(learner.logprobs):.6f}, and they "
                    f"differ by {gap:.2e} a token; the limit is {self._max_gap:.2e} (rollout.max_fingerprint_gap)"
                )
            self._refuse_stale(version, learner, index, engine)
        self._before = learner, list(engines)
        return max(gaps)

    def _refuse_stale(self, version: int, learner: Fingerprint, index: int, engine: tuple[float, ...]) -> None:
        if self._before is None or self._before[0].token_ids != learner.token_ids:
            return
        before, engines_before = self._before
        moved = mean_gap(learner.logprobs, before.logprobs)
        if engine == engines_before[index] and moved > _UNMOVED_SHARE * self._max_gap:
            raise ParityError(
                f"engine {index} says it serves v{version}, but on the probe text it answers to the bit as with the "
                f"version before, while the learner's log-probabilities moved by {moved:.2e}: it kept old weights"
            )


def mean_gap(one: Sequence[float], other: Sequence[float]) -> float:
    """Mean absolute difference.

    Raises: ValueError when the lengths differ.
    """
    return math.fsum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
