"""Settings of the jobs that train and evaluate, composed of the other modules' sections."""

import re
from pathlib import Path
from typing import Annotated, Literal

import pydantic

from vaserl.settings.advantage import OVERLONG_PART, AdvantageSettings, OverlongSettings
from vaserl.settings.checkpoint import CheckpointSettings
from vaserl.settings.cluster import ClusterSettings
from vaserl.settings.features import FeatureSettings
from vaserl.settings.inputs import DataSettings, ModelSettings
from vaserl.settings.learner import LearnerSettings
from vaserl.settings.loss import LossSettings
from vaserl.settings.questions import QuestionSettings
from vaserl.settings.reward import RewardSettings
from vaserl.settings.rollout import RolloutSettings
from vaserl.settings.section import Section
from vaserl.settings.start import StartSettings
from vaserl.settings.submitted import WRITTEN
from vaserl.settings.systems import SystemSettings
from vaserl.settings.validation import ValidationSettings


class TrainSettings(Section):
    """Settings of a GRPO run on the vases of a data set, whose captions are requested, and on questions about them."""

    run_dir: Annotated[Path, WRITTEN]
    """Folder that the run writes its files to."""
    seed: int = 0
    """Seed of the task order, the sampling and the adapter's initial weights."""
    num_steps: int = pydantic.Field(ge=1)
    """Number of GRPO steps, each with one update of the weights."""
    loop: Literal["on_policy", "ahead"] = "on_policy"
    """"on_policy" samples each step with the weights that the previous step produced. "ahead" samples later steps while
    the learner trains on the current one, with weights up to `max_staleness` versions older than the learner's."""
    max_staleness: int = pydantic.Field(default=1, ge=0)
    """Number of versions by which the learner may be ahead of the weights that generated a completion; used with loop =
    "ahead" only. 1 is enough to overlap sampling with learning. A larger value also evens out steps of unequal
    duration. 0 equals the on-policy loop."""
    tasks_per_step: int = pydantic.Field(default=16, ge=1)
    """Number of tasks in one step; rollout.group_size completions are sampled for each."""
    too_long: Literal["stop", "drop"] = "stop"
    """What happens if the prompt of a task does not fit into max_model_len (rollout.engine_args) together with a
    completion of rollout.max_new_tokens tokens. "stop" ends the job before it begins. "drop" leaves the task out, and
    also those whose reference answer has more than rollout.max_new_tokens tokens; their number is printed, and
    dropped.jsonl in the run's folder names them. Vases of the validation are never left out."""
    max_refills: int = pydantic.Field(default=0, ge=0)
    """Largest number of rounds in which a step draws new tasks to replace those whose completions all have the same
    reward (DAPO's dynamic sampling). After the last round the step learns from the groups it has then."""
    max_skipped_steps: int = pydantic.Field(default=20, ge=0)
    """Number of steps in a row without any training signal that stops the run; 0 sets no limit. Such a step has equal
    rewards in every group, or completions that loss.mask_truncated leaves out. A run in which every step was of this
    kind ends with an error, however short it is."""
    save_every: int = pydantic.Field(default=0, ge=0)
    """Number of steps between two saves of the weights; 0 saves only after the last step, which is always saved."""
    max_logprob_gap: float = pydantic.Field(default=0.05, gt=0)
    """Limit on the mean absolute difference between the learner's and the engine's log-probabilities of a step's
    sampled tokens; a larger difference stops the run. Applies only to steps that were sampled with the learner's
    current weights."""
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = ("tensorboard",)
    """Trackers to which the metrics are sent, in addition to the file metrics.jsonl, which is always written."""
    model: ModelSettings
    data: DataSettings
    rollout: RolloutSettings = RolloutSettings()
    reward: RewardSettings = RewardSettings()
    questions: QuestionSettings = QuestionSettings()
    overlong: OverlongSettings = OverlongSettings()
    advantage: AdvantageSettings = AdvantageSettings()
    loss: LossSettings = LossSettings()
    learner: LearnerSettings = LearnerSettings()
    start: StartSettings = StartSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    validation: ValidationSettings = ValidationSettings()
    features: FeatureSettings = FeatureSettings()
    cluster: ClusterSettings = ClusterSettings()

    @property
    def num_questions(self) -> int:
        """Number of tasks of each step that are questions."""
        return round(self.questions.share * self.tasks_per_step)

    @pydantic.model_validator(mode="after")
    def _questions_are_asked(self):
        if self.questions.share and not self.num_questions:
            raise ValueError(
                f"questions.share = {self.questions.share:g} is less than half a task of a step with tasks_per_step = "
                f"{self.tasks_per_step}: no question would be asked. Raise one of them"
            )
        if self.reward.questions and not self.questions.share:
            raise ValueError("reward.questions has an effect with questions.share > 0 only")
        return self

    @pydantic.model_validator(mode="after")
    def _staleness_needs_ahead(self):
        if self.loop == "on_policy" and self.max_staleness != type(self).model_fields["max_staleness"].default:
            raise ValueError(f'max_staleness = {self.max_staleness} has an effect with loop = "ahead" only')
        return self

    @pydantic.model_validator(mode="after")
    def _groups_have_members(self):
        if self.rollout.group_size < 2:
            raise ValueError(
                "rollout.group_size must be at least 2 in training: a completion's advantage is its reward compared "
                "with the group's other completions, so a group of 1 never has a signal"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _parts_are_normalised(self):
        if self.advantage.per_dimension and not self.loss.normalise_advantages:
            raise ValueError("advantage.per_dimension = true needs loss.normalise_advantages = true")
        if self.advantage.per_dimension and self.overlong.num_tokens and OVERLONG_PART not in self.advantage.weights:
            raise ValueError(
                f"advantage.per_dimension uses only the parts in advantage.weights: add {OVERLONG_PART!r} there with a "
                "negative weight, or set overlong.num_tokens to 0"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _loss_fits_the_run(self):
        limit = self.rollout.max_new_tokens
        if self.overlong.num_tokens > limit:
            raise ValueError(f"overlong.num_tokens must be at most rollout.max_new_tokens = {limit}")
        if self.loss.beta > 0 and self.learner.method == "full":
            raise ValueError(
                'loss.beta > 0 needs the base model as reference, but learner.method = "full" keeps no base model; '
                "set loss.beta to 0"
            )
        if self.loss.variant == "dr_grpo" and self.loss.token_budget is None:
            # the sections are frozen, and this default comes from another section
            object.__setattr__(self, "loss", self.loss.model_copy(update={"token_budget": limit}))
        return self

    @pydantic.model_validator(mode="after")
    def _checkpoints_are_complete(self):
        check_unstored_options(self.checkpoint, self.learner)
        return self

    @pydantic.model_validator(mode="after")
    def _reference_is_used(self):
        if self.start.reference == "start" and self.loss.beta == 0:
            raise ValueError('start.reference = "start" has an effect with loss.beta > 0 only')
        return self


class TinyModelSettings(Section):
    """Settings of a small Qwen2.5-VL with random weights, built at `model.path` before training instead of starting
    from a checkpoint."""

    vocab_size: int = 640
    """Largest number of entries in the vocabulary of the model's tokenizer, which is trained on the data set's
    texts."""
    hidden_size: int = 192
    """Size of the language model's hidden states; hidden_size / num_heads must be a head size that vLLM supports (32,
    64, 80, 96, …)."""
    num_layers: int = 3
    """Number of layers of the language model."""
    num_heads: int = 6
    """Number of attention heads of the language model. Must be even, because every two heads share one key and value
    head."""
    vision_hidden_size: int = 128
    """Size of the vision tower's hidden states. Must be a multiple of 4, the tower's number of attention heads."""
    vision_depth: int = 3
    """Number of transformer blocks of the vision tower."""


class SftSettings(Section):
    """Settings of a supervised fine-tuning run."""

    run_dir: Annotated[Path, WRITTEN]
    """Folder that the run writes its files to; the trained model is written to its subfolder model/."""
    seed: int = 0
    """Seed of the initial weights, of the order of the vases, and of the random questions, clip rotations and clip
    shifts."""
    num_epochs: int = pydantic.Field(default=2, ge=1)
    """Number of passes over the training vases."""
    vases_per_step: int = pydantic.Field(default=16, ge=1)
    """Number of vases in one optimizer step, each with its clip, its caption and `questions_per_vase` questions."""
    questions_per_vase: int = pydantic.Field(default=0, ge=0)
    """Number of questions that are drawn at random for each vase in a step; they share the forward pass over the vase's
    clip."""
    rotate_clips: bool = True
    """If true, each clip starts at a random frame of the turn, so that the model can't rely on the position of the
    frame that shows the vase's front."""
    max_shift: int = pydantic.Field(default=0, ge=0)
    """Largest shift of a clip's frames in pixels, vertically and horizontally. The shift is random and drawn again in
    each epoch. Without it a small model that is trained from random weights memorises the clips."""
    tiny_model: TinyModelSettings | None = None
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = ("tensorboard",)
    """Trackers to which the metrics are sent, in addition to the file metrics.jsonl, which is always written."""
    model: ModelSettings
    data: DataSettings
    learner: LearnerSettings = LearnerSettings(learning_rate=1e-4)
    start: StartSettings = StartSettings()
    checkpoint: CheckpointSettings = CheckpointSettings()
    features: FeatureSettings = FeatureSettings()
    cluster: ClusterSettings = ClusterSettings()

    @pydantic.model_validator(mode="after")
    def _checkpoints_are_complete(self):
        check_unstored_options(self.checkpoint, self.learner)
        return self

    @pydantic.model_validator(mode="after")
    def _no_reference(self):
        if self.start.reference == "start":
            raise ValueError('start.reference = "start" has no effect: supervised training has no KL term')
        return self


class EvaluateSettings(Section):
    """Settings of a comparison of any number of systems, by their captions of held-out vases."""

    run_dir: Annotated[Path, WRITTEN]
    """Folder that the captions and the results are written to: evaluation.json and the tables evaluation.md, .csv, .tex
    and .html."""
    seed: int = 0
    """Seed of the intervals and tests, and of the sampling if decoding = "sampled"."""
    trained: Path | None = None
    """Weights folder (`weights/v…`) of a GRPO run. Short for two systems: "sft", the model at `model.path`, and "rl",
    that model with these weights."""
    systems: dict[str, SystemSettings] = pydantic.Field(default_factory=dict)
    baseline: str = ""
    """Name of the system with which all others are compared; empty for the first, which is "sft" if `trained` is
    set."""
    gate: str = "reward"
    """Metric that decides the exit code with --gate: a name of evaluation.json, such as "reward", "lexical_strict" or
    "accuracy/shape"; higher is better."""
    split: str = "test"
    """Name of the split of the data set whose vases are captioned."""
    decoding: Literal["greedy", "sampled"] = "greedy"
    """"greedy" takes the likeliest token. "sampled" draws one completion at rollout.temperature, by `seed`."""
    questions: bool = False
    """If true, the systems with a model also answer the questions about each vase, one for each dimension that its
    record states."""
    clip_model: Path
    """Folder of an open_clip model, whose text tower compares each caption with the vase's reference caption. The
    published evaluation used openai/clip-vit-base-patch32."""
    sentence_encoder: Path | None = None
    """Folder of the published evaluation's sentence encoder, all-mpnet-base-v2, in the format of transformers. If it is
    set, the published evaluation is computed too."""
    model: ModelSettings
    data: DataSettings
    rollout: RolloutSettings = RolloutSettings()
    reward: RewardSettings = RewardSettings()
    features: FeatureSettings = FeatureSettings(num_workers=0)
    """Settings of the feature store, which is off by default: one engine captions each clip twice and caches its own
    encodings."""
    cluster: ClusterSettings = ClusterSettings()

    @property
    def all_systems(self) -> dict[str, SystemSettings]:
        """The systems in the order of the tables, those of `trained` first."""
        short = {}
        if self.trained is not None:
            short = {"sft": SystemSettings(model=self.model.path), "rl": SystemSettings(weights=self.trained)}
        return {**short, **self.systems}

    @pydantic.model_validator(mode="after")
    def _systems_have_names(self):
        if not self.all_systems:
            raise ValueError("an evaluation needs a system: set trained, or add a table [systems.NAME]")
        if self.trained is not None and (taken := {"sft", "rl"} & set(self.systems)):
            raise ValueError(f"trained already means the systems sft and rl; rename systems.{min(taken)}")
        for name in self.systems:
            if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name) or name == "truth":
                raise ValueError(f"systems.{name}: a name has letters, digits and the signs . _ + -, and isn't truth")
        if self.baseline and self.baseline not in self.all_systems:
            raise ValueError(f"baseline = {self.baseline!r} is none of the systems: {', '.join(self.all_systems)}")
        return self


def check_unstored_options(checkpoint: CheckpointSettings, learner: LearnerSettings) -> None:
    """Raises ValueError for an option of DeepSpeed with which checkpoints would lack a part of the training state."""
    option = learner.unstored_option()
    if option and checkpoint.interval(learner.method):
        raise ValueError(
            f"learner.deepspeed.{option} can't be used with checkpoints: they would lack a part of the training state. "
            "Remove it, or set checkpoint.every = 0"
        )
