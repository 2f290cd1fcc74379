"""The settings of each job: a field exists because someone changes it, and says what changes when they do.

Options of engines pass through untouched: `rollout.engine_args` to vLLM, `learner.deepspeed` to DeepSpeed.
"""

from pathlib import Path
from typing import Any, Literal

import pydantic

from vaserl.config import Section

LANGUAGE_MODEL_LINEARS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""All linear layers of the language model. Vision layers are left out: the engine can't serve adapters on them."""


class ModelSettings(Section):
    path: Path
    """Folder of a Qwen2.5-VL checkpoint in the Hugging Face form."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Precision of weights and activations, in learner and engine alike."""


class DataSettings(Section):
    path: Path
    """Folder of a curated data set: manifest.parquet and clips/."""
    num_frames: int = pydantic.Field(default=16, ge=2, multiple_of=2)
    """Frames of a clip that the model sees, evenly spaced around the turn; the vision tower takes them in pairs."""


class ClusterSettings(Section):
    address: str = "local"
    """"local" starts Ray on this machine; "auto" joins the running cluster (RAY_ADDRESS is honoured)."""
    num_cpus: int | None = None
    """Logical CPUs of a local Ray; default: the machine's."""
    placement_timeout_s: float = 10.0
    """Seconds to wait for actors to be placed before the run stops and says what is missing."""


class FeatureSettings(Section):
    """Where the frozen vision tower's output is kept: each clip is decoded and encoded once, for all engines, ranks,
    epochs and later runs with the same tower, processor and precision."""

    num_workers: int = pydantic.Field(default=1, ge=0)
    """Encoder actors; 0 keeps no features: engines and learner then run the vision tower on every clip they meet."""
    num_gpus: float = pydantic.Field(default=0, ge=0)
    """GPUs of each encoder, mostly a small share of one; 0 encodes on CPU."""
    num_cpus: float = 0.1
    """CPUs reserved for each encoder, which is busy only while clips are new."""
    num_threads: int = pydantic.Field(default=1, ge=1)
    """OpenMP threads of each encoder."""
    folder: Path | None = None
    """Where each machine keeps its entries, best on a fast local disk or a memory disk; default: beside the run
    folder, with ".features" after its name."""
    max_gb: float = pydantic.Field(default=16.0, gt=0)
    """Size of the folder, in 10^9 bytes; the entries that were read least recently go first."""


class RolloutSettings(Section):
    num_workers: int = pydantic.Field(default=1, ge=1)
    """vLLM engines; tasks are dealt out to them in turn."""
    num_gpus: float = 0
    """GPUs of each worker; 0 runs vLLM's CPU build."""
    num_cpus: float = 1
    """CPUs reserved for each worker."""
    num_threads: int = pydantic.Field(default=1, ge=1)
    """OpenMP threads of each worker on CPU."""
    group_size: int = pydantic.Field(default=8, ge=1)
    """G, completions sampled for each task."""
    temperature: float = pydantic.Field(default=1.0, gt=0)
    """Sampling temperature in training; logprobs are taken at it on both sides."""
    max_new_tokens: int = pydantic.Field(default=256, ge=1)
    """Token limit of a completion."""
    publish: Literal["adapter", "merge"] = "merge"
    """How a trained LoRA adapter is served: "adapter" loads it beside the base, "merge" writes W0 + s·B·A into the
    engine's weights. An engine without adapter support decodes several times faster, but keeps a second copy of the
    matrices that the adapter changes. Whole models (learner.method = "full") always replace the engine's weights."""
    base_copy: Literal["device", "host"] = "device"
    """Where a merging engine on a GPU keeps that copy: on the GPU, beside what rollout.engine_args leaves free there
    (13 GB for a 7B model), or in the host's page-locked memory, which costs each publish the way over the bus."""
    max_fingerprint_gap: float = pydantic.Field(default=0.1, gt=0)
    """The run stops when an engine differs from the learner by more after a publish, as mean |log-probability| of a
    fixed text. The default suits bfloat16, where a 7B model that has never met such text shows 0.04 to 0.08; in
    float32 the two agree to 1e-5."""
    engine_args: dict[str, Any] = pydantic.Field(default_factory=dict)
    """Any option of vllm.LLM, passed through untouched."""

    @pydantic.field_validator("engine_args")
    @classmethod
    def _ours_stay_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        ours = {"model", "dtype", "seed", "logprobs_mode", "enable_lora", "max_lora_rank", "weight_transfer_config"}
        taken = ours & set(value)
        if taken:
            raise ValueError(f"{', '.join(sorted(taken))} follow from other settings and can't be given here")
        return value


