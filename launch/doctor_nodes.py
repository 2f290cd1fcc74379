"""Looks at all nodes of a Ray cluster at once, for `launch doctor`."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.cluster import connect
from launch.doctor_probe import NodeFindings, Wanted, look
from launch.doctor_report import Answer
from vaserl.settings import ClusterSettings

_TIMEOUT_S = 180.0
_PAYLOAD = 128 * 2**20
"""Bytes that are sent to each node to measure the network."""


def ask_nodes(cluster: ClusterSettings, wanted: Wanted) -> list[Answer]:
    """Returns the answer of each node that is alive; a node that fails or does not answer in time has a problem."""
    with connect(cluster):
        task = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(look)
        nodes = [node for node in ray.nodes() if node["Alive"]]
        calls = [task.options(scheduling_strategy=_there(node["NodeID"])).remote(wanted) for node in nodes]
        deadline = time.monotonic() + _TIMEOUT_S
        answers = [
            answered(node["NodeManagerAddress"], partial(_result, call, deadline))
            for node, call in zip(nodes, calls, strict=True)
        ]
        # one after the other: they share this machine's network
        return [
            compared(answer, partial(_measured, node["NodeID"])) for node, answer in zip(nodes, answers, strict=True)
        ]


def answered(node: str, result: Callable[[], NodeFindings]) -> Answer:
    """Returns a node's answer, or if it can't be looked at, an answer with that problem. node: its address. result:
    waits for what was found there."""
    try:
        findings = result()
    except RayError as error:
        return Answer(host=node, problems=(f"this node could not be looked at: {_reason(error)}",))
    return Answer(host=findings.host, findings=findings, problems=findings.problems)


def compared(answer: Answer, measure: Callable[[], tuple[float, float]]) -> Answer:
    """Returns an answer with what was measured between its node and this one. measure: returns bytes per second and
    seconds of clock skew; not called for a node without findings."""
    if answer.findings is None:
        return answer
    try:
        rate, skew_s = measure()
    except RayError as error:
        problem = f"network and clock could not be measured: {_reason(error)}"
        return dataclasses.replace(answer, problems=(*answer.problems, problem))
    return dataclasses.replace(answer, rate=rate, skew_s=skew_s)


def clock_skew(clock: float, before: float, after: float) -> float:
    """Returns the seconds by which a clock is certainly off that was read between two moments, all in seconds since
    1970."""
    return max(0.0, clock - after, before - clock)


def _reason(error: RayError) -> str:
    """Returns what happened, without the node's traceback."""
    if isinstance(error, GetTimeoutError):
        return f"no answer within {_TIMEOUT_S:g} s"
    last = (str(error).strip().splitlines() or [""])[-1].strip()
    advice = ""
    if "No module named" in last:
        advice = ". The node needs this code, for example in its PYTHONPATH, and the packages of launch/setup.sh"
    return f"{last or type(error).__name__}{advice}"


def _result(call: Any, deadline: float) -> NodeFindings:
    return ray.get(call, timeout=max(0.0, deadline - time.monotonic()))


def _measured(node: str) -> tuple[float, float]:
    """Returns the bytes per second at which a node receives an object from this one, and its clock's skew; 0 and 0 for
    this node."""
    if node == ray.get_runtime_context().get_node_id():
        return 0.0, 0.0
    receive = ray.remote(num_cpus=0, max_retries=0)(_receive).options(scheduling_strategy=_there(node))
    ray.get(receive.remote([ray.put(b"")]), timeout=_TIMEOUT_S)  # a process for the calls starts
    before = time.time()
    seconds, clock = ray.get(receive.remote([ray.put(bytes(_PAYLOAD))]), timeout=_TIMEOUT_S)
    return _PAYLOAD / seconds, clock_skew(clock, before, time.time())


def _receive(boxed: Sequence[Any]) -> tuple[float, float]:
    """Returns the seconds in which this machine receives an object, and its clock. boxed: the object's reference, in a
    list, so that Ray does not fetch the object before the call."""
    begin = time.monotonic()
    ray.get(boxed[0], timeout=_TIMEOUT_S)
    return time.monotonic() - begin, time.time()


def _there(node: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node, soft=False)
