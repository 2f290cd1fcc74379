"""The frozen types of the data that is passed between processes and between packages.

Task -> Group -> ScoredGroup -> Sample -> Batch -> Update -> Weights -> Publication. Each stage of a training step adds
its results by creating an object of the next type, so no field is ever unset. Videos are not part of these types: a
task identifies its clip by content hash.

Letters of axes, in shapes and as suffixes of names: P tasks, G completions of a task, T tokens, D dimensions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

Dimension = Literal["fabric", "technique", "shape", "dating", "decoration", "attribution"]

DIMENSIONS: tuple[Dimension, ...] = ("fabric", "technique", "shape", "dating", "decoration", "attribution")
"""The six properties of a vase that captions and answers are scored on, in the order of every table and plot."""

FIELD_OF_DIMENSION: Mapping[Dimension, str] = {
    "fabric": "Fabric",
    "technique": "Technique",
    "shape": "Shape Name",
    "dating": "Date",
    "decoration": "Decoration",
    "attribution": "Attributed To",
}
"""Maps each of the six properties to the name of the field that contains it in a museum's record. Field names are those
of the Beazley Archive."""

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A clip (turntable video of a vase) and a prompt, which asks a question about the vase or requests a caption.

    Example: Task(id="v0007/caption", clip="9f2c…", prompt="Describe the vase.", dimensions=DIMENSIONS,
    record={"Fabric": "ATHENIAN", "Date": "-525 to -475", …}, reference="Athenian black-figure …")
    """

    id: str
    """Identifier of the task, unique within a data set; made of the vase's identifier and the question."""
    clip: str
    """sha256, in hexadecimal, of the turntable video's content; the video's key in the clip store."""
    prompt: str
    """Text that the user's message contains after the video, without chat markup."""
    dimensions: tuple[Dimension, ...]
    """Properties of the vase that the answer is scored on: all six for a caption; one, or none, for a question."""
    record: Mapping[str, str]
    """The museum's record of the vase: field name (as in the Beazley Archive) to raw value. Fields without a value are
    left out."""
    reference: str
    """The correct answer: a complete caption if the task requests a caption, one value if the task asks a question."""

    @property
    def is_question(self) -> bool:
        """True if the task asks a question about the vase, False if it requests a caption."""
        return len(self.dimensions) <= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One sampled answer, and the log-probabilities of its tokens as the inference engine computed them.

    Example: Completion(text="Athenian", token_ids=(91, 8, 2), logprobs=(-0.1, -0.7, -0.0), finish_reason="stop",
    weights_version=3)
    """

    text: str
    """The decoded answer without special tokens."""
    token_ids: tuple[int, ...]
    """[T] ids of the generated tokens, including the end-of-turn token if it was generated."""
    logprobs: tuple[float, ...]
    """[T] natural log-probability of each token under the weights that sampled it, at the sampling temperature."""
    finish_reason: FinishReason
    """Reason why the answer ended: "stop" if the model ended its turn, "length" if the token limit was reached."""
    weights_version: int
    """Version number, reported by the engine, of the weights that generated the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The completions sampled for one task. Advantages are computed by comparing the completions' rewards."""

    task: Task
    prompt_ids: tuple[int, ...]
    """Token ids of the prompt that the engine used, with one video placeholder for each token of the clip."""
    completions: tuple[Completion, ...]
    """[G] completions of the task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A reward function's result for one completion.

    Example: Score(total=0.75, parts={"fabric": 1.0, "shape": 0.5, "penalty/length": 0.0})
    """

    total: float
    """The reward that advantages are computed from."""
    parts: Mapping[str, float]
    """Name to value of each part of the reward, for plots and tables: "fabric", "penalty/length", "bonus", …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredGroup:
    """A group (the completions sampled for one task) and the score of each completion."""

    group: Group
    scores: tuple[Score, ...]
    """[G] score of each completion, in the order of `group.completions`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A completion with its advantage, as it is sent to the learner."""

    token_ids: tuple[int, ...]
    """[T] token ids of the completion."""
    logprobs: tuple[float, ...]
    """[T] natural log-probability of each token under the weights that sampled it, at the sampling temperature."""
    advantage: float
    """Advantage of the whole completion, used for each of its tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSamples:
    """The samples (completions with advantages) of one prompt. The learner processes the prompt once for all
    samples."""

    clip: str
    """sha256, in hexadecimal, of the turntable video's content."""
    prompt_ids: tuple[int, ...]
    """Token ids of the prompt, with one video placeholder for each token of the clip."""
    samples: tuple[Sample, ...]
    """[G] samples, in the order in which the completions were sampled; fewer than G if some were left out of
    training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The training data of one optimizer step, for all ranks (learner processes) together."""

    step: int
    """Number of the optimizer step, counted from 1."""
    groups: tuple[PromptSamples, ...]
    """The samples of each prompt in this step."""

    @property
    def num_loss_tokens(self) -> int:
        """Number of trained tokens in the step, over all ranks and micro-batches. Some loss variants divide by it."""
        return sum(len(sample.token_ids) for group in self.groups for sample in group.samples)

    @property
    def num_sequences(self) -> int:
        """Number of non-empty completions in the step, over all ranks and micro-batches. Some loss variants divide by
        it."""
        return sum(len(sample.token_ids) > 0 for group in self.groups for sample in group.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """A clip with prompts and the answers to imitate, for supervised fine-tuning. The learner processes the clip once
    for all prompts.

    Example: Demonstration(clip="9f2c…", rotation=3, shift=(0, -2), turns=(("Describe the vase.", "Athenian …"),))
    """

    clip: str
    """sha256, in hexadecimal, of the turntable video's content."""
    rotation: int
    """Index of the frame at which the turntable video begins (augmentation); the frames before it come last."""
    shift: tuple[int, int]
    """Number of pixels by which every frame is moved (down, right); negative for up and left (augmentation)."""
    turns: tuple[tuple[str, str], ...]
    """(prompt, answer) pairs. The tokens of one pair do not attend to the tokens of another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """The learner's report on one optimizer step."""

    step: int
    """Number of the optimizer step, counted from 1."""
    metrics: Mapping[str, float]
    """Name to value of each metric: "loss", "grad_norm", "kl", "entropy", "learning_rate", …"""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time in seconds of each part of the step, on the slowest rank: "features", "layout", "forward", "backward",
    "optimizer"."""
    nonfinite: str = ""
    """What was NaN or infinite in a step that was not applied for that reason; empty for every other step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A policy's log-probabilities of a fixed probe text. All processes that have loaded the same weights compute the
    same values, up to rounding. A fingerprint tells a wrong model, precision or position apart, but not two versions of
    the weights that are one small step apart: `vaserl.policy.readback` compares the weights themselves."""

    token_ids: tuple[int, ...]
    """[T] token ids of the probe text; empty for weights without a fingerprint."""
    logprobs: tuple[float, ...]
    """[T-1] natural log-probability of each token of the probe text after the first, at temperature 1."""


UNVOUCHED = Fingerprint(token_ids=(), logprobs=())
"""The empty fingerprint, for weights that were loaded from a folder without a fingerprint. It is not compared with
others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A version of the policy's weights that is sent to the engines: a LoRA adapter, or the whole model after full
    fine-tuning."""

    version: int
    """Version number. It increases by one each time weights are sent to the engines, and is never reused."""
    files: Mapping[str, "bytes | np.ndarray"]
    """File name to content of the folder that PEFT would save for an adapter, or transformers for a whole model. Large
    files are [num_bytes] uint8 arrays, which the processes of a machine share. The mapping is empty when the tensors
    were sent from GPU to GPU."""
    digest: str
    """sha256, in hexadecimal, over the names and contents of the files."""
    fingerprint: Fingerprint = UNVOUCHED
    """The learner's log-probabilities of the probe text under these weights."""
    columns: "Mapping[str, np.ndarray]" = field(default_factory=dict)
    """Weight name to some columns of the weight, [rows, columns] float32, which are compared with what the engines
    serve (see `vaserl.policy.readback`). Empty if there are files, which contain all columns."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time in seconds of each part of making this version of the weights: "gather", "digest", "fingerprint"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """The result of sending a version of the weights to all engines."""

    version: int
    """Version number of the weights that every engine now serves."""
    fingerprint_gap: float
    """Largest mean |Δ log-probability| between an engine and the learner on the fixed probe text; nan for weights
    without a fingerprint."""
    seconds: Mapping[str, float]
    """Wall time in seconds of each part of sending the weights. On the slowest engine: "put", "digest", "load",
    "fingerprint". On the driver (the process that controls the run): "total"."""
