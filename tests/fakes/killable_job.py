"""A training job in one process: the real run folder, recorder, checkpoints and loops, with fakes of the learner, the
engines and the rewards. It starts in a moment, so tests can kill it many times."""

import os
import random
import sys
import time
from pathlib import Path

from launch.continuation import continue_from, remember_versions, stopping
from launch.interruption import Interruption, interruptible
from tests.fakes.causal_parts import Engines, Learner, Rewards, StepTasks
from tests.fakes.settings import train_settings
from vaserl.files.durable import write_durably
from vaserl.grpo.loop import train
from vaserl.grpo.loop_ahead import train_ahead
from vaserl.policy.weights import make_weights
from vaserl.runs.beginning import begun
from vaserl.runs.checkpoint.manifest import StoredFile
from vaserl.runs.recorder import GrpoRecorder
from vaserl.runs.run import Run
from vaserl.settings import StartSettings, TrainSettings
from vaserl.types import Fingerprint

NUM_STEPS = 6


class SavedLearner(Learner):
    """A fake learner whose state, a digest of all batches learned, is written in two files like that of two ranks."""

    def learn(self, batch, loss, temperature):
        time.sleep(random.uniform(0, 0.01))
        return super().learn(batch, loss, temperature)

    def weights(self, version):
        return make_weights(version, {"policy": self.policy.encode()}, self.fingerprint())

    def fingerprint(self):
        return Fingerprint(token_ids=(1, 2), logprobs=(-0.5,))

    def snapshot(self):
        self._copy = self.policy.encode()

    def write_snapshot(self, place):
        files = {}
        for rank in (0, 1):
            files[f"state-{rank}"] = StoredFile.describing(self._copy)
            write_durably(f"{place}/state-{rank}", self._copy)
            time.sleep(random.uniform(0, 0.01))
        return files

    def restore(self, checkpoint):
        assert checkpoint.read("state-0") == checkpoint.read("state-1")
        self.policy = checkpoint.read("state-0").decode()

    def save(self, folder):
        raise AssertionError("the weights have files")


def settings_of(run_dir: Path, max_staleness: int | None) -> TrainSettings:
    """Returns the settings of an on-policy run if `max_staleness` is None, otherwise of an overlapped one."""
    loop = {} if max_staleness is None else {"loop": "ahead", "max_staleness": max_staleness}
    return train_settings(
        run_dir=run_dir,
        num_steps=NUM_STEPS,
        tasks_per_step=2,
        max_refills=1,
        trackers=[],
        checkpoint={"keep_last": 99},
        **loop,
    )


def run_job(run_dir: Path, max_staleness: int | None) -> None:
    """Runs the job as `launch.train` does, and exits as `launch.main` does. The process must have no other use."""
    os.fsync = lambda descriptor: None  # the tests kill processes and no machines, and a sync takes milliseconds
    settings, run = settings_of(run_dir, max_staleness), Run(run_dir)
    try:
        with begun(run, settings, num_steps=NUM_STEPS, data_sha256="0" * 64) as begin, interruptible():
            if begin.is_finished:
                return
            learner = SavedLearner()
            start = continue_from(begin, learner, run, 0.1, StartSettings())
            with GrpoRecorder(run, settings, begin) as recorder, stopping(recorder):
                remember_versions(recorder, settings, learner, start)
                loop = train if max_staleness is None else train_ahead
                grpo = StepTasks(settings=settings, tasks=())
                weights = loop(grpo, Engines(), Rewards(), learner, recorder, start)
                recorder.complete(weights, learner)
    except Interruption as interruption:
        sys.exit(interruption.exit_code)
