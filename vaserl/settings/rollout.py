"""The engines that sample, and how they take new weights. `engine_args` pass through to vLLM untouched."""

from typing import Any, Literal

import pydantic

from vaserl.settings.section import Section


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
