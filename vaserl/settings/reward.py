"""The reward's functions, and how long they may take."""

from typing import Any, Literal

import pydantic

from vaserl.settings.section import Section


class RemoteSettings(Section):
    """How to wait for a reward function that asks a service, and what it counts as when the service fails: when it
    raises `vaserl.rewards.Unavailable`, TimeoutError or ConnectionError. Any other exception stops the run."""

    timeout_s: float = pydantic.Field(default=30.0, gt=0)
    """Seconds for one call."""
    retries: int = pydantic.Field(default=2, ge=0)
    """Calls after the first one that failed."""
    backoff_s: float = pydantic.Field(default=0.5, ge=0)
    """Seconds before the first retry, twice as many before each further one."""
    max_concurrency: int = pydantic.Field(default=16, ge=1)
    """Calls under way at once from each reward actor."""
    on_failure: Literal["stop", "neutral"] | float = "stop"
    """"stop" ends the run with the sample's id; "neutral" counts as the mean of the group's other completions, so that
    it moves no advantage; a number is the score itself."""


class RewardSettings(Section):
    functions: tuple[str, ...] = ("vaserl.rewards:VaseReward",)
    """`package.module:function` or `path/to/file.py:function`; several are summed with their weights."""
    weights: tuple[float, ...] = ()
    """One for each function; default: all 1."""
    arguments: dict[str, dict[str, Any]] = pydantic.Field(default_factory=dict)
    """By function, without its module: keyword arguments of a function, or of a class when it is made."""
    remote: dict[str, RemoteSettings] = pydantic.Field(default_factory=dict)
    """By function, without its module: time-out, retries and outcome of those that ask a service."""
    num_workers: int = pydantic.Field(default=1, ge=1)
    """Reward actors."""
    num_cpus: float = 0.1
    """CPUs reserved for each reward actor."""
    num_gpus: float = pydantic.Field(default=0, ge=0)
    """GPUs reserved for each reward actor, for a judge that needs one."""
    timeout_s: float = pydantic.Field(default=600.0, gt=0)
    """Seconds for the actors to load their functions, and to score the groups of one step."""

    @property
    def short_names(self) -> tuple[str, ...]:
        """What parts, arguments and limits call each function by: its name without the module."""
        return tuple(name.rpartition(":")[2] for name in self.functions)

    @pydantic.model_validator(mode="after")
    def _weights_fit(self):
        if not self.functions:
            raise ValueError("functions must name at least one reward")
        if len(set(self.functions)) != len(self.functions):
            raise ValueError("functions names the same reward twice")
        if len(set(self.short_names)) != len(self.functions):
            raise ValueError("two functions have one name; their parts could not be told apart")
        if self.weights and len(self.weights) != len(self.functions):
            raise ValueError(f"{len(self.weights)} weights for {len(self.functions)} functions")
        if self.weights and not any(self.weights):
            raise ValueError("all weights are 0: there is nothing to learn from")
        for table in ("arguments", "remote"):
            unknown = sorted(set(getattr(self, table)) - set(self.short_names))
            if unknown:
                raise ValueError(f"{table} names {unknown[0]!r}; the functions are {', '.join(self.short_names)}")
        return self
