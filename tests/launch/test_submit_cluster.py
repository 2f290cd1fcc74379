"""Tests `launch/submit.sh` on a real Ray cluster of two nodes on this machine, with dashboard and token.

The second node has its own temporary folder, as on another machine, and, where the tests may do so (as root on Linux),
its own mounts: it sees an empty folder where the first node has files.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import psutil
import pytest

from tests.conftest import read_json
from tests.fakes.object_store import object_store
from tests.launch.two_nodes import JOB_TIMEOUT_S, ROOT, TwoNodes, can_mount, running, wait_for
from vaserl.dataset import DataSet
from vaserl.files import read_json_lines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NUM_STEPS = 24
SCREEN = 24
JUDGE_HOST = "judge.vases"
"""Host name that leads to this machine on the first node, and to an address without a service on the second."""

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

WHEEL_REWARD = """
from vaserl.types import Score


def even_tokens(task, completion):
    share = sum(token % 2 == 0 for token in completion.token_ids) / max(1, len(completion.token_ids))
    return Score(total=share, parts={"even": share})
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
    for layer in ("vaserl", "actors", "launch", "configs/rewards"):
        shutil.copytree(ROOT / layer, two.work / layer, ignore=shutil.ignore_patterns("__pycache__"))
    (two.work / "train.toml").write_text(CONFIG.format(num_steps=NUM_STEPS, model=tiny_model, data=dataset))
    (two.work / "mine.py").write_text(REWARDS)
    shutil.copytree(tiny_model, two.first_only / "model")
    (two.first_only / "modules/first_only.py").write_text("def reward(task, completion): return 0.0\n")
    (two.work / "needs_first.py").write_text("import first_only\n\nreward = first_only.reward\n")
    first, second = two.start_command(0), two.start_command(1)
    if can_mount():
        first = with_mounts(folder / "first.hosts", f"127.0.0.1 {JUDGE_HOST}", first)
        second = with_mounts(folder / "second.hosts", f"127.0.0.9 {JUDGE_HOST}", second, hidden=two.first_only)
    try:
        with (
            object_store() as store,
            mock.patch.dict(two.services, store.environment),
            running(first, two.node_environment(), folder / "first.log"),
            running(second, two.node_environment(), folder / "second.log"),
        ):
            two.objects = store
            yield two
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def local_run(nodes: TwoNodes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a run of the same config that was not submitted."""
    run = tmp_path_factory.mktemp("local") / "run"
    command = [sys.executable, "-m", "launch", "train", "train.toml", "--run_dir", str(run)]
    local = subprocess.run(command, cwd=nodes.work, env=nodes.environment, capture_output=True, timeout=JOB_TIMEOUT_S)
    assert local.returncode == 0, local.stderr
    return run


@pytest.fixture(scope="module")
def own_mounts() -> None:
    """Skips a test where the second node can't have its own mounts. The test of that runs only when one is selected."""
    if not can_mount():
        pytest.skip("needs the right to mount")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a wheel with one reward function, which no node has installed."""
    path = tmp_path_factory.mktemp("wheels") / "vase_rewards-1.0-py3-none-any.whl"
    files = {
        "vase_rewards/__init__.py": WHEEL_REWARD,
        "vase_rewards-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: vase-rewards\nVersion: 1.0\n",
        "vase_rewards-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "vase_rewards-1.0.dist-info/RECORD": "vase_rewards/__init__.py,,\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def judge() -> Iterator[str]:
    """Returns the URL of a service that scores captions, on this machine; {host} is to be filled in."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Judge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://{{host}}:{server.server_port}/score"
    server.shutdown()
    server.server_close()


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


def test_submitted_run_that_is_stopped_killed_and_retried_equals_a_local_run(
    nodes: TwoNodes, local_run: Path, tmp_path: Path
):
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

    assert (local_run / "metrics.jsonl").read_bytes() == (run / "metrics.jsonl").read_bytes()
    weights = [*(local_run / "weights").glob("*/*.safetensors")]
    assert weights and all(path.read_bytes() == (run / path.relative_to(local_run)).read_bytes() for path in weights)


def test_submitted_run_with_two_rollout_workers_equals_a_local_run_with_one(nodes: TwoNodes, local_run: Path):
    """Another number of engines batches the same prompts otherwise, which changes rounding only."""
    run, num_steps = nodes.storage / "runs/two", 4
    words = ("--run_dir", "runs/two", "--num_steps", str(num_steps), "--rollout.num_workers", "2")
    done = nodes.submit("train", "train.toml", *words)
    assert done.returncode == 0, done.stdout
    found, expected = (read_json_lines(folder / "metrics.jsonl") for folder in (run, local_run))
    assert len(found) == num_steps
    for ours, theirs in zip(found, expected, strict=False):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-5)


