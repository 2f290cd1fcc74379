"""The resources that a job's settings reserve for its actors, by role."""

import dataclasses
import math
from dataclasses import dataclass

from vaserl.errors import UserError
from vaserl.planning.engine_args import num_shards
from vaserl.settings import (
    EvaluateSettings,
    FeatureSettings,
    LearnerSettings,
    RewardSettings,
    RolloutSettings,
    SftSettings,
    TrainSettings,
)

COUNT_KEYS = {
    "rollout": "rollout.num_workers",
    "learner": "learner.num_ranks",
    "features": "features.num_workers",
    "reward": "reward.num_workers",
}
"""Key of the config that sets the number of actors, by role."""
_SECTIONS = {
    RolloutSettings: "rollout",
    LearnerSettings: "learner",
    FeatureSettings: "features",
    RewardSettings: "reward",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorRequest:
    """Resources to reserve for a number of actors of one class."""

    num_actors: int
    num_cpus: float
    """CPUs reserved for each actor."""
    num_gpus: float = 0
    """GPUs reserved for each actor: a whole number, or a fraction of one GPU, which the actor shares with others."""
    is_collective: bool = False
    """True if the actors exchange tensors with each other at every step. As many of them as fit are placed on one node,
    and no two of them share a GPU, which NCCL refuses."""


def actor_request(settings: RolloutSettings | RewardSettings | LearnerSettings | FeatureSettings) -> ActorRequest:
    """Returns the resources that a section of the settings reserves for its actors.

    Raises: UserError for an engine that is divided over other GPUs than its worker reserves, for a number of GPUs that
    is neither whole nor below 1, for numbers below 0, and for actors that would reserve nothing.
    """
    is_learner = isinstance(settings, LearnerSettings)
    num_actors = settings.num_ranks if is_learner else settings.num_workers
    section = _SECTIONS[type(settings)]
    for key, value in (("num_gpus", settings.num_gpus), ("num_cpus", settings.num_cpus)):
        if not 0 <= value < math.inf:
            raise UserError(f"{section}.{key} = {value:g}: set 0 or more")
    if settings.num_gpus > 1 and settings.num_gpus % 1:
        raise UserError(
            f"{section}.num_gpus = {settings.num_gpus:g}: an actor gets whole GPUs, or a fraction of a single one"
        )
    if not settings.num_gpus and not settings.num_cpus:
        raise UserError(f"{section}.num_cpus = 0: an actor without GPUs needs some CPU, for example 0.1")
    if isinstance(settings, RolloutSettings):
        _check_shards(settings)
    return ActorRequest(
        num_actors=num_actors,
        num_cpus=settings.num_cpus,
        num_gpus=settings.num_gpus,
        is_collective=is_learner,
    )


def _check_shards(rollout: RolloutSettings) -> None:
    shards = num_shards(rollout)
    if rollout.num_gpus and shards > 1 and rollout.num_gpus != shards:
        raise UserError(
            f"rollout.num_gpus = {rollout.num_gpus:g}, but rollout.engine_args divides an engine over {shards} GPUs "
            f"(tensor_parallel_size). Set rollout.num_gpus = {shards}: all GPUs of an engine are on one node and "
            "reserved for it alone"
        )
    if rollout.num_gpus > 1 and shards == 1:
        raise UserError(
            f"rollout.num_gpus = {rollout.num_gpus:g}, but an engine uses one GPU. Set "
            f"rollout.engine_args.tensor_parallel_size = {rollout.num_gpus:g} too, or rollout.num_gpus = 1"
        )


def bypass_reason(learner: LearnerSettings, *, max_shift: int = 0) -> str | None:
    """Returns the reason why a run can't use stored features, None if it can."""
    if learner.train_vision:
        return "learner.train_vision changes the vision tower, and with it the features, at every step"
    if max_shift:
        return f"max_shift = {max_shift} shifts a clip differently each time, so stored features would hardly be reused"
    return None


def job_bypass_reason(settings: TrainSettings | SftSettings) -> str | None:
    """Returns the reason why a training job can't use stored features, None if it can."""
    shift = settings.max_shift if isinstance(settings, SftSettings) else 0
    return bypass_reason(settings.learner, max_shift=shift)


def encoder_request(settings: FeatureSettings, reason: str | None) -> ActorRequest:
    """Returns the request for the resources of a job's encoders, the actors that compute vision features.

    reason: why the job can't use stored features, None if it can; no encoder is requested if there is one.
    """
    request = actor_request(settings)
    return request if reason is None else dataclasses.replace(request, num_actors=0)


def role_requests(settings: TrainSettings | SftSettings | EvaluateSettings) -> dict[str, ActorRequest]:
    """Returns what a job reserves for its actors, by role.

    Raises: the same as `actor_request`.
    """
    if isinstance(settings, EvaluateSettings):
        return {"rollout": actor_request(settings.rollout), "features": actor_request(settings.features)}
    encoders = encoder_request(settings.features, job_bypass_reason(settings))
    if isinstance(settings, SftSettings):
        return {"learner": actor_request(settings.learner), "features": encoders}
    return {
        "rollout": actor_request(settings.rollout),
        "reward": actor_request(settings.reward),
        "learner": actor_request(settings.learner),
        "features": encoders,
    }
