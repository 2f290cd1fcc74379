"""The engines that sample, and how new weights reach them. `engine_args` are passed to vLLM unchanged."""

from typing import Any, Literal

import pydantic

from vaserl.settings.section import Section


class RolloutSettings(Section):
    """The engines that sample completions, and how new weights reach them."""

    num_workers: int = pydantic.Field(default=1, ge=1)
    """vLLM engines, each in a worker of its own; tasks are dealt to them in turn."""
    num_gpus: float = 0
    """GPUs of each worker; 0 runs vLLM's CPU build."""
    num_cpus: float = 1
    """CPUs reserved for each worker."""
    num_threads: int = pydantic.Field(default=1, ge=1)
    """OpenMP threads of each worker that runs on CPU."""
    group_size: int = pydantic.Field(default=8, ge=1)
    """G, completions sampled for each task."""
    temperature: float = pydantic.Field(default=1.0, gt=0)
    """Sampling temperature in training; engine and learner both compute logprobs at it."""
    max_new_tokens: int = pydantic.Field(default=256, ge=1)
    """Largest length of a completion in tokens."""
    publish: Literal["adapter", "merge"] = "merge"
    """How a trained LoRA adapter is served: "adapter" loads it beside the base, "merge" writes W0 + s·B·A into the
    engine's weights. A merging engine decodes several times faster, but keeps a second copy of the matrices that
    the adapter changes. Whole models (learner.method = "full") always replace the engine's weights."""
    base_copy: Literal["device", "host"] = "device"
    """Where a merging engine on a GPU keeps that copy (13 GB for a 7B model): in the GPU memory that
    rollout.engine_args leaves free, or in page-locked host memory, which adds a transfer over the bus to each
    publish."""
    max_fingerprint_gap: float = pydantic.Field(default=0.1, gt=0)
    """Largest mean absolute difference between an engine's and the learner's logprobs of a fixed text after a publish;
    a larger one stops the run. The default suits bfloat16, where a 7B model that was not trained on such text shows
    0.04 to 0.08; in float32 the two agree to 1e-5."""
    engine_args: dict[str, Any] = pydantic.Field(default_factory=dict)
    """Any option of vllm.LLM, passed on unchanged."""

    @pydantic.field_validator("engine_args")
    @classmethod
    def _ours_stay_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        ours = {"model", "dtype", "seed", "logprobs_mode", "enable_lora", "max_lora_rank", "weight_transfer_config"}
        taken = ours & set(value)
        if taken:
            raise ValueError(f"{', '.join(sorted(taken))} follow from other settings; remove them here")
        return value