class RemoteSettings(Section):
    """How to wait for a reward function that asks a service, and what it counts as when the service fails: when it
    raises `vaserl.scoring.Unavailable`, TimeoutError or ConnectionError. Any other exception stops the run."""

    timeout_s: float = pydantic.Field(default=30.0, gt=0)
    """Seconds for one call."""
    retries: int = pydantic.Field(default=2, ge=0)
    """Calls after the first one that failed."""
    backoff_s: float = pydantic.Field(default=0.5, ge=0)
    """Seconds before the first retry, twice as many before each further one."""
    max_concurrency: int = pydantic.Field(default=16, ge=1)
    """Calls under way at once from each reward actor."""
    on_failure: Literal["stop", "neutral"] | float = "stop"
    """"stop" ends the run with the sample's id; "neutral" counts as the mean of the group's other completions, so that
    it moves no advantage; a number is the score itself."""


class RewardSettings(Section):
    functions: tuple[str, ...] = ("vaserl.rewards:VaseReward",)
    """`package.module:function` or `path/to/file.py:function`; several are summed with their weights."""
    weights: tuple[float, ...] = ()
    """One for each function; default: all 1."""
    arguments: dict[str, dict[str, Any]] = pydantic.Field(default_factory=dict)
    """By function, without its module: keyword arguments of a function, or of a class when it is made."""
    remote: dict[str, RemoteSettings] = pydantic.Field(default_factory=dict)
    """By function, without its module: time-out, retries and outcome of those that ask a service."""
    num_workers: int = pydantic.Field(default=1, ge=1)
    """Reward actors."""
    num_cpus: float = 0.1
    """CPUs reserved for each reward actor."""
    num_gpus: float = pydantic.Field(default=0, ge=0)
    """GPUs reserved for each reward actor, for a judge that needs one."""
    timeout_s: float = pydantic.Field(default=600.0, gt=0)
    """Seconds for the actors to load their functions, and to score the groups of one step."""

    @property
    def short_names(self) -> tuple[str, ...]:
        """What parts, arguments and limits call each function by: its name without the module."""
        return tuple(name.rpartition(":")[2] for name in self.functions)

    @pydantic.model_validator(mode="after")
    def _weights_fit(self):
        if not self.functions:
            raise ValueError("functions must name at least one reward")
        if len(set(self.functions)) != len(self.functions):
            raise ValueError("functions names the same reward twice")
        if len(set(self.short_names)) != len(self.functions):
            raise ValueError("two functions have one name; their parts could not be told apart")
        if self.weights and len(self.weights) != len(self.functions):
            raise ValueError(f"{len(self.weights)} weights for {len(self.functions)} functions")
        if self.weights and not any(self.weights):
            raise ValueError("all weights are 0: there is nothing to learn from")
        for table in ("arguments", "remote"):
            unknown = sorted(set(getattr(self, table)) - set(self.short_names))
            if unknown:
                raise ValueError(f"{table} names {unknown[0]!r}; the functions are {', '.join(self.short_names)}")
        return self


class LoraSettings(Section):
    rank: int = pydantic.Field(default=32, ge=1)
    """Rank of the adapter."""
    alpha: int = pydantic.Field(default=64, ge=1)
    """Scale: the update is alpha / rank times B A."""
    target_modules: str = LANGUAGE_MODEL_LINEARS
    """Regular expression over full module names; vision layers can't be served by the engine."""


