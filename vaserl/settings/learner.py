"""Settings of the learner: what is trained, and how. The key `deepspeed` is passed to DeepSpeed unchanged."""

from typing import Any, Literal

import pydantic

from vaserl.settings.section import Section

LANGUAGE_MODEL_LINEARS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""Regular expression for all linear layers of the language model. Vision layers are left out: vLLM can't serve adapters
on them."""

_BATCH = "the learner forms its own micro-batches; set learner.max_tokens_per_micro_batch"
_PRECISION = "the precision is that of the model; set model.dtype"
_SET_BY_OTHER_KEYS = {
    "optimizer": "the optimizer is AdamW; set learner.learning_rate, learner.betas and learner.weight_decay",
    "scheduler": "set learner.schedule and learner.warmup_steps",
    "gradient_clipping": "set learner.max_grad_norm",
    "train_batch_size": "set tasks_per_step (GRPO) or vases_per_step (SFT)",
    "train_micro_batch_size_per_gpu": _BATCH,
    "gradient_accumulation_steps": _BATCH,
    "managed_gradient_accumulation": _BATCH,
    "bf16": _PRECISION,
    "bfloat16": _PRECISION,
    "fp16": _PRECISION,
    "amp": _PRECISION,
    "torch_autocast": _PRECISION,
    "zero_allow_untested_optimizer": "it is always true, because the optimizer is torch's; remove it",
    "steps_per_print": "the run writes its own metrics to metrics.jsonl; remove it",
}
"""Keys of DeepSpeed's configuration that the learner sets itself, with what the user is to do instead."""


class LoraSettings(Section):
    """Settings of the LoRA adapter that learner.method = "lora" trains."""

    rank: int = pydantic.Field(default=32, ge=1)
    """Rank of the adapter's matrices A and B."""
    alpha: int = pydantic.Field(default=64, ge=1)
    """Scale of the adapter: an adapted weight is W0 + alpha / rank · B·A, where W0 is the base model's weight."""
    target_modules: str = LANGUAGE_MODEL_LINEARS
    """Regular expression that the full name of a module must match to be adapted. It must not match vision layers: vLLM
    can't serve adapters on them."""


class LearnerSettings(Section):
    """Settings of the learner: what is trained, by how many processes (ranks), and with which optimizer."""

    method: Literal["lora", "full"] = "lora"
    """"lora" trains an adapter. "full" trains the weights of the model; `train_vision` determines whether the vision
    tower is included."""
    train_vision: bool = False
    """If true, the vision tower is trained as well, which needs method = "full"."""
    lora: LoraSettings = LoraSettings()
    num_ranks: int = pydantic.Field(default=1, ge=1)
    """Number of DeepSpeed ranks (processes), each in an actor of its own."""
    num_gpus: float = 0
    """GPUs reserved for each rank; 0 trains on CPU, with gloo for communication."""
    num_cpus: float = 1
    """CPUs reserved for each rank."""
    num_threads: int = pydantic.Field(default=1, ge=1)
    """Number of OpenMP threads of each rank that runs on CPU."""
    learning_rate: float = pydantic.Field(default=1e-5, gt=0)
    """Peak learning rate of AdamW."""
    warmup_steps: int = pydantic.Field(default=0, ge=0)
    """Number of steps at the start of the run over which the learning rate rises linearly to its peak."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate after the warm-up: "constant" keeps the peak; "cosine" falls along a cosine to 1/50 of the peak at
    the last step."""
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    """Decoupled weight decay of AdamW. Applied to matrices, not to parameters with fewer than two axes (norms and
    biases)."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Decay rates of AdamW's two moments."""
    max_grad_norm: float = pydantic.Field(default=1.0, gt=0)
    """Limit on the norm of the gradients of all parameters together; gradients with a larger norm are scaled down to
    it."""
    max_nonfinite_steps: int = pydantic.Field(default=3, ge=1)
    """Number of steps in a row whose loss or gradient is NaN or infinite after which the run stops. Such a step changes
    neither the weights nor the optimizer's state, and has the metrics skipped = 1 and nonfinite = 1."""
    max_tokens_per_micro_batch: int = pydantic.Field(default=16384, ge=1)
    """Largest number of tokens in one forward pass; a larger group of completions gets a pass of its own. Changes
    memory and speed, not the result."""
    gradient_checkpointing: bool = False
    """If true, activations are recomputed in the backward pass, which takes less memory and about a third more time."""
    compile: bool = False
    """If true, torch.compile compiles the layers of the language model: a step on a GPU takes about 17 % less time,
    after a minute of compilation. The gain is limited because intermediate values must be rounded exactly as in the
    engine."""
    deepspeed: dict[str, Any] = pydantic.Field(default_factory=lambda: {"zero_optimization": {"stage": 1}})
    """DeepSpeed's own configuration, passed on unchanged. Optimizer, schedule, batch sizes, precision and gradient
    clipping follow from other keys; DeepSpeed's keys for them are refused."""

    @pydantic.field_validator("deepspeed")
    @classmethod
    def _has_no_overridden_keys(cls, value: dict[str, Any]) -> dict[str, Any]:
        for key, instead in _SET_BY_OTHER_KEYS.items():
            if key in value:
                raise ValueError(f"DeepSpeed's key {key} would have no effect: {instead}")
        zero = value.get("zero_optimization", {})
        if not isinstance(zero, dict):
            raise ValueError(f"zero_optimization must be a table, such as {{ stage = 1 }}, got {zero!r}")
        for key in ("offload_optimizer", "offload_param"):
            if not isinstance(zero.get(key, {}), dict):
                raise ValueError(f"zero_optimization.{key} must be a table, got {zero[key]!r}")
        if zero.get("compute_grad_norm") is False:
            raise ValueError(
                "zero_optimization.compute_grad_norm = false would turn off learner.max_grad_norm and the check for "
                "steps with a gradient that is not finite; remove it"
            )
        return value

    def unstored_option(self) -> str:
        """Returns the key in `deepspeed` of an option with which checkpoints do not contain the whole training state,
        or "" if there is none."""
        zero = self.deepspeed.get("zero_optimization", {})
        refused = {
            "offload_optimizer.device": zero.get("offload_optimizer", {}).get("device") == "nvme",
            "offload_param.device": zero.get("offload_param", {}).get("device") == "nvme",
            "round_robin_gradients": bool(zero.get("round_robin_gradients")),
            "zenflow": bool(zero.get("zenflow")),
            "zero_hpz_partition_size": zero.get("zero_hpz_partition_size", 1) > 1,
        }
        return next((f"zero_optimization.{key}" for key, is_set in refused.items() if is_set), "")

    @pydantic.model_validator(mode="after")
    def _vision_needs_full(self):
        if self.train_vision and self.method != "full":
            raise ValueError('train_vision needs method = "full": adapters on vision layers can\'t be served')
        return self
