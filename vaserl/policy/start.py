"""The weights with which a run begins, if they are another run's: reads their folder, and checks that they fit."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from vaserl.errors import UserError
from vaserl.policy.adapter import ADAPTER_CONFIG, read_adapter
from vaserl.policy.tensor_file import FileContent, read_tensors
from vaserl.policy.weights import MODEL_TENSORS
from vaserl.settings import LearnerSettings, StartSettings

_NOT_PLAIN = ("use_dora", "use_rslora", "rank_pattern", "alpha_pattern", "modules_to_save", "lora_bias")


def check_start(start: StartSettings, learner: LearnerSettings) -> None:
    """Raises UserError unless the folder `start.weights`, if given, has weights of the kind that the learner trains,
    with the adapter's rank, alpha and target modules."""
    folder = start.weights
    if folder is None:
        return
    if not folder.is_dir():
        raise UserError(f"start.weights: the folder {folder} does not exist")
    has_adapter, has_model = (folder / ADAPTER_CONFIG).is_file(), (folder / MODEL_TENSORS).is_file()
    if learner.method == "full":
        if not has_model:
            hint = ', only an adapter, which needs learner.method = "lora"' if has_adapter else ""
            raise UserError(
                f'start.weights: {folder} has no {MODEL_TENSORS}, which learner.method = "full" needs{hint}'
            )
        return
    if has_model and not has_adapter:
        raise UserError(
            f'start.weights: {folder} has a whole model ({MODEL_TENSORS}), which needs learner.method = "full"; to '
            "train an adapter on it, export the run and give the exported folder as model.path"
        )
    _check_lora(folder, json.loads(bytes(read_adapter(folder)[ADAPTER_CONFIG])), learner)


def read_start(folder: Path, learner: LearnerSettings) -> dict[str, FileContent]:
    """Returns the files of the weights in a folder for which `check_start` passed, by their names."""
    if learner.method == "lora":
        return read_adapter(folder)
    return {MODEL_TENSORS: (folder / MODEL_TENSORS).read_bytes()}


@torch.no_grad()
def load_start(
    parameters: Mapping[str, torch.Tensor], content: FileContent, file: Path, *, frozen: Collection[str] = ()
) -> None:
    """Copies the tensors of a file into the parameters of the same names.

    file: path of the file, for the error message. frozen: names of parameters that are not trained. Their values must
    be the file's already: neither the engines nor the feature store get them from the learner.

    Raises: UserError when names, shapes or frozen values differ; no parameter was changed then.
    """
    tensors = read_tensors(content)
    if missing := sorted(set(parameters) - set(tensors)):
        raise UserError(f"start.weights: {file} lacks {missing[0]} ({len(missing)} tensors in all). {_OTHER_MODEL}")
    if unknown := sorted(set(tensors) - set(parameters)):
        raise UserError(
            f"start.weights: {file} has {unknown[0]}, which the learner's model lacks ({len(unknown)} tensors in all). "
            f"{_OTHER_MODEL}"
        )
    for name, tensor in tensors.items():
        if tensor.shape != parameters[name].shape:
            raise UserError(
                f"start.weights: {name} in {file} has the shape {list(tensor.shape)}, but in the learner's model "
                f"{list(parameters[name].shape)}. {_OTHER_MODEL}"
            )
    for name in frozen:
        if not torch.equal(parameters[name], tensors[name].to(parameters[name])):
            raise UserError(
                f"start.weights: {name} in {file} differs from model.path, but learner.train_vision = false keeps the "
                "model's value. Set learner.train_vision = true, or export the run and give the exported folder as "
                "model.path"
            )
    for name, tensor in tensors.items():
        parameters[name].copy_(tensor)


_OTHER_MODEL = "Give the model.path and learner.lora.target_modules of the run that wrote the weights"


def _check_lora(folder: Path, config: Mapping[str, Any], learner: LearnerSettings) -> None:
    """Raises UserError if an adapter's config differs from learner.lora."""
    lora = learner.lora
    pairs: dict[str, tuple[str, int | str]] = {"rank": ("r", lora.rank), "alpha": ("lora_alpha", lora.alpha)}
    if isinstance(config.get("target_modules"), str):  # other tools write a list of names; `load_start` compares those
        pairs["target_modules"] = ("target_modules", lora.target_modules)
    for key, (name, expected) in pairs.items():
        if config.get(name) != expected:
            raise UserError(
                f"start.weights: the adapter in {folder} has {name} = {config.get(name)!r}, but learner.lora.{key} = "
                f"{expected!r}. Set learner.lora.{key} to the adapter's value"
            )
    if beyond := [name for name in _NOT_PLAIN if config.get(name)]:
        raise UserError(f"start.weights: the adapter in {folder} uses {beyond[0]}, which the learner does not train")