@pytest.mark.usefixtures("own_mounts")
def test_submitted_run_reads_its_data_set_from_an_object_store(nodes: TwoNodes, local_run: Path, dataset: Path):
    """The folder for fetched clips is another one on each node. Each clip is fetched at most once by each."""
    url = nodes.objects.upload(dataset, "vases")
    words = ("--run_dir", "runs/url", "--num_steps", "2", "--data.path", url)
    done = nodes.submit("train", "train.toml", *words, "--data.cache_folder", str(nodes.first_only / "clips"))
    assert done.returncode == 0, done.stdout
    lines = [(folder / "metrics.jsonl").read_bytes().splitlines() for folder in (nodes.storage / "runs/url", local_run)]
    assert len(lines[0]) == 2 and lines[0] == lines[1][:2]
    reads = Counter(name for name in nodes.objects.reads if name.endswith(".mp4"))
    clips = {vase.clip for vase in DataSet(dataset).vases("train")}
    assert {name.rpartition("/")[2].removesuffix(".mp4") for name in reads} == clips and max(reads.values()) <= 2


def test_submitted_run_with_a_reward_in_a_file(nodes: TwoNodes):
    parts = submitted_parts(nodes, "file", "--with", "configs/rewards/file.toml")
    assert {"VaseReward/total", "brevity/total"} <= parts


def test_submitted_run_with_a_reward_in_a_package(nodes: TwoNodes, wheel: Path):
    functions = '["vase_rewards:even_tokens"]'
    assert "even" in submitted_parts(nodes, "wheel", "--reward.functions", functions, options=("--package", str(wheel)))


def test_submitted_run_with_a_judge_behind_http(nodes: TwoNodes, judge: str):
    url = judge.format(host="127.0.0.1")
    words = ("--with", "configs/rewards/http.toml", "--reward.arguments.HttpJudge.url", url)
    assert {"VaseReward/total", "HttpJudge/judge", "HttpJudge/failed"} <= submitted_parts(nodes, "judge", *words)


@pytest.mark.usefixtures("own_mounts")
def test_submit_with_a_reward_file_whose_import_one_node_lacks_names_function_and_node(nodes: TwoNodes):
    functions = '["needs_first.py:reward"]'
    message = one_screen(nodes.submit("train", "train.toml", "--run_dir", "runs/i", "--reward.functions", functions))
    assert message.count("reward 'needs_first.py:reward' can't be imported: ModuleNotFoundError") == 1


@pytest.mark.usefixtures("own_mounts")
def test_submit_with_a_judge_that_one_node_does_not_reach_names_function_and_node(nodes: TwoNodes, judge: str):
    words = ("--with", "configs/rewards/http.toml", "--reward.remote.HttpJudge.on_failure", "stop")
    url = ("--reward.arguments.HttpJudge.url", judge.format(host=JUDGE_HOST))
    message = one_screen(nodes.submit("train", "train.toml", "--run_dir", "runs/j", *words, *url))
    assert message.count("HttpJudge' has no service: http://judge.vases:") == 1 and "refused" in message


def submitted_parts(nodes: TwoNodes, name: str, *words: str, options: tuple[str, ...] = ()) -> set[str]:
    """Submits a run of one step. Returns: names of the parts of its rewards, as its metrics have them."""
    command = (*options, "train", "train.toml", "--run_dir", f"runs/{name}", "--num_steps", "1", *words)
    done = nodes.submit(*command)
    assert done.returncode == 0, done.stdout
    (metrics,) = read_json_lines(nodes.storage / f"runs/{name}/metrics.jsonl")
    return {key.removeprefix("reward/") for key in metrics if key.startswith("reward/")}


def with_mounts(hosts: Path, line: str, command: list[str], *, hidden: Path | None = None) -> list[str]:
    """Returns the command of a process that has one more line in /etc/hosts, and sees an empty folder at `hidden`."""
    hosts.write_text(Path("/etc/hosts").read_text() + f"\n{line}\n")
    mounts = [f"mount --bind {hosts} /etc/hosts", *([f"mount -t tmpfs none {hidden}"] if hidden else [])]
    return ["unshare", "-m", "sh", "-c", f'{" && ".join(mounts)} && exec "$@"', "sh", *command]


class _Judge(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"score": len(asked["caption"]) % 10 / 10}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
