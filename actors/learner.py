"""The learner: DeepSpeed ranks (processes) as actors, and one object through which all of them are called."""

import dataclasses
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayTaskError

from actors.encoder import FeatureReader
from actors.engine import TensorPlace
from actors.placement import PlacementSlice
from actors.pool import START_TIMEOUT_S, ActorPool
from actors.rank import NONFINITE, SECONDS, LearnerRank, Sums
from actors.rank_state import ReadableFiles
from vaserl.errors import UserError
from vaserl.files.storage import storage_environment
from vaserl.policy.weights import make_weights
from vaserl.runs.checkpoint.manifest import StoredFile
from vaserl.settings import DataSettings, LearnerSettings, LossSettings, ModelSettings, StartSettings
from vaserl.types import Batch, Demonstration, Fingerprint, Update, Weights

_FILES = "files"
"""Concurrency group of the calls that write files: a thread of its own, beside the one that learns."""


class _Rank(LearnerRank):
    """Ray actor of one rank. `meeting_point` on rank 0 returns the address to which the other ranks connect."""

    def meeting_point(self) -> tuple[str, int]:
        with socket.socket() as free:
            free.bind(("", 0))
            return ray.util.get_node_ip_address(), free.getsockname()[1]


# Ray's annotations lack the argument
LearnerActor: Any = ray.remote(concurrency_groups={_FILES: 1})(_Rank)  # pyright: ignore[reportCallIssue]


class LearnerGroup:
    """All rank actors of the learner, called through ordinary methods instead of Ray's."""

    def __init__(
        self,
        model: ModelSettings,
        data: DataSettings,
        settings: LearnerSettings,
        place: PlacementSlice,
        features: FeatureReader | None = None,
        *,
        seed: int,
        num_steps: int,
        start: StartSettings | None = None,
    ):
        """seed: seed of the adapter's initial weights. num_steps: number of steps of the run, for the learning rate's
        schedule. start: weights to begin with, for which `check_start` has passed;
        None for those of the model."""
        num_ranks = place.request.num_actors
        self._pool = ActorPool(
            LearnerActor,
            place,
            (model, data, settings, features),
            each=[{"rank": rank, "seed": seed, "num_steps": num_steps, "start": start} for rank in range(num_ranks)],
            environment=_environment(settings),
        )
        self._sends_tensors = False
        self._writing = threading.Lock()

    def wait_until_ready(self) -> int:
        """Blocks until the ranks are connected to each other, and returns the number of trained parameters."""
        address, port = self.meeting_point()
        calls = [rank.join.remote(address, port) for rank in self._pool.actors]
        return self._pool.wait(calls, "join", START_TIMEOUT_S)[0]

    def learn(self, batch: Batch, loss: LossSettings, temperature: float) -> Update:
        """Takes one GRPO step and returns its metrics. No step is taken, and the metric "skipped" is 1, for an empty
        batch and for a loss or gradient that is not finite; in the second case "nonfinite" is 1 too."""
        if not batch.groups:
            return Update(step=batch.step, metrics={"skipped": 1.0, NONFINITE: 0.0})
        reference = ray.put(batch)
        calls = [rank.learn.remote(reference, loss, temperature) for rank in self._pool.actors]
        return self._explained(_update(batch.step, self._pool.wait(calls, "learn")))

    def imitate(self, step: int, demonstrations: Sequence[Demonstration]) -> Update:
        """Takes one supervised step on the answers of these demonstrations, and returns its metrics. As in `learn`, a
        step whose loss or gradient is not finite is not taken."""
        reference = ray.put(demonstrations)
        (num_tokens,) = self._pool.wait([self._first.count_answer_tokens.remote(reference)], "count_answer_tokens")
        calls = [rank.imitate.remote(step, reference, num_tokens) for rank in self._pool.actors]
        return self._explained(_update(step, self._pool.wait(calls, "imitate")))

    def _explained(self, update: Update) -> Update:
        """Adds to an update that was not applied what was NaN or infinite in it, in the words of the ranks."""
        if not update.metrics[NONFINITE]:
            return update
        faults = self._pool.wait([rank.fault.remote() for rank in self._pool.actors], "fault")
        distinct = dict.fromkeys(fault for fault in faults if fault)
        of_gradient = (
            f"the norm of the gradient is {update.metrics['grad_norm']}, although the loss is finite "
            f"({update.metrics['loss']:.4g}): the backward pass overflows"
        )
        return dataclasses.replace(update, nonfinite="; ".join(distinct) or of_gradient)

    def weights(self, version: int) -> Weights:
        """Returns the current policy's weights, marked with a version number.

        The files of the weights are copied to the driver, so they remain after rank 0 has ended. Once `open_transfer`
        was called, the weights have no files, because `send` sends the tensors themselves.
        """
        if self._sends_tensors:
            weights = make_weights(version, {}, self.fingerprint())
            calls = [rank.columns.remote(version) for rank in self._pool.actors]
            return dataclasses.replace(weights, columns=self._pool.wait(calls, "columns")[0])
        return self._pool.wait([rank.weights.remote(version) for rank in self._pool.actors], "weights")[0]

    def fingerprint(self) -> Fingerprint:
        """Returns the current policy's log-probabilities of a fixed probe text."""
        return self._pool.wait([rank.fingerprint.remote() for rank in self._pool.actors], "fingerprint")[0]

    def manifest(self) -> tuple[TensorPlace, ...]:
        """Returns name, type and shape of the tensors that `send` sends, in the order of sending."""
        return self._pool.wait([self._first.manifest.remote()], "manifest")[0]

    def meeting_point(self) -> tuple[str, int]:
        """Returns an address and a free port on the machine of rank 0, for other processes to connect to."""
        return self._pool.wait([self._first.meeting_point.remote()], "meeting_point", START_TIMEOUT_S)[0]

    def open_transfer(self, address: str, port: int, num_ranks: int) -> Any:
        """Starts opening an NCCL group of `num_ranks` members on rank 0, through which whole models are sent.

        Returns the Ray reference of the call at once. Wait for it together with the engines' calls that join the group.
        """
        self._sends_tensors = True
        return self._first.open_transfer.remote(address, port, num_ranks)

    def send(self) -> list[Any]:
        """Starts sending the trained parameters from all ranks.

        Returns the Ray references of the calls at once. Wait for them together with the engines' calls that receive.
        """
        return [rank.send.remote() for rank in self._pool.actors]

    def save(self, folder: Path) -> None:
        """Writes the current policy as a complete Hugging Face folder; an adapter is merged into the base model."""
        self._pool.wait([rank.save.remote(folder) for rank in self._pool.actors], "save")

    def snapshot(self) -> None:
        """Copies each rank's training state to host memory. Call it between steps.

        Raises: RuntimeError while `write_snapshot` still writes the copy before, which would be overwritten.
        """
        if self._writing.locked():
            raise RuntimeError("the snapshot before is still being written: wait for write_snapshot")
        self._pool.wait([rank.snapshot.remote() for rank in self._pool.actors], "snapshot")

    def write_snapshot(self, place: str) -> dict[str, StoredFile]:
        """Writes the copied training state into files below `place`, a folder or URL, one for each rank.

        May be called in another thread: the ranks write while they run the next `learn`.

        Returns: size and digest of each file, by its name.
        """
        with self._writing:
            calls = [rank.write_snapshot.options(concurrency_group=_FILES).remote(place) for rank in self._pool.actors]
            return dict(self._pool.wait(calls, "write_snapshot"))

    def restore(self, checkpoint: ReadableFiles) -> None:
        """Continues from the training state of a checkpoint, which may be of another number of ranks or ZeRO stage.

        Raises: UserError when the state is damaged or does not fit this learner; the learner is unchanged then.
        """
        self._read_state(checkpoint)
        self._pool.wait([rank.apply_state.remote() for rank in self._pool.actors], "apply_state")

    def take_moments(self, checkpoint: ReadableFiles) -> None:
        """Takes over AdamW's moments of a checkpoint, and nothing else of it. Raises: see `restore`."""
        self._read_state(checkpoint)
        self._pool.wait([rank.apply_moments.remote() for rank in self._pool.actors], "apply_moments")

    def _read_state(self, checkpoint: ReadableFiles) -> None:
        try:
            self._pool.wait([rank.read_state.remote(checkpoint) for rank in self._pool.actors], "read_state")
        except RayTaskError as error:
            # Ray's own error has a traceback for a message; a damaged file needs none
            raise error.cause if isinstance(error.cause, UserError) else error from None

    @property
    def _first(self) -> Any:
        return self._pool.actors[0]


