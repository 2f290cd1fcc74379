"""Submits a run, follows it, and submits it again after a failure."""

import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

from launch.submit.attempt import next_id
from launch.submit.follower import INTERRUPTED_EXIT, Detached, follow_attempt
from launch.submit.request import JobRequest
from launch.submit.server import JobServer
from launch.submit.upload import Upload

_RETRY_PAUSE_S = 5.0


def submit_run(
    server: JobServer, request: JobRequest, upload: Upload, environment: Mapping[str, str], *, python: str, retries: int
) -> int:
    """Submits the next attempt of a run and prints its output. After a failure, submits the same files again.

    environment: variables of the job. python: interpreter on the head node. retries: how often to submit again.

    Returns: exit code of the last attempt. Raises: UserError while an attempt of the run is running; Detached after
    Ctrl-C.
    """
    arguments = request.arguments
    with TemporaryDirectory(prefix="vaserl-submit-") as scratch:
        archive = Path(scratch, "upload.zip")  # written once: an edit of the code meanwhile belongs to another run
        upload.write(archive)
        for retries_left in range(retries, -1, -1):
            submission_id = next_id(server.attempts(), request.run, request.output)
            entrypoint = request.entrypoint(python, arguments)
            try:
                server.submit(submission_id, entrypoint, archive, environment, request.output)
                print(
                    f"submit: job {submission_id}, {len(upload.sizes)} files of {upload.num_bytes / 1e6:.1f} MB, "
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
