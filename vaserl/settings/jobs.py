"""One class for each job, made of the sections of the others."""

from pathlib import Path
from typing import Literal

import pydantic

from vaserl.settings.advantage import OVERLONG_PART, AdvantageSettings, OverlongSettings
from vaserl.settings.cluster import ClusterSettings
from vaserl.settings.features import FeatureSettings
from vaserl.settings.inputs import DataSettings, ModelSettings
from vaserl.settings.learner import LearnerSettings
from vaserl.settings.loss import LossSettings
from vaserl.settings.reward import RewardSettings
from vaserl.settings.rollout import RolloutSettings
from vaserl.settings.section import Section


class TrainSettings(Section):
    """A GRPO run."""

    run_dir: Path
    """Where everything the run writes goes."""
    seed: int = 0
    num_steps: int = pydantic.Field(ge=1)
    """GRPO updates."""
    loop: Literal["on_policy", "ahead"] = "on_policy"
    """"on_policy": each step is sampled with the weights of the step before. "ahead": the next steps are sampled while
    one is learned, with weights up to `max_staleness` versions older."""
    max_staleness: int = pydantic.Field(default=1, ge=0)
    """With loop = "ahead": versions by which the learner may be ahead of the weights that wrote a sample. 1 overlaps
    sampling with learning; more evens out steps of unequal length; 0 is the on-policy loop again."""
    tasks_per_step: int = pydantic.Field(default=16, ge=1)
    """P, tasks of one step."""
    max_refills: int = pydantic.Field(default=0, ge=0)
    """Rounds in which a step draws new tasks in place of those whose group has no signal, before it learns from what
    it has (DAPO's dynamic sampling)."""
    save_every: int = pydantic.Field(default=0, ge=0)
    """Steps between saved adapters; the last one is always saved."""
    max_logprob_gap: float = pydantic.Field(default=0.05, gt=0)
    """The run stops when learner and engine differ by more, as mean |log-probability| over the tokens of a step that
    was sampled with the learner's current weights."""
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = ("tensorboard",)
    """Beside metrics.jsonl, which is always written."""
    model: ModelSettings
    data: DataSettings
    rollout: RolloutSettings = RolloutSettings()
    reward: RewardSettings = RewardSettings()
    overlong: OverlongSettings = OverlongSettings()
    advantage: AdvantageSettings = AdvantageSettings()
    loss: LossSettings = LossSettings()
    learner: LearnerSettings = LearnerSettings()
    features: FeatureSettings = FeatureSettings()
    cluster: ClusterSettings = ClusterSettings()

    @pydantic.model_validator(mode="after")
    def _staleness_needs_ahead(self):
        if self.loop == "on_policy" and self.max_staleness != type(self).model_fields["max_staleness"].default:
            raise ValueError(f'max_staleness = {self.max_staleness} has an effect with loop = "ahead" only')
        return self

    @pydantic.model_validator(mode="after")
    def _parts_are_normalised(self):
        if self.advantage.per_dimension and not self.loss.normalise_advantages:
            raise ValueError("advantage.per_dimension normalises each part: it needs loss.normalise_advantages = true")
        if self.advantage.per_dimension and self.overlong.num_tokens and OVERLONG_PART not in self.advantage.weights:
            raise ValueError(
                f"advantage.per_dimension learns from the parts in advantage.weights alone: give {OVERLONG_PART!r} a "
                "negative weight there, or set overlong.num_tokens to 0"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _loss_fits_the_run(self):
        limit = self.rollout.max_new_tokens
        if self.overlong.num_tokens > limit:
            raise ValueError(f"overlong.num_tokens must be at most rollout.max_new_tokens = {limit}")
        if self.loss.beta > 0 and self.learner.method == "full":
            raise ValueError('loss.beta needs a reference, and learner.method = "full" keeps none; set it to 0')
        if self.loss.variant == "dr_grpo" and self.loss.token_budget is None:
            # frozen, yet this default stands in another section
            object.__setattr__(self, "loss", self.loss.model_copy(update={"token_budget": limit}))
        return self


class TinyModelSettings(Section):
    vocab_size: int = 640
    hidden_size: int = 192
    num_layers: int = 3
    num_heads: int = 6
    vision_hidden_size: int = 128
    vision_depth: int = 3


class SftSettings(Section):
    """A supervised fine-tuning run."""

    run_dir: Path
    seed: int = 0
    num_epochs: int = pydantic.Field(default=2, ge=1)
    """Passes over the training vases."""
    vases_per_step: int = pydantic.Field(default=16, ge=1)
    """Clips of one optimizer step; each brings its caption and `questions_per_vase` questions."""
    questions_per_vase: int = pydantic.Field(default=0, ge=0)
    """Questions drawn for each clip and step, on the same pass over the clip."""
    rotate_clips: bool = True
    """Start each clip at a random frame of the turn: where a vase's front is says nothing of the vase."""
    max_shift: int = pydantic.Field(default=0, ge=0)
    """Move each clip by up to so many pixels, down or up and right or left, anew each time: a small model trained
    from nothing learns patterns by heart otherwise."""
    tiny_model: TinyModelSettings | None = None
    """Build a small model with random weights at `model.path` first, instead of starting from a checkpoint."""
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = ("tensorboard",)
    model: ModelSettings
    data: DataSettings
    learner: LearnerSettings = LearnerSettings(learning_rate=1e-4)
    features: FeatureSettings = FeatureSettings()
    cluster: ClusterSettings = ClusterSettings()


class EvaluateSettings(Section):
    """Captions of the held-out vases by two systems, scored and compared."""

    run_dir: Path
    seed: int = 0
    trained: Path
    """Weights folder of a GRPO run (`weights/v…`) that is compared with the bare model."""
    split: str = "test"
    """Which vases are captioned."""
    clip_model: Path
    """open_clip folder whose text tower gives the caption metrics of the reference."""
    model: ModelSettings
    data: DataSettings
    rollout: RolloutSettings = RolloutSettings()
    reward: RewardSettings = RewardSettings()
    features: FeatureSettings = FeatureSettings(num_workers=0)
    """Off by default: one engine captions each clip twice and keeps what it encoded itself."""
    cluster: ClusterSettings = ClusterSettings()
