"""What is trained, and how fast. `deepspeed` passes through to DeepSpeed untouched."""

from typing import Any, Literal

import pydantic

from vaserl.settings.section import Section

LANGUAGE_MODEL_LINEARS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""All linear layers of the language model. Vision layers are left out: the engine can't serve adapters on them."""


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
