"""The systems of an evaluation: where their answers come from, and everything that the answers depend on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from vaserl.dataset import DataSet, Vase
from vaserl.errors import UserError
from vaserl.evaluation.captions_json import CaptionRows, read_caption_rows
from vaserl.files import sha256_of, sha256_of_folder
from vaserl.policy.adapter import ADAPTER_CONFIG, read_adapter
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.tensor_file import FileContent
from vaserl.policy.weights import digest_files
from vaserl.runs.versions import versions
from vaserl.settings import EvaluateSettings
from vaserl.settings.chat_server import ChatServerSettings
from vaserl.types import DIMENSIONS, Task

_WITHOUT_EFFECT = ("platform", "vase_reward")
"""Versions on which the answers don't depend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedSystem:
    """One system of an evaluation; one of `base`, `captions` and `server` is set."""

    name: str
    origin: Mapping[str, Any]
    """Everything that the answers depend on, as JSON values."""
    tasks: tuple[Task, ...]
    """The tasks that the system is given: the captions, and the questions if it can be asked them."""
    base: Path | None = None
    """Folder of the model that an engine loads."""
    weights: Path | None = None
    """Folder of the weights that are loaded on top of `base`; None for the model itself."""
    rank: int | None = None
    """Rank of the LoRA adapter in `weights`; None for no weights or those of a whole model."""
    captions: CaptionRows | None = None
    server: ChatServerSettings | None = None

    @property
    def order(self) -> tuple[int, str]:
        """Sorting key of the systems of one engine: the model as loaded, then adapters, then whole models."""
        return (0 if self.weights is None else 1 if self.rank else 2), self.name


def read_systems(
    settings: EvaluateSettings, data: DataSet, vases: Sequence[Vase]
) -> tuple[dict[str, EvaluatedSystem], list[Task]]:
    """Returns the systems by name, and the tasks that the systems with a model are given.

    Raises: UserError for a folder or file that is missing or holds something else than the config says.
    """
    captions = tuple(vase.caption_task(settings.data.prompt) for vase in vases)
    asked = [task for vase in vases for task in vase.question_tasks(DIMENSIONS) if task.dimensions]
    if settings.questions and not asked:
        raise UserError(
            f"questions = true, but no vase of split {settings.split!r} in {settings.data.path} has a question about a "
            "dimension that its record states; set questions = false, or evaluate a data set with records"
        )
    tasks = (*captions, *(asked if settings.questions else ()))
    systems = {}
    for name, stated in settings.all_systems.items():
        if stated.captions is not None:
            rows = read_caption_rows(stated.captions)
            origin = {"captions (content)": sha256_of(stated.captions), "vases": _digest([v.id for v in vases])}
            systems[name] = EvaluatedSystem(name=name, origin=origin, tasks=captions, captions=rows)
            continue
        origin = _common_origin(settings, tasks)
        if stated.server is not None:
            origin |= {"server.base_url": stated.server.base_url, "server.model": stated.server.model}
            systems[name] = EvaluatedSystem(name=name, origin=origin, tasks=tasks, server=stated.server)
            continue
        base = stated.model or settings.model.path
        check_model_folder(base)
        rank = None
        origin |= _engine_origin(settings) | {"model (content)": folder_digest(base)}
        if stated.weights is not None:
            files, rank = trained_files(stated.weights)
            origin["weights (content)"] = digest_files(files)
        systems[name] = EvaluatedSystem(
            name=name, origin=origin, tasks=tasks, base=base, weights=stated.weights, rank=rank
        )
    return systems, list(tasks)


def comparable_origin(settings: EvaluateSettings, vases: Sequence[Vase], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what two evaluations must have in common for their numbers to stand in one table, as JSON values.

    metrics: everything that the metrics depend on beside the answers.
    """
    return {
        "vases": _digest([[vase.id, vase.clip] for vase in vases]),
        "records and references": _digest([[dict(vase.record), vase.reference] for vase in vases]),
        "prompt": _digest([settings.data.system, settings.data.prompt]),
        "num_frames": settings.data.num_frames,
        "decoding": settings.decoding,
        **{name: value for name, value in metrics.items() if name != "seed"},
    }


def trained_files(folder: Path) -> tuple[dict[str, FileContent], int | None]:
    """Returns the files of the trained weights in a folder, by file name, and the rank of the LoRA adapter. The rank is
    None when the folder contains the weights of a whole model.

    Raises: UserError when the folder contains neither an adapter nor a whole model.
    """
    if (folder / ADAPTER_CONFIG).is_file():
        files = read_adapter(folder)
        return files, int(json.loads(bytes(files[ADAPTER_CONFIG]))["r"])
    if (folder / "model.safetensors").is_file():
        return {"model.safetensors": (folder / "model.safetensors").read_bytes()}, None
    raise UserError(f"weights {folder} holds neither an adapter nor model.safetensors")


def _common_origin(settings: EvaluateSettings, tasks: Sequence[Task]) -> dict[str, Any]:
    sampled = {"temperature": settings.rollout.temperature, "seed": settings.seed}
    return {
        "clips and prompts": _digest([[task.id, task.clip, task.prompt] for task in tasks]),
        "data.num_frames": settings.data.num_frames,
        "decoding": "greedy" if settings.decoding == "greedy" else sampled,
        "system message": settings.data.system,
        "rollout.max_new_tokens": settings.rollout.max_new_tokens,
    }


def _engine_origin(settings: EvaluateSettings) -> dict[str, Any]:
    """Returns what the answers of an engine depend on beside weights and tasks. The number of workers is not included:
    it only changes which prompts an engine processes together."""
    rollout = settings.rollout.model_dump(mode="json")
    return {
        "model.dtype": settings.model.dtype,
        **{f"rollout.{name}": rollout[name] for name in ("publish", "engine_args")},
        "engines on a GPU": settings.rollout.num_gpus > 0,
        "feature store": settings.features.num_workers > 0,
        **{f"version of {name}": version for name, version in versions().items() if name not in _WITHOUT_EFFECT},
    }


@lru_cache(maxsize=16)
def folder_digest(folder: Path) -> str:
    """Returns the SHA-256 of a model folder's content, which is read once by a process."""
    return sha256_of_folder(folder)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