class LearnerSettings(Section):
    method: Literal["lora", "full"] = "lora"
    """Train an adapter, or every weight."""
    train_vision: bool = False
    """With method "full": train the vision tower too."""
    lora: LoraSettings = LoraSettings()
    num_ranks: int = pydantic.Field(default=1, ge=1)
    """DeepSpeed ranks, one actor each."""
    num_gpus: float = 0
    """GPUs of each rank; 0 trains on CPU with gloo."""
    num_cpus: float = 1
    """CPUs reserved for each rank."""
    num_threads: int = pydantic.Field(default=1, ge=1)
    """OpenMP threads of each rank on CPU."""
    learning_rate: float = pydantic.Field(default=1e-5, gt=0)
    """Peak learning rate of AdamW."""
    warmup_steps: int = pydantic.Field(default=0, ge=0)
    """Steps of linear warm-up."""
    schedule: Literal["constant", "cosine"] = "constant"
    """After warm-up: keep the rate, or let it fall along a cosine to a fiftieth by the last step."""
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's decay rates of the two moments."""
    max_grad_norm: float = pydantic.Field(default=1.0, gt=0)
    """Global norm to which gradients are clipped."""
    max_tokens_per_micro_batch: int = pydantic.Field(default=16384, ge=1)
    """Tokens of one forward pass; a longer group stands alone. Changes memory and speed, not the result."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time."""
    compile: bool = False
    """Compile the layers of the language model: a sixth faster on a GPU, after a minute at the start. Fused layers
    round where the engine does, which costs some of that."""
    deepspeed: dict[str, Any] = pydantic.Field(default_factory=lambda: {"zero_optimization": {"stage": 1}})
    """DeepSpeed's own configuration, passed through; batch sizes, precision and clipping follow from the above."""

    @pydantic.model_validator(mode="after")
    def _vision_needs_full(self):
        if self.train_vision and self.method != "full":
            raise ValueError('train_vision needs method = "full": adapters on vision layers can\'t be served')
        return self


CLIP_OF_VARIANT: dict[str, dict[str, float]] = {
    "grpo": {"clip_low": 0.2, "clip_high": 0.2},
    "dr_grpo": {"clip_low": 0.2, "clip_high": 0.2},
    "dapo": {"clip_low": 0.2, "clip_high": 0.28},
    "gspo": {"clip_low": 3e-4, "clip_high": 4e-4},
    "cispo": {"ratio_cap": 5.0},
}
"""The bounds that each variant was published with; a setting of one's own goes before them."""


