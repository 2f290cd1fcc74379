"""Submits a run, follows it, and submits it again after a failure."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any

from launch.submit.attempt import next_id
from launch.submit.follower import INTERRUPTED_EXIT, Detached, follow_attempt
from launch.submit.package import copy_packages
from launch.submit.request import JobRequest
from launch.submit.server import JobServer
from launch.submit.upload import Upload

_RETRY_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """What a job is given beside its command line."""

    upload: Upload
    """Files of its working directory."""
    packages: Sequence[Path]
    """Wheels that are installed on every node."""
    environment: Mapping[str, str]
    """Environment variables of its processes."""


def submit_run(server: JobServer, request: JobRequest, shipment: Shipment, *, python: str, retries: int) -> int:
    """Submits the next attempt of a run and prints its output. After a failure, submits the same files again.

    python: interpreter on the head node. retries: how often to submit again.

    Returns: exit code of the last attempt. Raises: UserError while an attempt of the run is running; Detached after
    Ctrl-C.
    """
    arguments = request.arguments
    with TemporaryDirectory(prefix="vaserl-submit-") as scratch:
        archive = Path(scratch, "upload.zip")  # written once: an edit of the code meanwhile belongs to another run
        shipment.upload.write(archive)
        packages = copy_packages(shipment.packages, Path(scratch, "packages"))
        for retries_left in range(retries, -1, -1):
            submission_id = next_id(server.attempts(), request.run, request.output)
            entrypoint = request.entrypoint(python, arguments)
            try:
                environment = runtime_environment(archive, packages, shipment.environment)
                server.submit(submission_id, entrypoint, environment, request.output)
                print(
                    f"submit: job {submission_id}, {len(shipment.upload.sizes)} files of "
                    f"{shipment.upload.num_bytes / 1e6:.1f} MB, "
                    f"results in {request.output}",
                    file=sys.stderr,
                )
            except KeyboardInterrupt:
                raise Detached(submission_id, "may have been submitted") from None
            ended = follow_attempt(server, submission_id)
            if not retries_left or not ended.may_be_retried:
                return ended.exit_code
            arguments = request.arguments_to_continue
            print(
                f"submit: job {submission_id} failed with exit code {ended.exit_code}; again ({retries_left} left)",
                file=sys.stderr,
            )
            try:
                sleep(_RETRY_PAUSE_S)
            except KeyboardInterrupt:
                print("submit: interrupted before that; the same command continues the run", file=sys.stderr)
                return INTERRUPTED_EXIT
    raise AssertionError("the last pass returns")


def runtime_environment(archive: Path, packages: Sequence[Path], variables: Mapping[str, str]) -> dict[str, Any]:
    """Returns Ray's description of the environment of a job's processes.

    archive: zip file of the working directory.
    """
    modules = {"py_modules": [str(package) for package in packages]} if packages else {}
    return {"working_dir": str(archive), "env_vars": dict(variables), **modules}
