"""The processes of a stage.

Every stage that holds a model or a renderer is a pool of `num_workers` processes, each with its share of CPUs and
GPUs; a fraction lets several share one.
"""

import pydantic

from vaserl.settings.section import Section


class PoolSettings(Section):
    num_workers: int = pydantic.Field(default=1, ge=1)
    """Processes of this stage."""
    num_cpus: float = pydantic.Field(default=0.5, ge=0)
    """CPUs reserved for each."""
    num_gpus: float = pydantic.Field(default=0, ge=0)
    """GPUs reserved for each; its model runs there then."""
    batch_size: int = pydantic.Field(default=32, ge=1)
    """Rows that a process takes at once; more only helps where a GPU waits for work. A batch ends with its shard."""
    timeout_s: float = pydantic.Field(default=600.0, gt=0)
    """Seconds that a stage may take over a batch. Then its process is killed, and the batch's photographs get as long
    one by one; those that don't end alone either are rejected."""
    memory_gb: float | None = pydantic.Field(default=None, gt=0)
    """GiB that a stage's process and what it starts may hold, before it is killed like one that takes too long; left
    out, half of the machine's."""
    num_retries: int = pydantic.Field(default=1, ge=0)
    """Further attempts of a photograph over which the process died or was killed, before it is rejected."""
