"""Settings of the engines that sample, and of how new weights are loaded into them. The key `engine_args` is passed to
vLLM unchanged."""

from typing import Any, Literal

import pydantic

from vaserl.settings.section import Section

DEFAULT_MAX_MODEL_LEN = 4096
"""Largest number of tokens of a prompt and its completion, if rollout.engine_args doesn't set max_model_len."""


class RolloutSettings(Section):
    """Settings of the engines that sample completions, and of how new weights are loaded into them."""

    num_workers: int = pydantic.Field(default=1, ge=1)
    """Number of rollout workers, each with one vLLM engine; tasks are distributed to them round-robin."""
    num_gpus: float = 0
    """GPUs reserved for each worker; 0 runs the engine on CPU, which needs vLLM's CPU build."""
    num_cpus: float = 1
    """CPUs reserved for each worker."""
    num_threads: int = pydantic.Field(default=1, ge=1)
    """Number of OpenMP threads of each worker that runs on CPU."""
    group_size: int = pydantic.Field(default=8, ge=1)
    """Number of completions sampled for each task."""
    temperature: float = pydantic.Field(default=1.0, gt=0)
    """Sampling temperature in training; engine and learner both compute log-probabilities at this temperature."""
    max_new_tokens: int = pydantic.Field(default=256, ge=1)
    """Largest length of a completion in tokens."""
    publish: Literal["adapter", "merge"] = "merge"
    """How an engine serves a trained LoRA adapter. "adapter" loads the adapter beside the base model. "merge"
    overwrites the engine's weights with the merged weights W0 + alpha / rank · B·A: decoding is then several times
    faster, but the engine keeps a second copy of the base weights that the adapter changes. Has no effect with
    learner.method = "full", where the trained weights always replace the engine's."""
    base_copy: Literal["device", "host"] = "device"
    """Where an engine on a GPU with publish = "merge" keeps its copy of the base weights (13 GB for a 7B model).
    "device" is the GPU memory that rollout.engine_args leaves free. "host" is page-locked host memory, which adds a
    transfer over the bus each time that new weights are loaded."""
    max_fingerprint_gap: float = pydantic.Field(default=0.1, gt=0)
    """Limit on the mean absolute difference between an engine's and the learner's log-probabilities of a fixed text
    after new weights are loaded; a larger difference stops the run. The default suits bfloat16, where the difference
    was 0.04 to 0.08 for a 7B model that was not trained on such text; in float32 it is about 1e-5."""
    engine_args: dict[str, Any] = pydantic.Field(default_factory=dict)
    """Further options of vllm.LLM, passed on unchanged. max_model_len is 4096 if it is not set here; it must be at
    least the length of the longest prompt plus max_new_tokens."""

    @pydantic.field_validator("engine_args")
    @classmethod
    def _ours_stay_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        ours = {"model", "dtype", "seed", "logprobs_mode", "enable_lora", "max_lora_rank", "weight_transfer_config"}
        taken = ours & set(value)
        if taken:
            raise ValueError(f"{', '.join(sorted(taken))} follow from other settings; remove them from engine_args")
        return value


def max_model_len(rollout: RolloutSettings) -> int | None:
    """Returns the largest number of tokens of a prompt and its completion. None if vLLM takes it from the model, or
    measures what fits into memory."""
    limit = rollout.engine_args.get("max_model_len", DEFAULT_MAX_MODEL_LEN)
    return limit if isinstance(limit, int) and limit >= 1 else None
