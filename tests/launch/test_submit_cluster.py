"""Tests `launch/submit.sh` on a real Ray cluster of two nodes on this machine, with dashboard and token.

The second node has its own temporary folder, as on another machine, and, where the tests may do so (as root on Linux),
its own mounts: it sees an empty folder where the first node has files.
"""

import functools
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import read_json
from vaserl.files import read_json_lines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
NUM_STEPS = 24
START_TIMEOUT_S = 120
JOB_TIMEOUT_S = 240
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


class TwoNodes:
    """A running cluster with the folders of its tests."""

    def __init__(self, folder: Path):
        self.storage, self.work, self.token = folder / "storage", folder / "work", folder / "token"
        self.first_only = folder / "first"
        """Folder that is empty on the second node."""
        ports = free_ports(2 * 4 + 3)
        self._gcs, self.dashboard, self._client = ports[:3]
        self._ports = ports[3:7], ports[7:]
        self._folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "VASERL_"))},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RAY_AUTH_TOKEN_PATH": str(self.token),
            "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{self.dashboard}",
            "VASERL_STORAGE": str(self.storage),
        }

    def start_command(self, index: int) -> list[str]:
        """Returns the command that starts a node and blocks."""
        agent, agent_grpc, metrics, runtime_env = map(str, self._ports[index])
        return [
            *(str(Path(sys.executable).with_name("ray")), "start", "--block", "--disable-usage-stats"),
            *("--num-cpus", str(index + 1), "--object-store-memory", "100000000"),
            *("--temp-dir", str(self._folder / f"ray{index}"), "--min-worker-port", "0", "--max-worker-port", "0"),
            *("--dashboard-agent-listen-port", agent, "--dashboard-agent-grpc-port", agent_grpc),
            *("--metrics-export-port", metrics, "--runtime-env-agent-port", runtime_env),
            *(
                ("--address", f"127.0.0.1:{self._gcs}")
                if index
                else (
                    *("--head", "--port", str(self._gcs), "--ray-client-server-port", str(self._client)),
                    *("--dashboard-host", "127.0.0.1", "--dashboard-port", str(self.dashboard)),
                )
            ),
        ]

    def node_environment(self) -> dict[str, str]:
        """Returns the environment of `ray start`: authentication is explicit, and one module is on the path."""
        return {
            **{name: value for name, value in self.environment.items() if name != "VASERL_STORAGE"},
            "RAY_AUTH_MODE": "token",
            "RAY_worker_niceness": "0",
            "PYTHONPATH": str(self.first_only / "modules"),
        }

    def command(self, *words: str) -> list[str]:
        """Returns a command line of the script."""
        return [str(ROOT / "launch/submit.sh"), *words]

    def submit(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs the script to its end."""
        return subprocess.run(
            self.command(*words),
            cwd=self.work,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=JOB_TIMEOUT_S,
        )


def free_ports(count: int) -> list[int]:
    """Returns ports below those that the kernel hands out, so that no other program is given one before Ray binds
    it."""
    found: list[int] = []
    for port in random.sample(range(15_000, 32_000), 1_000):
        with socket.socket() as each, suppress(OSError):
            each.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError(f"of 1000 ports only {len(found)} are free")


@contextmanager
def running(command: list[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    """Starts a node, waits until it is up, and stops its processes, each by its id."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        wait_for(lambda: b"--block" in log.read_bytes() or process.poll() is not None, START_TIMEOUT_S, log)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        _, alive = psutil.wait_procs(family, timeout=20)
        for each in alive:
            each.kill()
        process.kill()
        process.wait(timeout=20)


def wait_for(condition, timeout_s: float, where: Path) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s\n{where.read_text() if where.is_file() else where}"
        time.sleep(0.1)


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


@functools.cache
def can_mount() -> bool:
    command = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"]
    return (
        shutil.which("unshare") is not None and not subprocess.run(command, capture_output=True, timeout=20).returncode
    )


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
