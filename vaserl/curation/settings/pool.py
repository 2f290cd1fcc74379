"""Settings of the pools of worker processes that run stages: a pool's settings, and the overrides of its defaults.

A pool is a number of processes that run the same stages. It is named after the first of these stages. The module
`vaserl.curation.pipeline` lists which stages share a pool.
"""

import pydantic

from vaserl.settings.section import Section


class PoolSettings(Section):
    """Settings of one pool of worker processes, with all defaults filled in."""

    num_workers: int = pydantic.Field(default=1, ge=1)
    """Number of processes in the pool."""
    num_cpus: float = pydantic.Field(default=0.5, ge=0)
    """CPUs reserved for each process."""
    num_gpus: float = pydantic.Field(default=0, ge=0)
    """GPUs reserved for each process, on which its neural networks run; a fraction lets several processes share one
    GPU."""
    batch_size: int = pydantic.Field(default=32, ge=1)
    """Photographs that a stage processes at once; a larger batch only helps where a GPU waits for work. A batch never
    spans two shards (groups of photographs)."""
    timeout_s: float = pydantic.Field(default=600.0, gt=0)
    """Seconds that a stage may take for a batch. After that its process is killed and the batch's photographs run one
    by one, each with the same limit; a photograph that exceeds it on its own is rejected."""
    memory_gb: float | None = pydantic.Field(default=None, gt=0)
    """Memory in GiB that a stage's process and its descendants may use before they are killed; None: half of the
    machine's memory."""
    num_retries: int = pydantic.Field(default=1, ge=0)
    """Number of further attempts at a photograph whose process died or was killed, before it is rejected."""


class PoolOverrides(Section):
    """Settings that replace a pool's defaults; a field that is left out keeps the default."""

    num_workers: int | None = pydantic.Field(default=None, ge=1)
    """Number of processes in the pool."""
    num_cpus: float | None = pydantic.Field(default=None, ge=0)
    """CPUs reserved for each process."""
    num_gpus: float | None = pydantic.Field(default=None, ge=0)
    """GPUs reserved for each process, on which its neural networks run; a fraction lets several processes share one
    GPU."""
    batch_size: int | None = pydantic.Field(default=None, ge=1)
    """Photographs that a stage processes at once; a larger batch only helps where a GPU waits for work."""
    timeout_s: float | None = pydantic.Field(default=None, gt=0)
    """Seconds that a stage may take for a batch before its process is killed and the photographs run one by one."""
    memory_gb: float | None = pydantic.Field(default=None, gt=0)
    """Memory in GiB that a stage's process and its descendants may use before they are killed; by default half of the
    machine's memory."""
    num_retries: int | None = pydantic.Field(default=None, ge=0)
    """Number of further attempts at a photograph whose process died or was killed, before it is rejected."""

    def over(self, pool: PoolSettings) -> PoolSettings:
        """Returns a copy of `pool` in which the fields that are set in these overrides are replaced."""
        stated = {name: getattr(self, name) for name in PoolSettings.model_fields}
        return pool.model_copy(update={name: value for name, value in stated.items() if value is not None})


class PoolsSettings(PoolOverrides):
    """Settings of the pools: [pool] applies to every pool, [pool.NAME] to the pool of that name.

    Example: [pool] num_workers = 2 and [pool.lift] num_workers = 8.
    """

    model_config = pydantic.ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, PoolOverrides] = pydantic.Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]

    def of(self, name: str, default: PoolSettings) -> PoolSettings:
        """Returns the settings of one pool: [pool.NAME] takes precedence over [pool], and [pool] over `default`."""
        own = self.named.get(name, PoolOverrides())
        return own.over(self.over(default))

    @property
    def named(self) -> dict[str, PoolOverrides]:
        """Overrides of single pools, from the sections [pool.NAME], by name of the pool."""
        return self.__pydantic_extra__ or {}
