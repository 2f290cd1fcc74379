"""Recorders of runs in tests, without a learner."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from vaserl.files.durable import write_durably
from vaserl.runs.beginning import begun
from vaserl.runs.checkpoint.manifest import StoredFile
from vaserl.runs.recorder import GrpoRecorder
from vaserl.runs.run import Run
from vaserl.settings import TrainSettings
from vaserl.types import UNVOUCHED


@contextmanager
def recording(
    run: Run,
    settings: TrainSettings,
    trackers: Sequence[str] = (),
    *,
    reward_sha256: Mapping[str, str] | None = None,
    fresh: bool = False,
) -> Iterator[GrpoRecorder]:
    """Claims a run's folder and returns its recorder, as a training job does before its first step."""
    with begun(
        run,
        settings,
        num_steps=settings.num_steps,
        data_sha256="0" * 64,
        reward_sha256=reward_sha256,
        fresh=fresh,
    ) as begin:
        run.write_initial_fingerprint(UNVOUCHED)
        with GrpoRecorder(run, settings, begin, trackers) as recorder:
            yield recorder


class StateLearner:
    """A fake learner whose training state is one number, the number of the steps that it took."""

    def __init__(self) -> None:
        self.num_steps = 0
        self._copy = b""

    def learn(self, batch, loss, temperature):
        raise AssertionError("the recorder does not learn")

    def weights(self, version):
        raise AssertionError("the recorder has the weights")

    def save(self, folder) -> None:
        (folder / "model.safetensors").write_bytes(b"whole")

    def snapshot(self) -> None:
        self._copy = str(self.num_steps).encode()

    def write_snapshot(self, place: str) -> Mapping[str, StoredFile]:
        write_durably(f"{place}/state", self._copy)
        return {"state": StoredFile.describing(self._copy)}
