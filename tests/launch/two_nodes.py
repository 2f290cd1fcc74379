"""A Ray cluster of two nodes on this machine, with dashboard and token, and the script that submits to it."""

import functools
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.fakes.object_store import ObjectStore

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 120
JOB_TIMEOUT_S = 240


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
        self.services: dict[str, str] = {}
        """Variables by which the nodes find services, and their credentials; not part of `environment`."""
        self.objects: ObjectStore
        """Object store that the nodes can read."""
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
            **self.services,
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
    """Starts a node, waits until it is up, and stops its processes, each by its id.

    On a busy machine Ray ends a node whose agent needs more than 15 s to start; then the node is started again.
    """
    for is_last in (False, False, True):
        with open(log, "wb") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
        wait_for(functools.partial(_is_up_or_dead, process, command, log), START_TIMEOUT_S, log)
        if process.poll() is None:
            break
        assert not is_last, log.read_text()
    try:
        yield
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        _, alive = psutil.wait_procs(family, timeout=20)
        for each in alive:
            each.kill()
        process.kill()
        process.wait(timeout=20)


def _is_up_or_dead(process: subprocess.Popen[bytes], command: list[str], log: Path) -> bool:
    temporary = Path(command[command.index("--temp-dir") + 1])
    has_agent = any(temporary.glob("session_*/metrics_agent_port_*"))
    return (has_agent and b"--block" in log.read_bytes()) or process.poll() is not None


def wait_for(condition: Callable[[], object], timeout_s: float, where: Path) -> None:
    """Waits until a condition holds; fails with the text of the file `where` after the time-out."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s\n{where.read_text() if where.is_file() else where}"
        time.sleep(0.1)


@functools.cache
def can_mount() -> bool:
    """Tells whether a process may have its own mounts here."""
    command = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"]
    return (
        shutil.which("unshare") is not None and not subprocess.run(command, capture_output=True, timeout=20).returncode
    )
