"""Connection of a job to a Ray cluster."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import ray

from vaserl.settings import ClusterSettings

WORKER_ENVIRONMENT = {
    "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONHASHSEED": "0",
    "TRANSFORMERS_VERBOSITY": "error",
}
"""Environment variables of every worker process of a job."""


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns `WORKER_ENVIRONMENT` without the variables that a submitted job sets itself: Ray refuses a variable that
    is stated twice.

    environment: the driver's, in which Ray's job server describes the job.
    """
    stated = json.loads(environment.get("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")).get("runtime_env") or {}
    given = stated.get("env_vars") or {}
    return {name: value for name, value in WORKER_ENVIRONMENT.items() if name not in given}


@contextmanager
def connect(settings: ClusterSettings) -> Iterator[None]:
    """Connects to Ray for the duration of a `with` block.

    If this process is connected to Ray already, that connection is used and remains open. Otherwise the process joins a
    running cluster or starts a local Ray, as `settings.address` specifies. At the end of the block that connection is
    closed and the local Ray is stopped.
    """
    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS") or (None if settings.address == "local" else settings.address)
    if address is None:
        # otherwise a local Ray switches token authentication on and writes a token into the home folder
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # Ray gives its workers niceness 15 to spare a shared head node; on one machine that would slow the job
        os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init(
        # "local" and not None, with which Ray would join any cluster that is running on this machine
        address=address or "local",
        num_cpus=settings.num_cpus if address is None else None,
        include_dashboard=None if address else False,
        log_to_driver=bool(os.environ.get("VASERL_WORKER_LOGS")),
        logging_level=logging.ERROR,
        runtime_env={"env_vars": worker_environment(os.environ)},
    )
    try:
        yield
    finally:
        ray.shutdown()
