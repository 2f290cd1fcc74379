"""Tests `launch/submit.sh` on a real Ray cluster of two nodes on this machine, with dashboard and token.

The second node has its own temporary folder, as on another machine, and, where the tests may do so (as root on Linux),
its own mounts: it sees an empty folder where the first node has files.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import read_json
from tests.launch.two_nodes import JOB_TIMEOUT_S, ROOT, TwoNodes, can_mount, running, wait_for
from vaserl.files import read_json_lines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NUM_STEPS = 24
SCREEN = 24

CONFIG = """
run_dir = "runs/tiny"
num_steps = {num_steps}
tasks_per_step = 2
[model]
path = "{model}"
dtype = "float32"
[data]
path = "{data}"
num_frames = 4
[rollout]
group_size = 4
max_new_tokens = 10
num_cpus = 0.5
engine_args = {{ max_model_len = 512, max_num_seqs = 16 }}
[reward]
functions = ["mine.py:even_tokens"]
num_cpus = 0.5
[learner]
num_cpus = 1
learning_rate = 0.02
lora = {{ rank = 8, alpha = 16 }}
[features]
num_workers = 0
[cluster]
num_cpus = 3
"""

REWARDS = """
import os
import time


def even_tokens(task, completion):
    deadline = time.monotonic() + 200
    while os.path.exists(os.environ["VASERL_STORAGE"] + "/hold") and time.monotonic() < deadline:
        time.sleep(0.05)
    return sum(token % 2 == 0 for token in completion.token_ids) / max(1, len(completion.token_ids))
"""


@pytest.fixture(scope="module")
def nodes(tiny_model: Path, dataset: Path) -> Iterator[TwoNodes]:
    """Returns a cluster with one CPU on the first node and two on the second: every job needs both."""
    # a short path: the sockets of Ray lie below it
    folder = Path(tempfile.mkdtemp(prefix="vr-", dir="/tmp"))
    two = TwoNodes(folder)
    for each in (two.storage, two.work, two.first_only / "modules"):
        each.mkdir(parents=True)
    two.token.write_text("5e" * 32)
    two.token.chmod(0o600)
    for layer in ("vaserl", "actors", "launch"):
        shutil.copytree(ROOT / layer, two.work / layer, ignore=shutil.ignore_patterns("__pycache__"))
    (two.work / "train.toml").write_text(CONFIG.format(num_steps=NUM_STEPS, model=tiny_model, data=dataset))
    (two.work / "mine.py").write_text(REWARDS)
    shutil.copytree(tiny_model, two.first_only / "model")
    (two.first_only / "modules/first_only.py").write_text("def reward(task, completion): return 0.0\n")
    second = two.start_command(1)
    if can_mount():
        second = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none {two.first_only} && exec "$@"', "sh", *second]
    try:
        with (
            running(two.start_command(0), two.node_environment(), folder / "first.log"),
            running(second, two.node_environment(), folder / "second.log"),
        ):
            yield two
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def own_mounts() -> None:
    """Skips a test where the second node can't have its own mounts. The test of that runs only when one is selected."""
    if not can_mount():
        pytest.skip("needs the right to mount")


def one_screen(done: subprocess.CompletedProcess[str]) -> str:
    """Returns what a refused submission printed, after checking that it is one screen without a traceback."""
    assert done.returncode == 2, done.stdout
    assert len(done.stdout.splitlines()) <= SCREEN and "Traceback" not in done.stdout, done.stdout
    return done.stdout


