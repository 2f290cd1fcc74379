"""Small checkpoints whose content depends on the step, for tests of their storage."""

from collections.abc import Callable, Mapping

from vaserl.files.durable import write_durably
from vaserl.runs.checkpoint.manifest import CheckpointManifest, StoredFile
from vaserl.runs.checkpoint.store import CheckpointStore
from vaserl.runs.checkpoint.stored import StoredCheckpoint


def contents_of_step(step: int) -> dict[str, bytes]:
    """Returns the files of a small checkpoint; two have the same size in every step, and one is empty."""
    return {
        "state-00000-of-00002.safetensors": f"rank 0 of step {step:06d}".encode() * 3,
        "state-00001-of-00002.safetensors": f"rank 1 of step {step:06d}".encode() * 3,
        f"weights-v{step + 1:05d}/adapter_model.safetensors": bytes(range(step % 200, step % 200 + 20)),
        f"weights-v{step + 1:05d}/adapter_config.json": b"",
    }


def manifest_of_step(step: int, epoch: int, metrics: Mapping[str, float] | None = None) -> CheckpointManifest:
    """Returns the manifest of the small checkpoint."""
    return CheckpointManifest(
        job="train",
        step=step,
        weights_version=step + 1,
        epoch=epoch,
        num_ranks=2,
        inputs={"config": "9f"},
        metrics=metrics or {},
        files={name: StoredFile.describing(content) for name, content in contents_of_step(step).items()},
    )


def nothing_to_check() -> None:
    """Stands for the check of a run that no other process has claimed."""


def write_checkpoint(
    store: CheckpointStore,
    step: int,
    epoch: int = 1,
    metrics: Mapping[str, float] | None = None,
    check: Callable[[], None] = nothing_to_check,
) -> StoredCheckpoint:
    """Writes and commits the small checkpoint of a step."""
    place = store.begin(step, epoch)
    for name, content in contents_of_step(step).items():
        write_durably(f"{place}/{name}", content)
    return store.commit(step, epoch, manifest_of_step(step, epoch, metrics), check)


def contents_of(checkpoint: StoredCheckpoint) -> dict[str, bytes]:
    """Returns the content of each file of a stored checkpoint."""
    return {name: checkpoint.read(name) for name in checkpoint.files}
