"""The types that cross a process or a room, one frozen type for each hand-over.

Task -> Group -> ScoredGroup -> Sample -> Batch -> Update -> Weights -> Publication. A stage that adds knowledge makes
the next type, so no field is ever unset. Videos are not part of these types: a task names its clip by content hash.

Axis suffixes used everywhere: P task, G group member, T token, D dimension.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Dimension = Literal["fabric", "technique", "shape", "dating", "decoration", "attribution"]

DIMENSIONS: tuple[Dimension, ...] = ("fabric", "technique", "shape", "dating", "decoration", "attribution")
"""The six archaeological dimensions, in the order of every table and plot."""

FIELD_OF_DIMENSION: Mapping[Dimension, str] = {
    "fabric": "Fabric",
    "technique": "Technique",
    "shape": "Shape Name",
    "dating": "Date",
    "decoration": "Decoration",
    "attribution": "Attributed To",
}
"""Maps each dimension to the field of a record in the Beazley form that states it."""

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A clip and a question or caption request about it.

    Example: Task(id="v0007/caption", clip="9f2c…", prompt="Describe the vase.", dimensions=DIMENSIONS,
    record={"Fabric": "ATHENIAN", "Date": "-525 to -475", …}, reference="Athenian black-figure …")
    """

    id: str
    """Vase and question; unique within a data set."""
    clip: str
    """Content hash (sha256, hex) of the turntable video, which is in the clip store."""
    prompt: str
    """The user's text after the video, without chat markup."""
    dimensions: tuple[Dimension, ...]
    """Dimensions that are asked for: all six for a caption, one for a question."""
    record: Mapping[str, str]
    """The museum's record in the Beazley form, field name to raw value. Fields without a value are left out."""
    reference: str
    """A perfect answer: a complete caption for a caption task, a value for a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled answer with the engine's log-probabilities.

    Example: Completion(text="Athenian", token_ids=(91, 8, 2), logprobs=(-0.1, -0.7, -0.0), finish_reason="stop",
    weights_version=3)
    """

    text: str
    """The decoded answer without special tokens."""
    token_ids: tuple[int, ...]
    """[T] generated tokens, including the end-of-turn token if it was generated."""
    logprobs: tuple[float, ...]
    """[T] natural log-probability of each token, under the policy that sampled it and at the sampling temperature."""
    finish_reason: FinishReason
    """"stop": the model ended its turn; "length": the token limit cut it off."""
    weights_version: int
    """Version of the weights that generated the answer, as the engine reports it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """G completions of one task."""

    task: Task
    prompt_ids: tuple[int, ...]
    """Tokens of the engine's prompt, with one video placeholder for each token of the clip."""
    completions: tuple[Completion, ...]
    """[G]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A reward function's result for one completion.

    Example: Score(total=0.75, parts={"fabric": 1.0, "shape": 0.5, "penalty/length": 0.0})
    """

    total: float
    """The reward that advantages are computed from."""
    parts: Mapping[str, float]
    """Named values for curves and tables: "fabric", "penalty/length", "bonus", …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredGroup:
    """A group and the score of each of its completions."""

    group: Group
    scores: tuple[Score, ...]
    """[G], in the order of `group.completions`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A completion with its advantage, as the learner receives it."""

    token_ids: tuple[int, ...]
    """[T] tokens of the completion."""
    logprobs: tuple[float, ...]
    """[T] natural log-probabilities under the policy that sampled them."""
    advantage: float
    """Advantage of the whole completion; every token has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSamples:
    """The samples that share one prompt: the learner computes the prompt once for all of them."""

    clip: str
    """Content hash of the turntable video."""
    prompt_ids: tuple[int, ...]
    """Tokens of the prompt, with one video placeholder for each token of the clip."""
    samples: tuple[Sample, ...]
    """[G], in the group's order; fewer if some were left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The data of one optimizer step, for all ranks together."""

    step: int
    """Training step, counted from 1."""
    groups: tuple[PromptSamples, ...]
    """One item for each prompt."""

    @property
    def num_loss_tokens(self) -> int:
        """Trained tokens of the step over all ranks and micro-batches: a denominator of the loss."""
        return sum(len(sample.token_ids) for group in self.groups for sample in group.samples)

    @property
    def num_sequences(self) -> int:
        """Non-empty completions of the step over all ranks and micro-batches: a denominator of the loss."""
        return sum(len(sample.token_ids) > 0 for group in self.groups for sample in group.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """A clip with prompts and the answers to imitate, for supervised fine-tuning. The learner computes the clip once
    for all of them.

    Example: Demonstration(clip="9f2c…", rotation=3, shift=(0, -2), turns=(("Describe the vase.", "Athenian …"),))
    """

    clip: str
    """Content hash of the turntable video."""
    rotation: int
    """Index of the frame with which the turn begins (augmentation)."""
    shift: tuple[int, int]
    """Pixels by which every frame is moved down and right (augmentation)."""
    turns: tuple[tuple[str, str], ...]
    """Prompt and answer of each question; the turns do not see each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """The result of one optimizer step."""

    step: int
    """Training step, counted from 1."""
    metrics: Mapping[str, float]
    """Named scalars: "loss", "grad_norm", "kl", "entropy", "learning_rate", …"""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time of each part, on the slowest rank: "features", "layout", "forward", "backward", "optimizer"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A policy's log-probabilities of a fixed text: equal, up to rounding, wherever the same weights are loaded."""

    token_ids: tuple[int, ...]
    """[T] tokens of the text; empty for weights without a fingerprint."""
    logprobs: tuple[float, ...]
    """[T-1] natural log-probability of each token after the first, at temperature 1."""


UNVOUCHED = Fingerprint(token_ids=(), logprobs=())
"""The fingerprint of weights that come from a folder without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A published version of the policy: a LoRA adapter, or the whole model after full fine-tuning."""

    version: int
    """Increases by one with every publish and is never reused."""
    files: Mapping[str, "bytes | np.ndarray"]
    """File name to content of the folder that PEFT or transformers would save; empty when the tensors were sent from
    GPU to GPU. Large files are [num_bytes] uint8 arrays, which the processes of a machine share."""
    digest: str
    """sha256, hex, over the files' names and contents."""
    fingerprint: Fingerprint = UNVOUCHED
    """The learner's own fingerprint under these weights."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time of each part of making them: "gather", "digest", "fingerprint"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """The result of publishing a version."""

    version: int
    """Version that every engine now serves."""
    fingerprint_gap: float
    """Largest mean |Δ log-probability| between an engine and the learner on the probe text; nan for weights without a
    fingerprint."""
    seconds: Mapping[str, float]
    """Wall time of each part, on the slowest engine: "put", "digest", "load", "fingerprint"; and "total" on the
    driver."""
