"""Tests the trackers with a fake wandb module and real TensorBoard files."""

import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.fakes.settings import train_settings
from vaserl.errors import UserError
from vaserl.runs.run import Run
from vaserl.runs.trackers import check_trackers, start_tracker

VARIABLES = ("WANDB_PROJECT", "WANDB_NAME", "WANDB_RUN_ID", "WANDB_RUN_GROUP", "WANDB_ENTITY", "WANDB_MODE")


class FakeWandb(ModuleType):
    """wandb's `init`, `finish` and `login`, with a list of the arguments of `init`, and of what was logged to a run."""

    class Error(Exception):
        pass

    def __init__(self, has_key: bool = True):
        super().__init__("wandb")
        self.started, self.logged, self.has_key, self.num_finished = [], [], has_key, 0
        self.run = None

    def init(self, **arguments):
        if self.run is not None:
            return self.run
        self.started.append(arguments)
        new_id = arguments.get("id", f"id{len(self.started)}")
        self.run = SimpleNamespace(id=new_id, log=lambda values, step: self.logged.append((new_id, step, values)))
        return self.run

    def finish(self):
        self.run, self.num_finished = None, self.num_finished + 1

    def login(self):
        if not self.has_key:
            raise self.Error("No API key configured. Use `wandb login` to log in.")
        return True


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> FakeWandb:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def made_run(tmp_path: Path, name: str = "pelikes") -> Run:
    (tmp_path / name).mkdir(exist_ok=True)
    return Run(tmp_path / name)


def test_start_tracker_names_wandbs_run_after_the_folder(wandb: FakeWandb, tmp_path: Path):
    log = start_tracker("wandb", made_run(tmp_path), train_settings())
    (given,) = wandb.started
    assert (given["project"], given["name"], given["resume"]) == ("vaserl", "pelikes", "allow")
    assert given["dir"] == str(tmp_path / "pelikes")
    assert given["config"]["num_steps"] == 1
    log(3, {"loss": 0.5})
    assert wandb.logged == [("id1", 3, {"loss": 0.5})]


def test_start_tracker_leaves_wandbs_environment_in_force(
    wandb: FakeWandb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Arguments of `wandb.init` override the environment, so none may be passed beside its variable."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "mine")
    start_tracker("wandb", made_run(tmp_path), train_settings())
    assert wandb.started[0].keys() == {"resume", "dir", "config", "allow_val_change"}


def test_start_tracker_continues_the_wandb_run_of_the_folder(wandb: FakeWandb, tmp_path: Path):
    start_tracker("wandb", made_run(tmp_path), train_settings())
    wandb.run = None  # another process
    start_tracker("wandb", made_run(tmp_path), train_settings(), after_step=4)
    assert [given.get("id") for given in wandb.started] == [None, "id1"]


def test_start_tracker_does_not_continue_the_wandb_run_of_an_earlier_job(wandb: FakeWandb, tmp_path: Path):
    """`wandb.init` returns the run that is active in the process: a job that runs another one would mix the two."""
    start_tracker("wandb", made_run(tmp_path, "sft"), train_settings())
    log = start_tracker("wandb", made_run(tmp_path, "grpo"), train_settings())
    log(1, {"loss": 0.5})
    assert [given["name"] for given in wandb.started] == ["sft", "grpo"]
    assert wandb.logged == [("id2", 1, {"loss": 0.5})]


def test_check_trackers_names_a_missing_wandb(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "wandb", None)  # makes the import fail
    with pytest.raises(UserError, match=r"trackers has wandb, which is not installed: pip install 'vaserl\[wandb\]'"):
        check_trackers(("tensorboard", "wandb"))


def test_check_trackers_does_not_take_a_folder_for_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """wandb writes into a folder `wandb`, which Python imports as an empty package where wandb is not installed."""
    monkeypatch.setitem(sys.modules, "wandb", ModuleType("wandb"))
    with pytest.raises(UserError, match="wandb, which is not installed"):
        check_trackers(("wandb",))


def test_check_trackers_reports_a_missing_api_key_unless_offline(wandb: FakeWandb, monkeypatch: pytest.MonkeyPatch):
    wandb.has_key = False
    with pytest.raises(UserError, match=r"can't log in: No API key configured.*WANDB_MODE=offline"):
        check_trackers(("wandb",))
    monkeypatch.setenv("WANDB_MODE", "offline")
    check_trackers(("wandb",))


def test_check_trackers_needs_no_wandb_for_tensorboard(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    check_trackers(("tensorboard",))
    check_trackers(())


def test_start_tracker_hides_the_steps_after_the_resume_in_tensorboard(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = start_tracker("tensorboard", made_run(tmp_path), train_settings())
    for step in (1, 2, 3):
        log(step, {"loss": float(step)})
    # killed in step 4, resumed after step 1; TensorBoard orders the files of two jobs by the second of their start
    time.sleep(1.1)
    log = start_tracker("tensorboard", made_run(tmp_path), train_settings(), after_step=1)
    log(2, {"loss": 20.0})
    events = EventAccumulator(str(tmp_path / "pelikes" / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 1.0), (2, 20.0)]
