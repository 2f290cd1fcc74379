"""Predicts what a training job needs on a cluster: memory of each GPU, seconds of each phase, disk and network."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from vaserl.errors import UserError
from vaserl.planning.device import Device, device_of
from vaserl.planning.efficiency import CONTEXT, ON_SHARED_GPU
from vaserl.planning.hardware import ClusterShape
from vaserl.planning.learner_cost import LearnerCost, total, tower_s
from vaserl.planning.load import JobLoad
from vaserl.planning.model_shape import ModelShape
from vaserl.planning.placement import Seating, seat_actors
from vaserl.planning.requests import job_bypass_reason, role_requests
from vaserl.planning.rollout_cost import RolloutCost
from vaserl.settings import SftSettings, TrainSettings

_START_S = 150.0
"""Seconds until the first step: models are loaded, and engines captured as CUDA graphs (56 to 99 s measured)."""
_COMPILE_S = 90.0
_REWARD_S = 0.02
_FRAMES_OF_A_PATCH = 2
_TOKEN_BYTES = 30
"""Bytes of a completion's token in the run's files: its text, id and log-probability."""
_STATE_BYTES = 12
"""Bytes of a trained weight in a checkpoint's training state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuUse:
    """GPUs on which actors of the same roles sit."""

    actors: str
    """For example "1 rollout + 1 learner"."""
    num_gpus: int
    bytes: Mapping[str, float]
    """Bytes at the peak, by use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """What a job is predicted to need."""

    load: JobLoad
    seating: Seating
    gpus: tuple[GpuUse, ...]
    memory: float
    """Bytes of one GPU."""
    phases: Mapping[str, Mapping[str, float]]
    """Seconds of each part of each phase of a step, of the actor that takes longest."""
    step_s: float
    encode_s: float
    """Seconds in which all encoders together encode the clips of a step for the first time; 0 without a store."""
    first_s: float
    """Seconds of a step whose clips are all encoded for the first time."""
    run_s: float
    disk: Mapping[str, float]
    """Bytes by use, at the end of the run."""
    publish_bytes: float
    """Bytes that go over the network at each publication."""
    cache_share: float
    """Part of a step's tokens that an engine's cache holds at once, at most 1."""
    cache_tokens: float
    """Tokens that an engine's cache holds."""

    @property
    def fullest(self) -> float:
        """Bytes on the fullest GPU."""
        return max((total(gpu.bytes) for gpu in self.gpus), default=0.0)


def plan_job(settings: TrainSettings | SftSettings, shape: ModelShape, cluster: ClusterShape, load: JobLoad) -> JobPlan:
    """Predicts what a job needs.

    Raises: UserError for a request that no cluster can place (see `actor_request`), for actors on GPUs where the
    cluster has none, and for options of vLLM or DeepSpeed that are no numbers.
    """
    return _Planner(settings, shape, cluster, load).plan()


