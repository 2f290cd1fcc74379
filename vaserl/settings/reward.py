"""Settings of the reward functions, their weights and time limits."""

from typing import Any, Literal

import pydantic

from vaserl.settings.section import Section


class RemoteSettings(Section):
    """Settings of a reward function that calls a service: time-out, retries, and the score of a failed call. A call has
    failed if it raises `vaserl.rewards.Unavailable`, TimeoutError or ConnectionError; any other exception stops the
    run."""

    timeout_s: float = pydantic.Field(default=30.0, gt=0)
    """Seconds after which one call counts as failed."""
    retries: int = pydantic.Field(default=2, ge=0)
    """Number of further calls after a failed one."""
    backoff_s: float = pydantic.Field(default=0.5, ge=0)
    """Seconds before the first retry; doubles before each further one."""
    max_concurrency: int = pydantic.Field(default=16, ge=1)
    """Largest number of calls that one reward actor makes at the same time."""
    on_failure: Literal["stop", "neutral"] | float = "stop"
    """What happens to a completion whose last retry has failed. "stop" ends the run with an error that identifies the
    completion. "neutral" sets its score to the mean score of its group's other completions, so that the group's mean
    does not change. A number is used as the score."""


class RewardSettings(Section):
    """Settings of the reward: one function, or a weighted sum of several."""

    functions: tuple[str, ...] = ("vaserl.rewards:VaseReward",)
    """Reward functions, each `package.module:function` or `path/to/file.py:function`; the reward is their weighted
    sum."""
    questions: tuple[str, ...] = ()
    """Reward functions of question tasks (see `questions.share`), written like `functions`; the reward is their sum. If
    empty, `functions` score questions too. `vaserl.rewards:VaseReward` scores both."""
    weights: tuple[float, ...] = ()
    """Weight of each function, in the order of `functions`. If empty, all weights are 1."""
    arguments: dict[str, dict[str, Any]] = pydantic.Field(default_factory=dict)
    """Keyword arguments for each function, or for its constructor if it is a class, by the function's name without its
    module."""
    remote: dict[str, RemoteSettings] = pydantic.Field(default_factory=dict)
    """Settings of each function that calls a service, by the function's name without its module."""
    num_workers: int = pydantic.Field(default=1, ge=1)
    """Number of reward actors, among which the groups of a step are divided."""
    num_cpus: float = 0.1
    """CPUs reserved for each reward actor."""
    num_gpus: float = pydantic.Field(default=0, ge=0)
    """GPUs reserved for each reward actor, for a function whose model needs one."""
    timeout_s: float = pydantic.Field(default=600.0, gt=0)
    """Time limit in seconds for the reward actors to load their functions, and again for them to score the groups of
    one step."""

    @property
    def all_functions(self) -> tuple[str, ...]:
        """The functions of captions and then those of questions, each once."""
        return tuple(dict.fromkeys((*self.functions, *self.questions)))

    @property
    def short_names(self) -> tuple[str, ...]:
        """Name of each of `all_functions` without its module. It is the function's key in `arguments` and `remote`, and
        part of the names of its score parts."""
        return tuple(name.rpartition(":")[2] for name in self.all_functions)

    @pydantic.model_validator(mode="after")
    def _weights_fit(self):
        if not self.functions:
            raise ValueError("functions must contain at least one reward function")
        if len(set(self.functions)) != len(self.functions):
            raise ValueError("functions contains the same reward function twice")
        if len(set(self.questions)) != len(self.questions):
            raise ValueError("questions contains the same reward function twice")
        if len(set(self.short_names)) != len(self.all_functions):
            raise ValueError(
                "two reward functions have the same name, so their score parts can't be told apart; rename one of them"
            )
        if self.weights and len(self.weights) != len(self.functions):
            raise ValueError(
                f"{len(self.weights)} weights for {len(self.functions)} functions; each function needs one weight"
            )
        if self.weights and not any(self.weights):
            raise ValueError("all weights are 0: there is nothing to learn from")
        for table in ("arguments", "remote"):
            unknown = sorted(set(getattr(self, table)) - set(self.short_names))
            if unknown:
                raise ValueError(
                    f"unknown function {unknown[0]!r} in {table}; the functions are {', '.join(self.short_names)}"
                )
        return self