def _environment(settings: LearnerSettings) -> dict[str, str]:
    threads = {"OMP_NUM_THREADS": str(settings.num_threads), "DS_SKIP_CUDA_CHECK": "1", **storage_environment()}
    return threads if settings.num_gpus else {**threads, "DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": ""}


def _update(step: int, sums: Sequence[Sums]) -> Update:
    """Returns the metrics of a step from the sums of each rank: means over the tokens of all ranks.

    The losses of the ranks are added, because each is divided by the tokens of all ranks already. Gradient norm and
    learning rate are the same on all ranks. Durations are those of the slowest rank.
    """
    seconds = {name.removeprefix(SECONDS): max(s[name] for s in sums) for name in sums[0] if name.startswith(SECONDS)}
    tokens = sum(s.get("tokens", 0.0) for s in sums)
    metrics = {"loss": sum(s.get("loss", 0.0) for s in sums), "tokens": tokens}
    names = {name for s in sums for name in s if not name.startswith(SECONDS)}
    for name in sorted(names - {"tokens", "loss", "grad_norm", "learning_rate", NONFINITE}):
        metrics[name] = sum(s.get(name, 0.0) for s in sums) / max(tokens, 1.0)
    common = {name: sums[0][name] for name in ("grad_norm", "learning_rate")}
    flags = {"skipped": sums[0][NONFINITE], NONFINITE: sums[0][NONFINITE]}
    return Update(step=step, metrics={**metrics, **common, **flags}, seconds=seconds)
