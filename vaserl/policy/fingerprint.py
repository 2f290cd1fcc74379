"""The fingerprint of a policy's weights: the log-probabilities of a fixed probe text, by the learner and every engine.

The logprobs of sampled completions also show that an engine serves wrong weights, but only after a rollout and only as
a mean over all engines' completions. The fingerprint takes one short forward pass on each side, right after the engines
have received new weights, and its error names the engine. The probe is text only: a difference between vision towers
shows in the gap between the engine's and the learner's logprobs of sampled completions.
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
"""Share of the limit `max_gap`. An engine whose fingerprint is unchanged to the bit still serves the old weights if the
learner's fingerprint moved by more than this share."""


def probe_ids(tokenize: Callable[[str], Sequence[int]]) -> tuple[int, ...]:
    """Returns the token ids of the probe text in the model's own vocabulary.

    Raises: ValueError when there are fewer than two tokens.
    """
    token_ids = tuple(tokenize(PROBE_TEXT))
    if len(token_ids) < 2:
        raise ValueError(f"the tokenizer splits the probe text into {len(token_ids)} tokens; at least two are needed")
    return token_ids


def probe_layout(token_ids: Sequence[int]) -> Layout:
    """Returns the model's input for a fingerprint: one row of text in which every token but the first is predicted."""
    text = PrefixGroup(
        prefix_ids=tuple(token_ids[:1]),
        video_start=1,
        grid=VideoGrid(time=0, height=0, width=0, temporal_interval=0.0),
        branches=(Branch(context_ids=(), target_ids=tuple(token_ids[1:])),),
    )
    return shared_prefix_layout([text])


class FingerprintGate:
    """The check that every engine serves the weights just sent to it: compares its log-probabilities of the probe text
    with the learner's, and with its own at the previous version of the weights."""

    def __init__(self, max_gap: float):
        """max_gap: largest mean |Δ log-probability| between an engine and the learner that passes the check."""
        self._max_gap = max_gap
        self._before: tuple[Fingerprint, list[tuple[float, ...]]] | None = None

    def check(self, version: int, learner: Fingerprint, engines: Sequence[tuple[float, ...]]) -> float:
        """Returns the largest mean |Δ log-probability| between an engine and the learner; nan when the weights have no
        fingerprint (`UNVOUCHED`).

        engines: for each engine, its logprobs of `learner.token_ids[1:]` under the weights that it serves.

        Raises: ParityError when the result is above the limit, or when an engine's logprobs are exactly those of the
        previous version although the learner's have moved. Near the resolution of bfloat16 one step's change is smaller
        than the noise between two engines, but two versions are never equal to the bit by noise.
        """
        if not learner.logprobs:
            return math.nan
        gaps = [mean_gap(engine, learner.logprobs) for engine in engines]
        for index, (engine, gap) in enumerate(zip(engines, gaps, strict=True)):
            # not (a <= b): a nan must not pass
            if not gap <= self._max_gap:
                raise ParityError(
                    f"engine {index} does not serve v{version} of the learner's weights: on the probe text its mean "
                    f"log-probability is {_mean(engine):.6f}, the learner's {_mean(learner.logprobs):.6f}, and they "
                    f"differ by {gap:.2e} per token; the limit is {self._max_gap:.2e} (rollout.max_fingerprint_gap)"
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
                f"engine {index} reports v{version}, but its log-probabilities of the probe text equal those of the "
                f"previous version to the bit, while the learner's moved by {moved:.2e}: it kept the old weights"
            )


def mean_gap(one: Sequence[float], other: Sequence[float]) -> float:
    """Returns the mean absolute difference between the elements of two sequences.

    Raises: ValueError when the lengths differ.
    """
    return math.fsum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
