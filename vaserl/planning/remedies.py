"""What does not fit in a plan, and which change of the settings makes it fit; what each setting costs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from vaserl.errors import UserError
from vaserl.planning.efficiency import USABLE
from vaserl.planning.engine_args import engine_count, gpu_utilisation, num_shards
from vaserl.planning.hardware import GIB, ClusterShape
from vaserl.planning.job_plan import JobPlan, plan_job
from vaserl.planning.learner_cost import total
from vaserl.planning.load import JobLoad
from vaserl.planning.model_shape import ModelShape
from vaserl.planning.requests import role_requests
from vaserl.planning.shortfall import shortfall_words
from vaserl.settings import SftSettings, TrainSettings

_WORTH_IT = 0.05
"""Least share of a step that another division of the GPUs must save."""
_MOST_TOGETHER = 2
"""Most settings that are changed together."""
_STEPS = (-0.05, -0.1, -0.15, -0.2, 0.05, 0.1, 0.2)
"""Changes of gpu_memory_utilization that are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """Other values of some settings, and the plan with them."""

    words: str
    """For example "learner.gradient_checkpointing = true"."""
    plan: JobPlan
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """A job that can be planned again with other settings."""

    settings: TrainSettings | SftSettings
    shape: ModelShape
    cluster: ClusterShape
    load: JobLoad

    def plan(self) -> JobPlan:
        """Returns the plan with the job's own settings."""
        return plan_job(self.settings, self.shape, self.cluster, self.load)

    def changed(self, values: Mapping[str, Any]) -> "PlannedJob":
        """Returns the job with other values of some settings, by their dotted keys."""
        tree = self.settings.model_dump()
        for key, value in values.items():
            *tables, name = key.split(".")
            table = tree
            for each in tables:
                table = table.setdefault(each, {})
            table[name] = value
        settings = type(self.settings).model_validate(tree)
        return PlannedJob(settings=settings, shape=self.shape, cluster=self.cluster, load=self.load)

    def problems(self, plan: JobPlan) -> list[str]:
        """Returns what does not fit, a sentence each; empty if everything does."""
        missing = shortfall_words(plan.seating, role_requests(self.settings), self.cluster.nodes)
        found = missing.splitlines()
        for gpu in plan.gpus:
            if total(gpu.bytes) > USABLE * plan.memory:
                found.append(
                    f"does not fit: a GPU with {gpu.actors} needs {total(gpu.bytes) / GIB:.0f} GiB and has "
                    f"{plan.memory / GIB:.0f}, of which {USABLE:.0%} can be used"
                )
        if isinstance(self.settings, TrainSettings):
            found += self._engine_problems(self.settings, plan)
        return found

    def _engine_problems(self, settings: TrainSettings, plan: JobPlan) -> Iterator[str]:
        limit = engine_count(settings.rollout, "max_model_len")
        needed = self.load.group.num_prompt + settings.rollout.max_new_tokens
        if needed > limit:
            yield f"rollout.engine_args.max_model_len = {limit} is too small: a sequence has up to {needed} tokens"
        if settings.rollout.num_gpus and plan.cache_tokens < limit:
            yield f"does not fit: an engine's cache has room for {max(0, plan.cache_tokens):.0f} tokens of {limit}"

    def remedies(self) -> list[Remedy]:
        """Returns the changes with which everything fits, the fastest first: single ones, or if there are none, those
        of two settings together."""
        for number in range(1, _MOST_TOGETHER + 1):
            tried = [self._tried(values) for values in self._candidates(number)]
            if fitting := [change for change in tried if change and change.fits]:
                return sorted(fitting, key=lambda change: change.plan.step_s)
        return []

    def knobs(self) -> list[Remedy]:
        """Returns the plan with each setting that trades memory for time changed on its own, after the best division
        of the GPUs between engines and learner if it is another one."""
        changes = [change for values in self._candidates(1) if (change := self._tried(values))]
        return [*self._better_division(), *changes]

    def _better_division(self) -> list[Remedy]:
        """Returns the division of the same GPUs between engines and ranks with the shortest step, if both have GPUs of
        their own and it saves more than `_WORTH_IT`."""
        settings = self.settings
        if (
            not isinstance(settings, TrainSettings)
            or num_shards(settings.rollout) > 1
            or settings.learner.num_gpus != 1
        ):
            return []
        num_gpus, encoders = settings.rollout.num_workers + settings.learner.num_ranks, settings.features.num_workers
        tried = [
            self._tried(
                {
                    "rollout.num_workers": engines,
                    "learner.num_ranks": num_gpus - engines,
                    "features.num_workers": min(encoders, engines),
                }
            )
            for engines in range(1, num_gpus)
        ]
        fitting = [change for change in tried if change and change.fits]
        best = min(fitting, key=lambda change: change.plan.step_s, default=None)
        return [best] if best and best.plan.step_s < (1 - _WORTH_IT) * self.plan().step_s else []

    def _tried(self, values: Mapping[str, Any]) -> Remedy | None:
        try:
            job = self.changed(values)
            plan = job.plan()
        except (UserError, ValueError):  # settings that exclude each other
            return None
        words = ", ".join(f"{key} = {_toml(value)}" for key, value in values.items())
        return Remedy(words=words, plan=plan, fits=not job.problems(plan))

    def _candidates(self, number: int) -> Iterator[dict[str, Any]]:
        for several in combinations(self._singles(), number):
            keys = [key for values in several for key in values]
            if len(set(keys)) == len(keys):
                yield {key: value for values in several for key, value in values.items()}

    def _singles(self) -> list[dict[str, Any]]:
        """Returns changes that take less memory on a GPU, or less time."""
        learner, tokens = self.settings.learner, self.load.group.num_tokens
        found: list[dict[str, Any]] = [{"learner.gradient_checkpointing": not learner.gradient_checkpointing}]
        if learner.max_tokens_per_micro_batch >= 2 * tokens and self.load.num_groups > learner.num_ranks:
            found.append({"learner.max_tokens_per_micro_batch": tokens})
        if not learner.compile and learner.num_gpus:
            found.append({"learner.compile": True})
        if learner.num_ranks > 1 and learner.deepspeed.get("zero_optimization", {}).get("stage") != 3:
            found.append({"learner.deepspeed.zero_optimization.stage": 3})
        if isinstance(self.settings, TrainSettings) and self.settings.rollout.num_gpus:
            rollout = self.settings.rollout
            if rollout.publish == "merge" and rollout.base_copy == "device" and learner.method == "lora":
                found.append({"rollout.base_copy": "host"})
            now = gpu_utilisation(rollout)
            key = "rollout.engine_args.gpu_memory_utilization"
            found += [{key: share} for step in _STEPS if 0.1 < (share := round(now + step, 2)) < 0.96]
            if rollout.num_gpus >= 1 and num_shards(rollout) == 1:
                found.append({"rollout.num_gpus": 2, "rollout.engine_args.tensor_parallel_size": 2})
        return found


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"
