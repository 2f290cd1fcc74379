"""Tests that jobs which were killed or told to end continue as if nothing had happened: real Ray, vLLM and DeepSpeed.

Each job runs in a process that is forked from a server with the imports done, and in the cluster of the tests, because
importing and starting Ray would take most of the time. `test_killed_loops` kills GRPO jobs with fake parts, within
seconds; here they are slow. `launch bench resume` kills whole jobs, their own Ray included.
"""

import multiprocessing
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
import torch

from launch.__main__ import main
from launch.bench.job_process import contents, differences, recorded_steps, spans, starts, unfinished_checkpoints
from launch.bench.resume import merged_settings
from launch.bench.subject import make_dataset
from vaserl.policy.adapter import adapter_files, add_lora
from vaserl.policy.policy import load_model
from vaserl.policy.weights import make_weights, write_weights
from vaserl.settings import SftSettings, TrainSettings
from vaserl.settings.section import dump_config
from vaserl.types import UNVOUCHED

NUM_STEPS = {"sft": 24, "on_policy": 6, "ahead": 6}
KILLED_AT = 2
"""Number of recorded steps at which the job gets SIGKILL. The resumed one gets SIGTERM after its first new step."""
_PROCESSES = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a data set of ten vases, two of them in the split "val"."""
    return make_dataset(tmp_path_factory.mktemp("data") / "vases", 10, num_frames=4, size=56, num_val=2)


@pytest.fixture(scope="module")
def address(cluster) -> Iterator[str]:
    """Returns the address of the tests' cluster."""
    _PROCESSES.set_forkserver_preload(["launch.train", "launch.sft"])
    yield ray.get_runtime_context().gcs_address


class ForkedJob:
    """A `python -m launch JOB CONFIG` in a forked process, whose output goes to a file beside the config."""

    def __init__(self, command: str, config: Path, address: str):
        self.process = _PROCESSES.Process(target=run_forked, args=([command, str(config)], address))
        self.process.start()

    def wait_for_steps(self, run_dir: Path, num_steps: int) -> None:
        """Waits until a number of steps is recorded."""
        until = time.monotonic() + 300
        while len(recorded_steps(run_dir)) < num_steps and self.process.is_alive() and time.monotonic() < until:
            time.sleep(0.002)

    def signal(self, number: int) -> float:
        """Sends a signal and waits for the end of the process. Returns: the seconds that it took."""
        start = time.monotonic()
        assert self.process.is_alive(), "the job ended before it could be interrupted"
        os.kill(self.process.pid or 0, number)
        self.process.join(60)
        return time.monotonic() - start

    @property
    def exit_code(self) -> int | None:
        """Waits for the end of the process and returns its exit code; -9 after SIGKILL."""
        self.process.join(300)
        return self.process.exitcode


