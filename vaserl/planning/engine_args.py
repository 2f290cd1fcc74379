"""Numbers in rollout.engine_args that decide where an engine runs, and how much memory and time it takes."""

from vaserl.errors import UserError
from vaserl.settings import RolloutSettings
from vaserl.settings.rollout import DEFAULT_MAX_MODEL_LEN

_DEFAULTS = {
    "tensor_parallel_size": 1,
    "pipeline_parallel_size": 1,
    "max_model_len": DEFAULT_MAX_MODEL_LEN,
    "max_num_seqs": 256,
    "max_num_batched_tokens": 8192,
}
"""Values without the key: ours of max_model_len, vLLM's of the others."""
_GPU_UTILISATION = 0.92
"""vLLM's default of gpu_memory_utilization."""


def engine_count(rollout: RolloutSettings, key: str) -> int:
    """Returns the value of one of the keys that count something.

    Raises: UserError unless it is a whole number above 0; a number as text is none.
    """
    value = rollout.engine_args.get(key, _DEFAULTS[key])
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"rollout.engine_args.{key} = {value!r}: set a whole number of 1 or more, without quotes")
    return value


def gpu_utilisation(rollout: RolloutSettings) -> float:
    """Returns the share of a GPU's memory that an engine takes.

    Raises: UserError unless it is a number above 0 and at most 1.
    """
    value = rollout.engine_args.get("gpu_memory_utilization", _GPU_UTILISATION)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= 1:
        raise UserError(f"rollout.engine_args.gpu_memory_utilization = {value!r}: set a number above 0 and at most 1")
    return float(value)


def num_shards(rollout: RolloutSettings) -> int:
    """Returns the number of GPUs over which vLLM divides one engine.

    Raises: the same as `engine_count`.
    """
    return engine_count(rollout, "tensor_parallel_size") * engine_count(rollout, "pipeline_parallel_size")
