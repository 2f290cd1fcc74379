"""The fingerprint of a policy's weights: log-probabilities of a fixed probe text, computed by the learner and each
engine.

The logprobs of sampled completions also show that an engine serves wrong weights, but only after a rollout and only as
a mean over all engines' completions. The fingerprint takes one short forward pass on the learner and on each engine,
right after the engines have received new weights, and the error message identifies the engine.

The fingerprint shows that engine and learner compute the same function: same base model, same scale, same positions.
It can't tell apart two versions of the weights whose log-probabilities differ less than engine and learner do, and at
the learning rates of fine-tuning that takes many steps. `vaserl.policy.readback` tells them apart by the weights.

The probe is text without a clip, so it can't detect a difference between the vision towers of engine and learner. Such
a difference shows in the gap between the engine's and the learner's logprobs of sampled completions.
"""

import hashlib
import math
from array import array
from collections.abc import Callable, Sequence

from vaserl.errors import NonFiniteError, ParityError
from vaserl.policy.groups import Branch, PrefixGroup
from vaserl.policy.layout import Layout, shared_prefix_layout
from vaserl.policy.positions import VideoGrid
from vaserl.types import Fingerprint

PROBE_TEXT = (
    "Attic red-figure pelike, attributed to the Berlin Painter, about 490 BCE. A: Herakles wrestles with the lion; "
    "B: a youth with a lyre. Terracotta, height 34.2 cm, from Vulci; inventory 17.230.12."
)
_UNMOVED_SHARE = 0.1
"""Fraction of the limit `max_gap`. If the learner's fingerprint differs from that of an earlier version by more than
this fraction, while an engine's fingerprint equals its own of that version to the bit, the engine still serves that
version."""


def probe_ids(tokenize: Callable[[str], Sequence[int]]) -> tuple[int, ...]:
    """Returns the token ids of the fixed probe text. tokenize: the model's tokenizer, which maps a text to token ids.

    Raises: ValueError when the probe text has fewer than two tokens.
    """
    token_ids = tuple(tokenize(PROBE_TEXT))
    if len(token_ids) < 2:
        raise ValueError(f"the tokenizer splits the probe text into {len(token_ids)} tokens; at least two are needed")
    return token_ids


def probe_layout(token_ids: Sequence[int]) -> Layout:
    """Returns the policy's input for a fingerprint: one row of text, in which every token but the first is
    predicted."""
    text = PrefixGroup(
        prefix_ids=tuple(token_ids[:1]),
        video_start=1,
        grid=VideoGrid(time=0, height=0, width=0, temporal_interval=0.0),
        branches=(Branch(context_ids=(), target_ids=tuple(token_ids[1:])),),
    )
    return shared_prefix_layout([text])


class FingerprintGate:
    """The check that every engine serves the weights just sent to it. An engine's log-probabilities of a probe text are
    compared with the learner's, and with the same engine's under every earlier version of the weights."""

    def __init__(self, max_gap: float):
        """max_gap: largest accepted mean |Δ log-probability| between an engine and the learner."""
        self._max_gap = max_gap
        self._earlier: dict[tuple[int, bytes], tuple[int, Fingerprint]] = {}
        """(index of an engine, digest of its logprobs) to the first version with these logprobs, and that version's
        fingerprint."""

    def check(self, version: int, learner: Fingerprint, engines: Sequence[tuple[float, ...]]) -> float:
        """Returns the largest mean |Δ log-probability| between an engine and the learner; nan when the weights have no
        fingerprint (`UNVOUCHED`).

        engines: for each engine, its logprobs of `learner.token_ids[1:]` under the weights that the engine serves.

        Raises: ParityError in two cases. First, the result is above the limit. Second, an engine's logprobs are exactly
        those of an earlier version of the weights, although the learner's logprobs have changed since. The second case
        detects what the limit can't: near the resolution of bfloat16, one step changes the logprobs less than they
        differ between two engines. But noise never makes the logprobs of two versions equal to the bit. NonFiniteError
        when the learner's own log-probabilities are not finite, which no engine can be blamed for.
        """
        if not learner.logprobs:
            return math.nan
        if not all(map(math.isfinite, learner.logprobs)):
            raise NonFiniteError(
                f"the learner's log-probabilities of the probe text are NaN or infinite under version {version} of the "
                "weights: the model at model.path contains such weights, or overflows in model.dtype"
            )
        gaps = [mean_gap(engine, learner.logprobs) for engine in engines]
        for index, (engine, gap) in enumerate(zip(engines, gaps, strict=True)):
            # not (a <= b): a nan must not pass
            if not gap <= self._max_gap:
                raise ParityError(
                    f"engine {index} does not serve version {version} of the learner's weights: the engine's mean "
                    f"log-probability of the probe text is {_mean(engine):.6f}, the learner's is "
                    f"{_mean(learner.logprobs):.6f}. Per token they differ by {gap:.2e}; the limit is "
                    f"{self._max_gap:.2e} (rollout.max_fingerprint_gap)"
                )
            self._refuse_stale(version, learner, index, engine)
        return max(gaps)

    def _refuse_stale(self, version: int, learner: Fingerprint, index: int, engine: tuple[float, ...]) -> None:
        key = index, hashlib.sha256(array("d", engine).tobytes()).digest()
        served, before = self._earlier.setdefault(key, (version, learner))
        if served == version or before.token_ids != learner.token_ids:
            return
        moved = mean_gap(learner.logprobs, before.logprobs)
        if moved > _UNMOVED_SHARE * self._max_gap:
            raise ParityError(
                f"engine {index} still serves version {served} of the weights, although it reports version {version}: "
                "its log-probabilities of the probe text are the same in every bit, while the learner's have changed "
                f"by {moved:.2e} since"
            )


def check_served(index: int, version: int, differing: Sequence[str]) -> None:
    """Raises ParityError when weights that were read back from an engine differ from the published ones.

    index: number of the engine. differing: names of the weights that differ.
    """
    if differing:
        raise ParityError(
            f"engine {index} does not serve version {version} of the weights: {len(differing)} weight matrices that "
            f"were read back from the engine are not the published ones, among them {differing[0]}"
        )


def mean_gap(one: Sequence[float], other: Sequence[float]) -> float:
    """Returns the mean absolute difference between corresponding elements of two sequences.

    Raises: ValueError when the lengths differ.
    """
    return math.fsum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