def run_forked(arguments: list[str], address: str) -> None:
    """Runs a job in this process, in the cluster at an address."""
    log = os.open(Path(arguments[1]).with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["RAY_ADDRESS"] = address
    sys.exit(main(arguments))


def settings_of(kind: str, model: Path, data: Path, changes: dict[str, Any]) -> SftSettings | TrainSettings:
    """Returns the settings of a small job."""
    common: dict[str, Any] = {
        "run_dir": "run",
        "trackers": [],
        "checkpoint": {"keep_last": 99},
        "model": {"path": model, "dtype": "float32"},
        "data": {"path": data, "num_frames": 4},
        "learner": {"num_cpus": 0.5, "learning_rate": 0.02, "lora": {"rank": 8, "alpha": 16}},
        "features": {"num_workers": 0},
    }
    if kind == "sft":
        own = {"num_epochs": 12, "vases_per_step": 4, "learner": {"schedule": "cosine"}}
        return SftSettings.model_validate(merged_settings(merged_settings(common, own), changes))
    own = {
        "num_steps": NUM_STEPS[kind],
        "loop": kind,
        "tasks_per_step": 2,
        "rollout": {
            "group_size": 4,
            "max_new_tokens": 8,
            "num_cpus": 0.5,
            "engine_args": {"max_model_len": 256, "max_num_seqs": 8},
        },
        "reward": {"functions": ["launch.bench.arbitrary:arbitrary"], "num_cpus": 0.1},
        "validation": {"every": 2},
    }
    return TrainSettings.model_validate(merged_settings(merged_settings(common, own), changes))


def write_config(folder: Path, name: str, settings: SftSettings | TrainSettings) -> tuple[Path, Path]:
    """Writes a job's config. Returns: the run folder and the path of the config."""
    run_dir = folder / name
    config = folder / f"{name}.toml"
    config.write_text(dump_config(settings.model_copy(update={"run_dir": run_dir})))
    return run_dir, config


def interrupt_and_compare(
    kind: str, changes: dict[str, Any], folder: Path, model: Path, data: Path, address: str
) -> Path:
    """Runs a job in one folder: start, SIGKILL, the same command, SIGTERM, the same command, end, the same command. It
    must write the files of an uninterrupted job. Returns: the run folder."""
    command, num_steps = "sft" if kind == "sft" else "train", NUM_STEPS[kind]
    settings = settings_of(kind, model, data, changes)
    run_dir, config = write_config(folder, "killed", settings)
    whole, undisturbed = write_config(folder, "whole", settings)
    # one job at a time: forked processes draw the same random numbers, with which Ray names objects while it starts
    assert ForkedJob(command, undisturbed, address).exit_code == 0, undisturbed.with_suffix(".log").read_text()
    killed = ForkedJob(command, config, address)
    killed.wait_for_steps(run_dir, KILLED_AT)
    killed.signal(signal.SIGKILL)
    assert killed.exit_code == -signal.SIGKILL, config.with_suffix(".log").read_text()
    before = len(recorded_steps(run_dir))

    again = ForkedJob(command, config, address)
    again.wait_for_steps(run_dir, before + 1)
    seconds = again.signal(signal.SIGTERM)
    log = config.with_suffix(".log").read_text()
    assert again.exit_code == 128 + signal.SIGTERM, log
    assert "Traceback" not in log
    stopped = re.search(
        r"killed: stopped by SIGTERM after step (\d+); the same command continues after step (\d+)", log
    )
    assert stopped, log
    recorded, kept = (int(number) for number in stopped.groups())
    assert recorded == len(recorded_steps(run_dir))
    assert recorded - kept <= 1  # the step was recorded, and its weights were not published yet
    assert seconds < 10  # 3 on an idle machine, after which `ray job stop` kills the driver

    assert ForkedJob(command, config, address).exit_code == 0, config.with_suffix(".log").read_text()
    assert differences(contents(run_dir), contents(whole)) == []
    assert recorded_steps(run_dir) == list(range(1, num_steps + 1))
    assert spans(run_dir) == spans(whole)
    first, second, third = starts(run_dir)
    assert first["after_step"] == 0
    assert before - second["after_step"] <= 1
    assert third["after_step"] == kept
    assert unfinished_checkpoints(run_dir) == []
    assert ForkedJob(command, config, address).exit_code == 0
    assert f"this run is finished: all {num_steps} steps are done" in config.with_suffix(".log").read_text()
    return run_dir


@pytest.mark.parametrize(
    "kind", ["sft", pytest.param("on_policy", marks=pytest.mark.slow), pytest.param("ahead", marks=pytest.mark.slow)]
)
def test_job_killed_and_told_to_end_gives_the_files_of_an_uninterrupted_one(
    kind: str, tmp_path: Path, tiny_model: Path, data: Path, address: str
):
    run_dir = interrupt_and_compare(kind, {}, tmp_path, tiny_model, data, address)
    if kind == "ahead":  # step 2 is sampled with version 1, so the checkpoint before it needs that too
        versions = (run_dir / "checkpoints" / "step=00001").glob("weights-*")
        assert sorted(folder.name for folder in versions) == ["weights-v00001", "weights-v00002"]


FULL = {"learner": {"method": "full", "learning_rate": 1e-3}, "checkpoint": {"every": 1}}
TIES = {"reward": {"functions": ["tests.fakes.rewards_for_tests:first_is_even"]}, "max_refills": 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        pytest.param("ahead", {"max_staleness": 2}, id="ahead-two-versions"),
        pytest.param("ahead", {"rollout": {"publish": "adapter"}}, id="ahead-adapter"),
        pytest.param("on_policy", {"rollout": {"publish": "adapter"}}, id="adapter"),
        pytest.param("on_policy", FULL, id="full"),
        pytest.param("ahead", FULL, id="ahead-full"),
        pytest.param("on_policy", TIES, id="refills"),
        pytest.param("ahead", TIES, id="ahead-refills"),
        pytest.param("on_policy", {"loss": {"beta": 0.1}, "start": {"reference": "start"}}, id="reference"),
    ],
)
def test_job_of_another_kind_killed_and_told_to_end_gives_the_files_of_an_uninterrupted_one(
    kind: str, changes: dict[str, Any], tmp_path: Path, tiny_model: Path, data: Path, address: str
):
    if "start" in changes:
        changes = merged_settings(changes, {"start": {"weights": adapter_of(tiny_model, tmp_path / "adapter")}})
    interrupt_and_compare(kind, changes, tmp_path, tiny_model, data, address)


def adapter_of(model: Path, folder: Path) -> Path:
    """Writes an adapter that changes the model, as another run publishes it. Returns: its folder."""
    peft = add_lora(load_model(model), rank=8, alpha=16)
    for index, (name, parameter) in enumerate(peft.named_parameters()):
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02, generator=torch.Generator().manual_seed(index))
    folder.mkdir()
    write_weights(make_weights(2, adapter_files(peft), UNVOUCHED), folder)
    return folder