def test_submit_with_another_token_says_where_the_token_belongs(nodes: TwoNodes, tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("77" * 32)
    message = one_screen(nodes.submit("train", "train.toml", RAY_AUTH_TOKEN_PATH=str(token)))
    assert "refuses this machine" in message and "RAY_AUTH_TOKEN_PATH" in message and "77" * 32 not in message


def test_submit_of_a_request_that_is_too_large_names_the_nodes(nodes: TwoNodes):
    message = one_screen(nodes.submit("train", "train.toml", "--run_dir", "runs/large", "--rollout.num_workers", "9"))
    assert "can't be placed on this cluster" in message
    assert ": 1 CPU and 0 GPU" in message and ": 2 CPU and 0 GPU" in message


@pytest.mark.usefixtures("own_mounts")
def test_submit_with_a_model_that_one_node_lacks_names_key_path_and_node(nodes: TwoNodes):
    path = nodes.first_only / "model"
    done = nodes.submit("--retries", "2", "train", "train.toml", "--run_dir", "runs/path", "--model.path", str(path))
    message = one_screen(done)
    assert message.count(f"model.path: {path} is not on node") == 1  # a user's mistake is not retried
    assert "job path.1 failed, exit code 2" in message


@pytest.mark.usefixtures("own_mounts")
def test_submit_with_a_storage_root_that_one_node_lacks_is_refused(nodes: TwoNodes):
    words = ("train", "train.toml", "--run_dir", "runs/root")
    message = one_screen(nodes.submit(*words, VASERL_STORAGE=str(nodes.first_only)))
    assert f"run_dir: {nodes.first_only} is not on node" in message
    assert not list(nodes.first_only.glob(".vaserl-node-check-*"))


@pytest.mark.usefixtures("own_mounts")
def test_submit_with_a_reward_that_one_node_lacks_names_function_and_node(nodes: TwoNodes):
    functions = '["first_only:reward"]'
    message = one_screen(nodes.submit("train", "train.toml", "--run_dir", "runs/r", "--reward.functions", functions))
    assert message.count("reward 'first_only:reward' can't be imported: there is no module first_only") == 1


def test_submitted_run_that_is_stopped_killed_and_retried_equals_a_local_run(nodes: TwoNodes, tmp_path: Path):
    run, hold, log = nodes.storage / "runs/tiny", nodes.storage / "hold", tmp_path / "log"

    def num_steps() -> int:
        return len(read_json_lines(run / "metrics.jsonl")) if (run / "metrics.jsonl").exists() else 0

    with open(log, "wb") as output:
        first = subprocess.Popen(
            nodes.command("train", "train.toml"), cwd=nodes.work, env=nodes.environment, stdout=output, stderr=output
        )
    wait_for(lambda: num_steps() >= 2 or first.poll() is not None, JOB_TIMEOUT_S, log)
    hold.touch()  # the run now waits in a step, however fast the machine is
    second = nodes.submit("train", "train.toml")
    assert second.returncode == 2 and "job tiny.1 is running" in second.stdout
    stopped = nodes.submit("stop", "tiny")
    assert stopped.returncode == 0 and "tiny: stopped by SIGTERM after step" in stopped.stdout, stopped.stdout
    assert first.wait(JOB_TIMEOUT_S) == 143
    assert "stage=grpo done=1/" in log.read_text()  # the output was followed
    assert 2 <= num_steps() < NUM_STEPS

    with open(log, "wb") as output:
        command = nodes.command("--retries", "1", "train", "train.toml")
        third = subprocess.Popen(command, cwd=nodes.work, env=nodes.environment, stdout=output, stderr=output)
    wait_for(lambda: read_json(run / "status.json")["epoch"] == 2 or third.poll() is not None, JOB_TIMEOUT_S, log)
    assert third.poll() is None, log.read_text()
    psutil.Process(int(read_json(run / "status.json")["pid"])).kill()
    hold.unlink()
    assert third.wait(JOB_TIMEOUT_S) == 0, log.read_text()
    text = log.read_text()
    assert "job tiny.2 failed with exit code 137; again" in text and "job tiny.3 succeeded, exit code 0" in text
    assert [start["epoch"] for start in read_json_lines(run / "starts.jsonl")] == [1, 2, 3]
    assert not (nodes.work / "runs").exists()

    command = [sys.executable, "-m", "launch", "train", "train.toml", "--run_dir", str(tmp_path / "local")]
    local = subprocess.run(command, cwd=nodes.work, env=nodes.environment, capture_output=True, timeout=JOB_TIMEOUT_S)
    assert local.returncode == 0, local.stderr
    assert (tmp_path / "local/metrics.jsonl").read_bytes() == (run / "metrics.jsonl").read_bytes()
    names = [path.name for path in sorted((tmp_path / "local/weights").glob("*/*.safetensors"))]
    assert names and all(
        path.read_bytes() == (run / path.relative_to(tmp_path / "local")).read_bytes()
        for path in (tmp_path / "local/weights").glob("*/*.safetensors")
    )
