"""Versions of the published weights in a run's checkpoint: the names of their files, and reading them."""

from vaserl.policy.weights import weights_from_contents
from vaserl.runs.checkpoint.stored import StoredCheckpoint
from vaserl.types import Weights

_PREFIX = "weights-v"


def weights_name(version: int) -> str:
    """Returns the name of the folder, within a checkpoint, with a version of the published weights."""
    return f"{_PREFIX}{version:05d}"


def checkpoint_versions(checkpoint: StoredCheckpoint) -> list[int]:
    """Returns the versions of the published weights that a checkpoint contains, ascending."""
    folders = {name.partition("/")[0] for name in checkpoint.files if name.startswith(_PREFIX)}
    return sorted(int(folder.removeprefix(_PREFIX)) for folder in folders)


def checkpoint_weights(checkpoint: StoredCheckpoint, version: int) -> Weights:
    """Returns a version of the published weights from a checkpoint."""
    folder = f"{weights_name(version)}/"
    contents = {
        name.removeprefix(folder): checkpoint.read(name) for name in checkpoint.files if name.startswith(folder)
    }
    return weights_from_contents(version, contents)
