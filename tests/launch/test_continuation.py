"""Tests with a fake learner where a training loop begins, and the checks of what is restored."""

from pathlib import Path

import pytest

from launch.continuation import continue_from, warn_of_little_space
from tests.fakes.recordings import StateLearner, recording
from tests.fakes.settings import train_settings
from vaserl.errors import UserError
from vaserl.policy.weights import make_weights
from vaserl.runs.beginning import begun
from vaserl.runs.run import Run
from vaserl.settings import StartSettings
from vaserl.types import Fingerprint

BASE = Fingerprint(token_ids=(1, 2, 3), logprobs=(-0.5, -1.5))
SETTINGS = train_settings(num_steps=5, loop="ahead")


class Ranks:
    """A fake learner that has the fingerprint of a base model, and after a restore the weights of a checkpoint."""

    def __init__(self, fingerprint: Fingerprint = BASE, content: bytes = b"2"):
        self._fingerprint, self._content, self.restored = fingerprint, content, None

    def fingerprint(self):
        return self._fingerprint

    def restore(self, checkpoint):
        self.restored = checkpoint.step

    def weights(self, version):
        return make_weights(version, {"adapter.bin": self._content})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Returns a run that was stopped after step 2."""
    run, learner = Run(tmp_path / "run"), StateLearner()
    with recording(run, SETTINGS) as recorder:
        for step in (1, 2):
            recorder.metrics(step, {"loss": step / 10})
            recorder.keep(step, make_weights(step + 1, {"adapter.bin": str(step).encode()}), learner, {})
        recorder.stop("a test")
    run.write_initial_fingerprint(BASE)
    return run


def continued(run: Run, ranks: Ranks):
    with begun(run, SETTINGS, num_steps=5, data_sha256="0" * 64) as begin:
        return continue_from(begin, ranks, run, 0.01, StartSettings())  # pyright: ignore[reportArgumentType]


def test_continue_from_restores_the_last_step_with_its_earlier_weights_and_metrics(run: Run):
    ranks = Ranks()
    start = continued(run, ranks)
    assert (ranks.restored, start.step) == (2, 3)
    assert [(weights.version, weights.files) for weights in start.earlier] == [(2, {"adapter.bin": b"1"})]
    assert [dict(row) for row in start.metrics] == [{"step": 1, "loss": 0.1}, {"step": 2, "loss": 0.2}]


def test_continue_from_refuses_another_base_model_before_it_restores_anything(run: Run):
    ranks = Ranks(Fingerprint(token_ids=BASE.token_ids, logprobs=(-0.5, -1.6)))
    with pytest.raises(UserError, match=r"model\.path is not the one .* differ by 5\.00e-02 .* limit is 1\.00e-02"):
        continued(run, ranks)
    assert ranks.restored is None


def test_continue_from_refuses_another_tokenizer(run: Run):
    with pytest.raises(UserError, match=r"model\.path is not the one"):
        continued(run, Ranks(Fingerprint(token_ids=(1, 2, 4), logprobs=BASE.logprobs)))


def test_continue_from_proves_that_the_restored_weights_are_those_that_were_published(run: Run):
    with pytest.raises(RuntimeError, match="restored from the checkpoint of step 2 differ from those"):
        continued(run, Ranks(content=b"other"))


def test_continue_from_stores_the_fingerprint_of_a_new_run(tmp_path: Path):
    run = Run(tmp_path / "new")
    assert continued(run, Ranks()).step == 1
    assert run.initial_fingerprint == BASE


def test_warn_of_little_space_names_the_place(tmp_path: Path, capsys):
    run = Run(tmp_path / "new")
    with begun(run, SETTINGS, num_steps=5, data_sha256="") as begin:
        warn_of_little_space(begin, 10)
        assert capsys.readouterr().err == ""
        warn_of_little_space(begin, 10**15)
    assert f"warning: {run.checkpoints_folder}" in capsys.readouterr().err