class LossSettings(Section):
    variant: Literal["grpo", "dr_grpo", "dapo", "gspo", "cispo"] = "dapo"
    """Which policy loss: "grpo" weighs completions alike, "dapo" tokens, "dr_grpo" divides by a constant, "gspo" clips
    one ratio for each completion, "cispo" bounds the weight of a token's gradient and never cuts it off."""
    clip_low: float | None = pydantic.Field(default=None, ge=0, lt=1)
    """The ratio is clipped at 1 - clip_low; default: 0.2, gspo 3e-4. Not with cispo."""
    clip_high: float | None = pydantic.Field(default=None, ge=0)
    """The ratio is clipped at 1 + clip_high; above clip_low lets rare good tokens grow. Default: 0.2, dapo 0.28, gspo
    4e-4. Not with cispo."""
    ratio_cap: float | None = pydantic.Field(default=None, gt=1)
    """Absolute bound of the ratio where the clip leaves it open: for tokens of negative advantage (the dual clip,
    TRL's delta; default: none), under cispo for every token (default 5)."""
    token_budget: int | None = pydantic.Field(default=None, ge=1)
    """With dr_grpo: the constant that stands for a completion's length in the denominator; default:
    rollout.max_new_tokens."""
    beta: float = pydantic.Field(default=0.0, ge=0)
    """Weight of the KL term against the reference (the base with the adapter disabled); 0 skips the reference."""
    normalise_advantages: bool = True
    """Divide advantages by the group's standard deviation; default: true, with dr_grpo false."""
    mask_truncated: bool = False
    """Leave completions that the token limit cut off out of the loss and its denominator; they still count in the mean
    of their group."""
    old_logprobs: Literal["engine", "learner"] = "engine"
    """What the ratio is taken against. "engine": the logprobs the tokens were sampled with, so that the clip bounds
    staleness and the numerical gap between engine and learner together. "learner": the learner's own before the
    update; a batch makes one update, so the ratio is 1 and there is nothing to clip, and the gap is corrected by
    truncated importance weights instead."""
    importance_cap: float | None = pydantic.Field(default=None, gt=0)
    """With old_logprobs = "learner": the policy term of a token is weighted with exp(learner's - engine's logprob), but
    at most with this; default 2."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _variant_gives_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        variant = str(values.get("variant", "dapo"))
        is_clipped = values.get("old_logprobs", "engine") == "engine"
        bounds = CLIP_OF_VARIANT.get(variant, {}) if is_clipped else {"importance_cap": 2.0}
        return {"normalise_advantages": variant != "dr_grpo", **bounds, **values}

    @pydantic.model_validator(mode="after")
    def _nothing_is_ignored(self):
        clips = [name for name in ("clip_low", "clip_high") if getattr(self, name) is not None]
        if self.old_logprobs == "learner" and (clips or self.ratio_cap is not None):
            raise ValueError(
                f'{(*clips, "ratio_cap")[0]} does nothing with old_logprobs = "learner", where the ratio is 1; '
                "importance_cap bounds the weights"
            )
        if self.old_logprobs == "engine" and self.importance_cap is not None:
            raise ValueError(
                'importance_cap needs old_logprobs = "learner"; against the engine\'s logprobs the ratio is the '
                "importance weight already, and clip_low, clip_high and ratio_cap bound it"
            )
        if self.variant == "cispo" and clips:
            raise ValueError(f"{clips[0]} does nothing with cispo, which bounds the ratio by ratio_cap alone")
        if self.variant != "dr_grpo" and self.token_budget is not None:
            raise ValueError(f"token_budget is the denominator of dr_grpo; {self.variant} has another")
        if self.ratio_cap is not None and self.clip_high is not None and self.ratio_cap <= 1 + self.clip_high:
            raise ValueError(f"ratio_cap {self.ratio_cap:g} must stand above 1 + clip_high = {1 + self.clip_high:g}")
        return self


OVERLONG_PART = "penalty/overlong"
"""The part of the score that says what its length cost a completion."""


class OverlongSettings(Section):
    """DAPO's soft overlong punishment."""

    num_tokens: int = pydantic.Field(default=0, ge=0)
    """The last so many tokens before rollout.max_new_tokens cost reward, more with each one; 0 costs nothing."""
    penalty: float = pydantic.Field(default=1.0, gt=0)
    """What a completion that reaches the limit costs."""


PART_WEIGHTS = {
    "fabric": 0.20,
    "technique": 0.20,
    "shape": 0.15,
    "dating": 0.15,
    "decoration": 0.20,
    "attribution": 0.10,
    "penalty/length": -0.10,
    "penalty/repetition": -0.10,
    "penalty/irrelevance": -0.05,
    "bonus": 0.05,
}
"""The dimensions as in the reward, penalties as costs. These and the bonus weigh half of the most that they take from
or add to the reward: normalising makes even a small difference in them as large as one between right and wrong."""


class AdvantageSettings(Section):
    per_dimension: bool = False
    """Normalise every part of the reward within its group before they are added, instead of their sum (GDPO): a
    dimension that varies little is then learned as much as one that varies a lot."""
    weights: dict[str, float] = pydantic.Field(default_factory=lambda: dict(PART_WEIGHTS))
    """With `per_dimension`: the reward's parts and how much each counts; parts that are not named count nothing. With
    several reward functions their names have the function's before them: "brevity/total"."""


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
