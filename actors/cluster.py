"""Connecting to Ray, and placing what a job needs: all at once, or not at all with the reason in seconds."""

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import ray
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group

from vaserl.errors import UserError
from vaserl.settings import ClusterSettings

Bundle = Mapping[str, float]

# Read by every process of the job; a worker that inherited the driver's threads would oversubscribe the machine.
WORKER_ENVIRONMENT = {
    "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONHASHSEED": "0",
    "TRANSFORMERS_VERBOSITY": "error",
}


@contextmanager
def connect(settings: ClusterSettings) -> Iterator[None]:
    """A running Ray for the time of a job: this process's own, one that already runs in it, or a cluster's.

    Only a Ray that was started here is shut down here.
    """
    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS") or (None if settings.address == "local" else settings.address)
    if address is None:
        # a local Ray would otherwise switch token authentication on and write a token into the home folder
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # Ray's workers are niced by 15, for the sake of a shared head node; here they are the job
        os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init(
        # "local" and not None, which would join whatever cluster was started on this machine
        address=address or "local",
        num_cpus=settings.num_cpus if address is None else None,
        include_dashboard=None if address else False,
        log_to_driver=bool(os.environ.get("VASERL_WORKER_LOGS")),
        logging_level=logging.ERROR,
        runtime_env={"env_vars": WORKER_ENVIRONMENT},
    )
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def placed(bundles: Sequence[Bundle], settings: ClusterSettings) -> Iterator[PlacementGroup]:
    """A placement group with one bundle for each actor, removed at the end.

    Raises: UserError when the cluster can't hold it: what was asked for and what each node has.
    """
    group = placement_group([dict(bundle) for bundle in bundles], strategy="PACK")
    try:
        if not _is_ready(group, settings.placement_timeout_s):
            raise UserError(_shortfall(bundles, settings.placement_timeout_s))
        yield group
    finally:
        remove_placement_group(group)


def _is_ready(group: PlacementGroup, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if placement_group_table(group)["state"] == "CREATED":
            return True
        time.sleep(0.05)
    return False


def _shortfall(bundles: Sequence[Bundle], timeout_s: float) -> str:
    wanted = _total(bundles)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    free = ray.available_resources()
    lines = [
        f"the job could not be placed within {timeout_s:g} s.",
        f"  it asks for {_words(wanted)} in {len(bundles)} actors of "
        + ", ".join(_words(b) for b in _distinct(bundles)),
        f"  the cluster has {_words(_total([n['Resources'] for n in nodes]))} on {len(nodes)} nodes; "
        f"free now: {_words(free)}",
    ]
    lines += [f"    {node['NodeManagerAddress']}: {_words(node['Resources'])}" for node in nodes]
    lines.append(
        "  lower rollout.num_workers, rollout.num_cpus, learner.num_ranks or learner.num_cpus (or the num_gpus), "
        "raise cluster.num_cpus, or wait for nodes with cluster.placement_timeout_s"
    )
    return "\n".join(lines)


def _total(bundles: Sequence[Bundle]) -> dict[str, float]:
    total: dict[str, float] = {}
    for bundle in bundles:
        for name in ("CPU", "GPU"):
            total[name] = total.get(name, 0.0) + bundle.get(name, 0.0)
    return total


def _distinct(bundles: Sequence[Bundle]) -> list[Bundle]:
    return [bundle for index, bundle in enumerate(bundles) if bundle not in bundles[:index]]


def _words(resources: Bundle) -> str:
    return f"{resources.get('CPU', 0):g} CPU and {resources.get('GPU', 0):g} GPU"


def bundle(num_cpus: float, num_gpus: float) -> Bundle:
    """The resources of one actor, without a GPU key where none is asked for."""
    return {"CPU": num_cpus, **({"GPU": num_gpus} if num_gpus else {})}
