"""What is trained, and how. `deepspeed` is passed to DeepSpeed unchanged."""

from typing import Any, Literal

import pydantic

from vaserl.settings.section import Section

LANGUAGE_MODEL_LINEARS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""All linear layers of the language model. Vision layers are left out: the engine can't serve adapters on them."""


class LoraSettings(Section):
    """The adapter that learner.method = "lora" trains."""

    rank: int = pydantic.Field(default=32, ge=1)
    """Rank of the adapter."""
    alpha: int = pydantic.Field(default=64, ge=1)
    """Scale of the adapter: W = W0 + alpha / rank · B·A."""
    target_modules: str = LANGUAGE_MODEL_LINEARS
    """Regular expression over the full names of the adapted modules; not vision layers, which the engine can't serve
    adapters on."""


class LearnerSettings(Section):
    """What is trained, by how many ranks, and the optimizer."""

    method: Literal["lora", "full"] = "lora"
    """"lora" trains an adapter, "full" every weight."""
    train_vision: bool = False
    """Trains the vision tower too; needs method = "full"."""
    lora: LoraSettings = LoraSettings()
    num_ranks: int = pydantic.Field(default=1, ge=1)
    """DeepSpeed ranks, each in an actor of its own."""
    num_gpus: float = 0
    """GPUs of each rank; 0 trains on CPU with gloo."""
    num_cpus: float = 1
    """CPUs reserved for each rank."""
    num_threads: int = pydantic.Field(default=1, ge=1)
    """OpenMP threads of each rank that runs on CPU."""
    learning_rate: float = pydantic.Field(default=1e-5, gt=0)
    """Peak learning rate of AdamW."""
    warmup_steps: int = pydantic.Field(default=0, ge=0)
    """Steps over which the learning rate rises linearly."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate after warm-up: kept, or lowered along a cosine to a fiftieth by the last step."""
    weight_decay: float = pydantic.Field(default=0.0, ge=0)
    """Decoupled weight decay of AdamW."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Decay rates of AdamW's two moments."""
    max_grad_norm: float = pydantic.Field(default=1.0, gt=0)
    """Largest global norm of the gradients; a larger one is scaled down to it."""
    max_tokens_per_micro_batch: int = pydantic.Field(default=16384, ge=1)
    """Tokens of one forward pass; a group with more gets a pass of its own. Changes memory and speed, not the
    result."""
    gradient_checkpointing: bool = False
    """Recomputes activations in the backward pass: less memory, about a third more time."""
    compile: bool = False
    """Compiles the layers of the language model: a sixth faster on a GPU, after a minute of compilation. Part of the
    gain goes to rounding where the engine rounds."""
    deepspeed: dict[str, Any] = pydantic.Field(default_factory=lambda: {"zero_optimization": {"stage": 1}})
    """DeepSpeed's own configuration, passed on unchanged; batch sizes, precision and clipping follow from other
    keys."""

    @pydantic.model_validator(mode="after")
    def _vision_needs_full(self):
        if self.train_vision and self.method != "full":
            raise ValueError('train_vision needs method = "full": adapters on vision layers can\'t be served')
        return self
