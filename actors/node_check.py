"""Checks of every node of a cluster before a job starts its actors there."""

import os
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.placement import check_size
from vaserl.errors import UserError
from vaserl.files.storage import is_url, sizes_in
from vaserl.planning.requests import ActorRequest
from vaserl.rewards import RewardSource, check_reward_source, import_source, make_scorer, read_sources
from vaserl.settings import ClusterSettings, RewardSettings

NODE_TIMEOUT_S = 60.0
"""Time limit for the answers of all nodes. It includes the transfer of the uploaded files to a node that is new to
them, and the start of a process there."""

_INSTALL = (
    "Install the package on all nodes, send it as a wheel with the job (launch/submit.sh --package), or write the "
    "function as path/to/file.py:function: files are sent"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNeeds:
    """What each node of a cluster must have for a job."""

    read: Mapping[str, Path | str]
    """Files and folders, or URLs of folders, that the job's actors read, by the key of the setting. Those that are
    absent on the driver's node are left to the job, which names them."""
    written: Mapping[str, Path]
    """Folders that the job writes to, by the key of the setting; they need not exist."""
    reward: RewardSettings | None
    requests: Mapping[str, ActorRequest]
    """Actors of the job, by the name of their section."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFacts:
    """What a node sees at a path."""

    exists: bool
    entries: frozenset[tuple[str, int]]
    """Name and size of each file directly in the folder, or of the file itself."""
    reason: str = ""
    """Why a URL can't be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """What one node has of a job's needs."""

    seen: Mapping[str, PathFacts]
    """Facts about each path, by the key of the setting."""
    hashes: Mapping[str, str]
    """Hash of the code of each reward function that the node can import, by the function's name."""
    faults: Sequence[str]
    """Reasons why reward functions can't be used there, each with the function's name."""
    warnings: Sequence[str]
    """Services of reward functions that don't answer there, and without which the run goes on."""


def check_nodes(needs: NodeNeeds, cluster: ClusterSettings) -> None:
    """Checks that the job fits into the cluster, and runs a task on each other node that looks at the job's files and
    imports its reward functions. The job itself does this on its own node, before it starts an actor.

    Raises: UserError that names each node that lacks something, or did not answer in time.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    if cluster.placement_timeout_s <= ClusterSettings().placement_timeout_s:
        check_size(needs.requests, nodes)  # a longer time-out says that nodes are expected to join
    here = ray.get_runtime_context().get_node_id()
    others = [node for node in nodes if node["NodeID"] != here]
    roots = {key: _existing_parent(path) for key, path in needs.written.items()}
    read = {key: place for key, place in needs.read.items() if path_facts(place).exists}
    try:
        sources = read_sources(needs.reward) if needs.reward is not None else ()
    except UserError as error:
        raise UserError(f"{error}. {_INSTALL}") from error
    with marked(roots) as marks:
        paths = {**read, **marks}
        expected = {key: path_facts(path) for key, path in paths.items()}
        reports = _ask(others, paths, needs.reward, sources)
    for node, report in reports.items():
        for warning in report.warnings if report is not None else ():
            print(f"warning: node {node}: {warning}", file=sys.stderr)
    problems = [*path_problems({**read, **roots}, expected, reports), *reward_problems(sources, reports)]
    if problems:
        raise UserError(
            f"not all {len(nodes)} nodes of the cluster have what the job needs:\n  " + "\n  ".join(problems)
        )


@contextmanager
def marked(folders: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Creates an empty file in each folder, by which other nodes recognise it, and removes the files at the end of the
    `with` block.

    folders: by the key of the setting. Yields: the files. Raises: UserError for a folder that can't be written to.
    """
    marks = {key: folder / f".vaserl-node-check-{uuid.uuid4().hex}" for key, folder in folders.items()}
    try:
        for key, mark in marks.items():
            try:
                mark.write_bytes(b"")
            except OSError as error:
                raise UserError(f"{key}: {mark.parent} can't be written to: {error.strerror}") from error
        yield marks
    finally:
        for mark in marks.values():
            with suppress(OSError):  # where none could be created, none can be removed: a read-only file system
                mark.unlink(missing_ok=True)


def path_facts(place: Path | str) -> PathFacts:
    """Returns what this node sees at a path, or at the URL of a folder."""
    if isinstance(place, str) and is_url(place):
        try:
            return PathFacts(exists=True, entries=frozenset(sizes_in(place).items()))
        except (OSError, UserError) as error:
            return PathFacts(exists=False, entries=frozenset(), reason=f"{type(error).__name__}: {error}")
    path = Path(place)
    try:
        if path.is_dir():
            with os.scandir(path) as found:
                entries = frozenset((each.name, each.stat().st_size) for each in found if each.is_file())
        else:
            entries = frozenset({(path.name, path.stat().st_size)})
    except OSError:
        return PathFacts(exists=False, entries=frozenset())
    return PathFacts(exists=True, entries=entries)


def path_problems(
    paths: Mapping[str, Path | str], expected: Mapping[str, PathFacts], reports: Mapping[str, NodeReport | None]
) -> list[str]:
    """Returns a line for each node that did not answer, and for each path that a node lacks or sees differently.

    paths: path of each key, as the messages name it. expected: what the driver's node sees. reports: by node; None for
    a node without an answer.
    """
    lines = []
    for node, report in reports.items():
        if report is None:
            lines.append(
                f"{node}: no answer within {NODE_TIMEOUT_S:g} s. A file system may hang there, or no process can start"
            )
            continue
        for key, path in paths.items():
            seen = report.seen[key]
            if seen.reason:
                lines.append(
                    f"{key}: {path} can't be read on node {node}: {seen.reason}. Credentials and the address of an "
                    "object store belong into the environment in which each node runs `ray start`"
                )
            elif not seen.exists:
                lines.append(f"{key}: {path} is not on node {node}, or is another folder there. Mount it on all nodes")
            elif seen.entries != expected[key].entries:
                other = sorted(name for name, _ in seen.entries ^ expected[key].entries)
                lines.append(
                    f"{key}: {path} has other files on node {node} than here ({len(set(other))} differ, the first is "
                    f"{other[0]}). Copy it there, or mount the same folder on all nodes"
                )
    return lines


def reward_problems(sources: Sequence[RewardSource], reports: Mapping[str, NodeReport | None]) -> list[str]:
    """Returns a line for each reward function that a node can't use, or has in another version.

    sources: the functions as the driver's node has them. reports: by node; None for a node without an answer.
    """
    lines = []
    for node, report in reports.items():
        if report is None:
            continue
        lines += [f"node {node}: {fault}" for fault in report.faults]
        for source in sources:
            there = report.hashes.get(source.name, source.sha256)
            if there != source.sha256:
                lines.append(
                    f"node {node}: reward {source.name!r} has other code than here ({there[:12]}, here "
                    f"{source.sha256[:12]}). {_INSTALL}"
                )
    return lines


def _ask(
    nodes: Sequence[Mapping[str, Any]],
    paths: Mapping[str, Path | str],
    reward: RewardSettings | None,
    sources: Sequence[RewardSource],
) -> dict[str, NodeReport | None]:
    """Runs the checks on all nodes at once. Returns: the report of each node; None for those without one in time."""
    # one call a process: no actor of the job then starts in a process that has imported the reward functions
    task = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(_look)
    calls = {
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            dict(paths), reward, tuple(sources)
        ): _name(node)
        for node in nodes
    }
    deadline = time.monotonic() + NODE_TIMEOUT_S
    reports: dict[str, NodeReport | None] = dict.fromkeys(calls.values())
    waiting = list(calls)
    while waiting and time.monotonic() < deadline:
        done, waiting = ray.wait(waiting, timeout=max(0.0, deadline - time.monotonic()))
        for call in done:
            try:
                reports[calls[call]] = ray.get(call, timeout=NODE_TIMEOUT_S)
            except RayError as error:
                reason = str(error).strip().splitlines()[-1]
                raise UserError(f"node {calls[call]} can't run the job's code: {reason}") from error
    for call in waiting:
        ray.cancel(call, force=True)
    return reports


def _look(
    paths: Mapping[str, Path | str], reward: RewardSettings | None, sources: Sequence[RewardSource]
) -> NodeReport:
    seen = {key: path_facts(path) for key, path in paths.items()}
    hashes, faults, warnings = {}, [], []
    for source in sources:
        try:
            hashes[source.name] = check_reward_source(source)
            import_source(source)
        except UserError as error:
            faults.append(f"{error}. {_INSTALL}")
    if reward is not None and not faults:
        try:
            warnings = make_scorer(reward, sources).check()
        except UserError as error:
            faults.append(str(error))
    return NodeReport(seen=seen, hashes=hashes, faults=faults, warnings=warnings)


def _existing_parent(path: Path) -> Path:
    """Returns the innermost folder of a path that exists."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _name(node: Mapping[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node['NodeID'][:8]})"