class _Planner:
    def __init__(self, settings: TrainSettings | SftSettings, shape: ModelShape, cluster: ClusterShape, load: JobLoad):
        self.settings, self.shape, self.cluster, self.load = settings, shape, cluster, load
        self.requests = role_requests(settings)
        self.seating = seat_actors(self.requests, cluster.nodes)
        stored = job_bypass_reason(settings) is None and settings.features.num_workers > 0
        self.learner = LearnerCost(
            shape=shape,
            device=self.device("learner"),
            settings=settings.learner,
            has_reference=isinstance(settings, TrainSettings) and settings.loss.beta > 0,
            has_tower=not stored,
        )
        self.is_stored = stored
        self.is_lora = settings.learner.method == "lora"
        self.engine: RolloutCost | None = None
        if isinstance(settings, TrainSettings):
            merges = self.is_lora and settings.rollout.publish == "merge"
            self.engine = RolloutCost(
                shape=shape, device=self.device("rollout"), settings=settings.rollout, merges=merges
            )

    def device(self, role: str) -> Device:
        num_gpus = self.requests[role].num_gpus
        if num_gpus and not self.cluster.accelerator:
            raise UserError(
                f"{role}.num_gpus = {num_gpus:g}, but the cluster has no GPUs: give a kind of GPU with --cluster, such "
                f"as 1x1xa100-80, or set {role}.num_gpus = 0"
            )
        return device_of(self.cluster.accelerator if num_gpus else None, self.settings.model.dtype)

    def share(self, role: str) -> int:
        """Groups of a step that the actor with the most of them gets."""
        return -(-self.load.num_groups // max(1, self.requests[role].num_actors))

    def rate(self, *roles: str) -> float:
        """Bytes per second between the actors of these roles, which may be on several nodes."""
        kind = self.device(roles[0]).kind
        nodes = {seat.node for seat in self.seating.seats if seat.member.role in roles}
        return kind.network if len(nodes) > 1 else kind.link

    def plan(self) -> JobPlan:
        group = self.load.group
        phases: dict[str, Mapping[str, float]] = {}
        if self.engine:
            phases["rollout"] = self.engine.step_s(group, self.share("rollout"))
            phases["reward"] = {"reward": _REWARD_S}
        phases["learn"] = self.learner.step_s(group, self.share("learner"), self.rate("learner"))
        if self.engine:
            seconds = self.engine.publish_s(
                self.learner.num_trained, self.rate("rollout", "learner"), is_lora=self.is_lora
            )
            phases["publish"] = {"publish": seconds}
        step = self.step_s({name: total(parts) for name, parts in phases.items()})
        encode = self.encode_s()
        start = _START_S + _COMPILE_S * self.settings.learner.compile
        gpu = self.cluster.accelerator
        needed = self.share("rollout") * group.num_tokens * self.kv() if self.engine else 0.0
        cache = self.engine.cache_bytes() if self.engine and self.device("rollout").kind is gpu else needed
        return JobPlan(
            load=self.load,
            seating=self.seating,
            gpus=self.gpus(),
            memory=gpu.memory if gpu else 0.0,
            phases=phases,
            step_s=step,
            encode_s=encode,
            first_s=self.first_s(step, encode),
            run_s=start + self.steps_s(step, encode),
            disk=self.disk(),
            publish_bytes=self.publish_bytes(),
            cache_share=min(1.0, max(0.0, cache) / needed) if needed else 1.0,
            cache_tokens=cache / self.kv() if self.engine else 0.0,
        )

    def kv(self) -> int:
        return self.shape.kv_bytes(self.learner.device.itemsize)

    def step_s(self, seconds: Mapping[str, float]) -> float:
        """Returns the seconds of a step. With loop = "ahead" only the longer half counts, if the halves have GPUs of
        their own."""
        if not (isinstance(self.settings, TrainSettings) and self.settings.loop == "ahead"):
            return sum(seconds.values())
        places = [
            {(seat.node, gpu) for seat in self.seating.seats if seat.member.role == role for gpu in seat.gpus}
            for role in ("rollout", "learner")
        ]
        if places[0] & places[1]:
            return ON_SHARED_GPU * sum(seconds.values())
        return max(seconds["rollout"] + seconds["reward"], seconds["learn"]) + seconds["publish"]

    def encode_s(self) -> float:
        encoders = self.requests["features"].num_actors
        if not self.is_stored or not encoders:
            return 0.0
        device, tokens = self.device("features"), self.load.group.num_clip
        clip_s = tower_s(self.shape, device, tokens) + tokens * device.efficiency.prepare_s
        return self.load.num_groups * clip_s / encoders

    def first_s(self, step: float, encode: float) -> float:
        """Returns the seconds of a step with new clips. GRPO encodes ahead, while a step runs; supervised training
        encodes a clip when it needs it."""
        return max(step, encode) if isinstance(self.settings, TrainSettings) else step + encode

    def steps_s(self, step: float, encode: float) -> float:
        """Returns the seconds of all steps."""
        load = self.load
        first = min(load.num_steps, load.num_vases * self.encodings() / load.num_groups)
        return first * self.first_s(step, encode) + (load.num_steps - first) * step

    def encodings(self) -> float:
        """Returns how often a vase's clip is encoded, on average.

        A turned clip has other features if it begins inside a patch of `_FRAMES_OF_A_PATCH` frames, so supervised
        training encodes a clip again until each beginning was drawn.
        """
        load, settings = self.load, self.settings
        starts = _FRAMES_OF_A_PATCH if isinstance(settings, SftSettings) and settings.rotate_clips else 1
        epochs = max(1.0, load.num_steps * load.num_groups / load.num_vases)
        return starts * (1 - (1 - 1 / starts) ** epochs)

    def gpus(self) -> tuple[GpuUse, ...]:
        on_gpu: dict[tuple[str, int], list[str]] = {}
        for seat in self.seating.seats:
            for gpu in seat.gpus:
                on_gpu.setdefault((seat.node, gpu), []).append(seat.member.role)
        kinds = Counter(tuple(sorted(Counter(roles).items())) for roles in on_gpu.values())
        uses = []
        for kind, count in kinds.items():
            parts: Counter[str] = Counter()
            for role, actors in kind:
                for name, size in self.memory_of(role).items():
                    parts[name] += actors * size  # pyright: ignore[reportArgumentType]
            words = " + ".join(f"{actors} {role}" for role, actors in kind)
            uses.append(GpuUse(actors=words, num_gpus=count, bytes=dict(parts)))
        return tuple(uses)

    def memory_of(self, role: str) -> dict[str, float]:
        """Returns the bytes of one actor on its GPU, by use. A reward's model is not known, only its context is."""
        if role == "rollout" and self.engine:
            return self.engine.memory()
        if role == "learner":
            return self.learner.memory(self.load.group, self.share("learner"))
        if role == "features":
            return {"encoder": self.shape.num_tower * self.learner.device.itemsize + self.tower_activations() + CONTEXT}
        return {"reward": CONTEXT}

    def tower_activations(self) -> float:
        """Returns the bytes of one block's values for all patches of a clip, four of which make a token."""
        width = 6 * self.shape.tower_hidden_size + 3 * self.shape.tower_intermediate_size
        return 4.0 * self.load.group.num_clip * width * self.learner.device.itemsize

    def disk(self) -> dict[str, float]:
        settings, trained, itemsize = self.settings, self.learner.num_trained, self.learner.device.itemsize
        whole = (self.shape.num_text + self.shape.num_tower) * itemsize
        published = trained * itemsize if self.is_lora else whole
        kept = settings.checkpoint.keep_last if settings.checkpoint.interval(settings.learner.method) else 0
        parts: dict[str, float] = {"checkpoints": kept * (trained * _STATE_BYTES + published)}
        if isinstance(settings, TrainSettings):
            saves = 1 + (settings.num_steps // settings.save_every if settings.save_every else 0)
            parts["weights"] = saves * published
            parts["completions"] = (
                self.load.num_steps * self.load.num_groups * self.load.group.num_answer * _TOKEN_BYTES
            )
        else:
            parts["model"] = whole
        if self.is_stored:
            stored = self.load.num_vases * self.encodings() * self.load.group.feature_bytes(self.shape, itemsize)
            parts["features, each node"] = min(settings.features.max_gb * 1e9, stored)
        return parts

    def publish_bytes(self) -> float:
        """Returns the bytes that go to other nodes than rank 0's: each node gets the weights once, an adapter through
        the object store and a whole model by a broadcast."""
        if not self.engine:
            return 0.0
        home = next((seat.node for seat in self.seating.seats if seat.member.role == "learner"), "")
        away = [seat for seat in self.seating.seats if seat.member.role == "rollout" and seat.node != home]
        copies = len({seat.node for seat in away})
        return float(copies * self.learner.num_trained * self.learner.device.itemsize)
