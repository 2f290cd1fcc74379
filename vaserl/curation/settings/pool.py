"""The processes that run stages: a default for every pool, and what single pools have in its place.

A pool is a number of processes that run the same stages. It is called after the first of them; `pipeline` lists which
stages share one.
"""

import pydantic

from vaserl.settings.section import Section


class PoolSettings(Section):
    """What one pool has, all defaults filled in."""

    num_workers: int = pydantic.Field(default=1, ge=1)
    """Processes."""
    num_cpus: float = pydantic.Field(default=0.5, ge=0)
    """CPUs reserved for each process."""
    num_gpus: float = pydantic.Field(default=0, ge=0)
    """GPUs reserved for each process, whose models then run there; a fraction lets several processes share one GPU."""
    batch_size: int = pydantic.Field(default=32, ge=1)
    """Rows that a stage gets at once; a larger batch only helps where a GPU waits for work. A batch ends with its
    shard."""
    timeout_s: float = pydantic.Field(default=600.0, gt=0)
    """Seconds that a stage may take over a batch. Then its process is killed and the batch's photographs run one by
    one, with the same limit each; those that exceed it alone are rejected."""
    memory_gb: float | None = pydantic.Field(default=None, gt=0)
    """GiB that a stage's process and its descendants may hold before they are killed; None: half of the machine's."""
    num_retries: int = pydantic.Field(default=1, ge=0)
    """Further attempts of a photograph over which the process died or was killed, before it is rejected."""


class PoolOverrides(Section):
    """Fields of `PoolSettings` that differ from a pool's own defaults; a field that is left out stays as it is."""

    num_workers: int | None = pydantic.Field(default=None, ge=1)
    """Processes of the pool."""
    num_cpus: float | None = pydantic.Field(default=None, ge=0)
    """CPUs reserved for each process."""
    num_gpus: float | None = pydantic.Field(default=None, ge=0)
    """GPUs reserved for each process, whose models then run there; a fraction lets several processes share one GPU."""
    batch_size: int | None = pydantic.Field(default=None, ge=1)
    """Rows that a stage gets at once; a larger batch only helps where a GPU waits for work."""
    timeout_s: float | None = pydantic.Field(default=None, gt=0)
    """Seconds that a stage may take over a batch before its process is killed and the photographs run one by one."""
    memory_gb: float | None = pydantic.Field(default=None, gt=0)
    """GiB that a stage's process and its descendants may hold before they are killed; by default half of the
    machine's."""
    num_retries: int | None = pydantic.Field(default=None, ge=0)
    """Further attempts of a photograph over which the process died or was killed, before it is rejected."""

    def over(self, pool: PoolSettings) -> PoolSettings:
        """Returns the pool with the fields that are stated here."""
        stated = {name: getattr(self, name) for name in PoolSettings.model_fields}
        return pool.model_copy(update={name: value for name, value in stated.items() if value is not None})


class PoolsSettings(PoolOverrides):
    """[pool] holds for every pool, [pool.NAME] for the pool of that name.

    Example: [pool] num_workers = 2 and [pool.lift] num_workers = 8.
    """

    model_config = pydantic.ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, PoolOverrides] = pydantic.Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]

    def of(self, name: str, default: PoolSettings) -> PoolSettings:
        """Returns a pool: its own overrides over those of all pools over its defaults."""
        own = self.named.get(name, PoolOverrides())
        return own.over(self.over(default))

    @property
    def named(self) -> dict[str, PoolOverrides]:
        """Overrides of single pools, by name."""
        return self.__pydantic_extra__ or {}
