"""Differences between the settings of a run and those of the command that continues it, and which of them are allowed.

A continued run must give the result of an uninterrupted one. So only these settings may change: those that can't change
the result, those that change it by rounding alone, and the number of steps if the learning rate doesn't depend on it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vaserl.settings import Section, SftSettings, TrainSettings

WITHOUT_EFFECT = (
    *("run_dir", "trackers", "save_every", "checkpoint", "cluster", "features.folder"),
    *("features.num_cpus", "features.max_gb"),
    # not the vases: validations of one run are compared, so all of them caption the same sample
    *("validation.every", "validation.metric", "validation.stop_after", "validation.min_gain"),
    *("rollout.num_cpus", "reward.num_workers", "reward.num_cpus", "reward.timeout_s"),
    # how hard a service is tried; what happens after its last failure is in on_failure
    *("reward.remote.*.timeout_s", "reward.remote.*.retries", "reward.remote.*.backoff_s"),
    "reward.remote.*.max_concurrency",
    *("learner.num_cpus", "learner.max_nonfinite_steps", "max_skipped_steps"),
    # limits that stop a run
    *("max_logprob_gap", "rollout.max_fingerprint_gap"),
    # the files behind these paths are compared by their content instead
    *("model.path", "model.hub", "data.path"),
    *("data.cache_folder", "data.cache_max_gb"),
)
"""Keys and tables that can't change a run's weights, metrics or completions. `*` stands for a name that the user
chose."""

ROUNDING_ONLY = (
    *("learner.num_ranks", "learner.num_threads", "learner.max_tokens_per_micro_batch", "learner.deepspeed"),
    *("learner.gradient_checkpointing", "rollout.num_threads", "rollout.base_copy"),
    *("rollout.engine_args.gpu_memory_utilization", "rollout.engine_args.max_num_seqs"),
    *("rollout.engine_args.max_num_batched_tokens", "rollout.engine_args.tensor_parallel_size"),
    *("rollout.engine_args.enforce_eager", "learner.compile", "rollout.num_gpus", "reward.num_gpus"),
    # the completions that an engine samples together, whose number its kernels depend on
    "rollout.num_workers",
    # without the store the engines run a vision tower of their own
    *("features.num_workers", "features.num_gpus", "features.num_threads"),
)
"""Keys and tables that change the result only because floating-point sums are taken in another order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """A key whose value differs between two settings."""

    key: str
    """Dotted name of the key."""
    before: Any
    """Value that the run was started with; None if the key was absent."""
    after: Any
    """Value given now; None if the key is absent."""

    def __str__(self) -> str:
        return f"{self.key}: {_shown(self.before)} -> {_shown(self.after)}"


def changes_between(before: Section, after: Section) -> list[SettingChange]:
    """Returns the keys whose values differ, sorted by key."""
    old, new = dict(_leaves(before.model_dump(mode="json"))), dict(_leaves(after.model_dump(mode="json")))
    return [
        SettingChange(key=key, before=old.get(key), after=new.get(key))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]


def forbidden_changes(changes: list[SettingChange], settings: TrainSettings | SftSettings) -> list[SettingChange]:
    """Returns the changes with which a run can't be continued, because they would change its result.

    settings: the settings given now. With a constant learning rate `num_steps` may change.
    """
    allowed = (*WITHOUT_EFFECT, *ROUNDING_ONLY)
    if settings.learner.schedule == "constant":
        allowed += ("num_steps", "num_epochs")
    return [change for change in changes if not _is_in(change.key, allowed)]


def rounding_changes(changes: list[SettingChange]) -> list[SettingChange]:
    """Returns the changes that can change the result by rounding, and no further."""
    return [change for change in changes if _is_in(change.key, ROUNDING_ONLY)]


def _is_in(key: str, names: tuple[str, ...]) -> bool:
    parts = key.split(".")
    return any(
        all(word in (part, "*") for part, word in zip(parts, name.split("."), strict=False))
        for name in names
        if len(name.split(".")) <= len(parts)
    )


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        key = f"{path}{name}"
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{key}.")
        elif value is not None:
            yield key, value


def _shown(value: Any) -> str:
    return "absent" if value is None else json.dumps(value, ensure_ascii=False)
