"""Weights of an earlier training, with which another one begins."""

import json
from dataclasses import dataclass

import torch

from vaserl.errors import UserError
from vaserl.meshes.cutout.weights import CUTOUT_RECIPE, CUTOUT_WEIGHTS, load_cutout
from vaserl.synthetic.train_cutout.settings import TrainCutoutSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class StartWeights:
    """The state of a network and the hash of the file from which it was read."""

    state: dict[str, torch.Tensor]
    sha256: str


def start_weights(settings: TrainCutoutSettings) -> StartWeights | None:
    """Returns the weights in settings.start_from; None if the training begins with random ones.

    Raises: UserError when a file is missing, is not that of its recipe, or is of a network of another shape.
    """
    folder = settings.start_from
    if folder is None:
        return None
    network = load_cutout(folder)
    recipe = json.loads((folder / CUTOUT_RECIPE).read_text())
    shape = {name: tuple(values) for name, values in recipe.get("shape", {}).items()}
    wanted = {"widths": settings.widths, "depths": settings.depths}
    if different := [name for name in wanted if name in shape and shape[name] != wanted[name]]:
        raise UserError(
            f"{folder / CUTOUT_WEIGHTS} is of a network with "
            + " and ".join(
                f"{name} {list(shape[name])}, but the settings say {list(wanted[name])}" for name in different
            )
            + "; set them as in the file's recipe, or leave start_from out"
        )
    return StartWeights(state=network.state_dict(), sha256=recipe["sha256"])
