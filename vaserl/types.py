"""What crosses a process or a room, one frozen type for each hand-over.

Task -> Group -> ScoredGroup -> Sample -> Batch -> Update -> Weights -> Publication. A stage that adds knowledge makes
the next type; no field waits to be filled in. Videos never ride inside these: a task names its clip by content hash.

Axis suffixes used everywhere: P task, G group member, T token, D dimension.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Dimension = Literal["fabric", "technique", "shape", "dating", "decoration", "attribution"]

DIMENSIONS: tuple[Dimension, ...] = ("fabric", "technique", "shape", "dating", "decoration", "attribution")
"""The six archaeological dimensions, in the order in which every table and plot lists them."""

FIELD_OF_DIMENSION: Mapping[Dimension, str] = {
    "fabric": "Fabric",
    "technique": "Technique",
    "shape": "Shape Name",
    "dating": "Date",
    "decoration": "Decoration",
    "attribution": "Attributed To",
}
"""The field of a Beazley-form record that states each dimension."""

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A clip and what is asked about it.

    Example: Task(id="v0007/caption", clip="9f2c…", prompt="Describe the vase.", dimensions=DIMENSIONS,
    record={"Fabric": "ATHENIAN", "Date": "-525 to -475", …}, reference="Athenian black-figure …")
    """

    id: str
    """Unique within a data set: the vase and the question."""
    clip: str
    """Content hash (sha256, hex) of the turntable; the clip store holds the file."""
    prompt: str
    """The user's words after the video, without chat markup."""
    dimensions: tuple[Dimension, ...]
    """What is asked for: all six for a caption, one for a question."""
    record: Mapping[str, str]
    """The museum's record in the Beazley form, field name to raw value; absent fields are absent."""
    reference: str
    """The complete text a perfect answer would give: a caption for a caption task, a value for a question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled answer and what the engine knows about it."""

    text: str
    """The decoded answer without special tokens."""
    token_ids: tuple[int, ...]
    """[T] generated tokens, the end-of-turn token included when it was produced."""
    logprobs: tuple[float, ...]
    """[T] natural log-probability of each token under the policy that sampled it, at the sampling temperature."""
    finish_reason: FinishReason
    """"stop": the model ended its turn; "length": the token limit cut it off."""
    weights_version: int
    """The version of the weights that wrote it, as the engine states it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """G completions of one task."""

    task: Task
    """What was asked."""
    prompt_ids: tuple[int, ...]
    """[P] the prompt as the engine saw it, video placeholders expanded."""
    completions: tuple[Completion, ...]
    """[G] the answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a reward function says of one completion."""

    total: float
    """The reward."""
    parts: Mapping[str, float]
    """Named parts of it, for every curve and table: "fabric", "penalty/length", "bonus", …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredGroup:
    """A group and the score of each of its completions."""

    group: Group
    """What was scored."""
    scores: tuple[Score, ...]
    """[G] in the order of `group.completions`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A completion with its advantage: what the learner learns from."""

    token_ids: tuple[int, ...]
    """[T] the completion's tokens."""
    logprobs: tuple[float, ...]
    """[T] log-probabilities under the policy that sampled them."""
    advantage: float
    """The same for every token of the completion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSamples:
    """The samples that share one prompt, and so one pass of the learner over it."""

    clip: str
    """Content hash of the turntable."""
    prompt_ids: tuple[int, ...]
    """[P] the prompt, video placeholders expanded."""
    samples: tuple[Sample, ...]
    """[G] in the group's order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one optimizer step learns from, on all ranks together."""

    step: int
    """The training step, counted from 1."""
    groups: tuple[PromptSamples, ...]
    """One for each prompt."""

    @property
    def num_loss_tokens(self) -> int:
        """Every trained token of the step, over all ranks and micro-batches: a denominator of the loss."""
        return sum(len(sample.token_ids) for group in self.groups for sample in group.samples)

    @property
    def num_sequences(self) -> int:
        """Completions with a trained token, over all ranks and micro-batches: a denominator of the loss."""
        return sum(len(sample.token_ids) > 0 for group in self.groups for sample in group.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """A clip and the answers to imitate, for supervised fine-tuning: they share one pass over the clip."""

    clip: str
    """Content hash of the turntable."""
    rotation: int
    """Frames by which the turntable is turned before it is shown."""
    shift: tuple[int, int]
    """Pixels by which every frame is moved down and right before it is shown."""
    turns: tuple[tuple[str, str], ...]
    """Prompt and answer of each turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What one optimizer step did."""

    step: int
    """The training step."""
    metrics: Mapping[str, float]
    """Named scalars: "loss", "grad_norm", "kl", "entropy", "learning_rate", …"""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """By piece, the slowest rank's: "features", "layout", "forward", "backward", "optimizer"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What a policy says of a fixed text: two holders of the same weights give the same."""

    token_ids: tuple[int, ...]
    """[T] the text's tokens; none where no learner vouches for the weights."""
    logprobs: tuple[float, ...]
    """[T-1] natural log-probability of each token but the first, at temperature 1."""


UNVOUCHED = Fingerprint(token_ids=(), logprobs=())
"""Of weights that come from a folder without a fingerprint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A published version of the policy: a LoRA adapter, or the whole model after full fine-tuning."""

    version: int
    """Grows by one with every publish, never reused."""
    files: Mapping[str, "bytes | np.ndarray"]
    """File name to content of the folder that PEFT or transformers would have saved; large ones as [num_bytes] uint8
    arrays, which processes of one machine share. Empty when the tensors went from GPU to GPU."""
    digest: str
    """sha256 over the files' names and contents, hex."""
    fingerprint: Fingerprint = UNVOUCHED
    """What the learner itself says of the probe text under these weights."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """What making them took: "gather", "digest", "fingerprint"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What publishing a version did."""

    version: int
    """The version that every engine serves now."""
    fingerprint_gap: float
    """The largest mean |log-probability| between an engine and the learner on the probe text; nan when no learner
    vouches for the weights."""
    seconds: Mapping[str, float]
    """By piece, the slowest engine's: "put", "digest", "load", "fingerprint", and "total" by the driver's clock."""
