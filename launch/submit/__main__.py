"""launch/submit.sh [OPTIONS] JOB CONFIG [--with FILE …] [--section.key VALUE …]
       launch/submit.sh [--address URL] follow NAME
       launch/submit.sh [--address URL] stop NAME

Runs a job on a Ray cluster, in the present folder's files, and prints its output until it ends. The same command
continues a run that was stopped or has failed. NAME is the run's name, or a submission id. docs/cluster.md explains it.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from launch.submit.attempt import Attempt, find_attempt, next_id
from launch.submit.environment import job_environment
from launch.submit.request import read_request
from launch.submit.server import JobServer
from launch.submit.upload import find_upload
from vaserl.errors import USER_ERROR_EXIT, UserError

_INTERRUPTED_EXIT = 130
_RETRY_PAUSE_S = 5.0
_STOP_MARGIN_S = 15.0


def main(argv: Sequence[str] | None = None) -> int:
    """Submits, follows or stops a job. Returns: the job's exit code; 2 after a UserError, 130 after Ctrl-C."""
    parser = _parser()
    options = parser.parse_args(argv)
    try:
        if options.words[0] in ("follow", "stop"):
            if len(options.words) != 2:
                raise UserError(f"{options.words[0]} needs the name of one run")
            server = JobServer(options.address)
            attempt = find_attempt(server.attempts(), options.words[1])
            return _stop(server, attempt) if options.words[0] == "stop" else _follow(server, attempt)
        return _submit(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT


def _parser() -> argparse.ArgumentParser:
    usage, _, description = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog="launch/submit.sh", usage=usage, description=description)
    address = os.environ.get("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:8265")
    parser.add_argument("--address", default=address, help="URL of the cluster's dashboard (%(default)s)")
    parser.add_argument("--name", help="name of the run (default: made of the folder that it writes to)")
    parser.add_argument("--retries", type=int, default=0, help="times to submit again after a failure (%(default)s)")
    parser.add_argument("--env", action="append", default=[], metavar="VARIABLE", help="variable to pass on to the job")
    parser.add_argument("--exclude", action="append", default=[], metavar="PATTERN", help="files not to upload")
    parser.add_argument("--max-upload-mb", type=float, default=8, help="limit on the upload (%(default)g)")
    parser.add_argument("--stop-wait-s", type=int, default=30, help="seconds from stop to SIGKILL (%(default)s)")
    parser.add_argument("--python", default="python", help="interpreter on the head node (%(default)s)")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="JOB CONFIG …")
    return parser


def _submit(options: argparse.Namespace) -> int:
    folder = Path.cwd()
    upload = find_upload(folder, max_mb=options.max_upload_mb, exclude=options.exclude)
    environment = job_environment(os.environ, options.env, stop_wait_s=options.stop_wait_s)
    request = read_request(options.words, upload, environment, name=options.name)
    server = JobServer(options.address)
    arguments = request.arguments
    for retries_left in range(options.retries, -1, -1):
        submission_id = next_id(server.attempts(), request.run, request.output)
        with TemporaryDirectory(prefix="vaserl-submit-") as scratch:
            archive = Path(scratch, "upload.zip")
            upload.write(archive)
            server.submit(
                submission_id, request.entrypoint(options.python, arguments), archive, environment, request.output
            )
        print(
            f"submit: job {submission_id}, {len(upload.sizes)} files of {upload.num_bytes / 1e6:.1f} MB, results in "
            f"{request.output}",
            file=sys.stderr,
        )
        code = _follow(server, server.attempt(submission_id))
        if code == _INTERRUPTED_EXIT or not retries_left or not server.attempt(submission_id).may_be_retried:
            return code
        arguments = request.arguments_to_continue
        print(f"submit: job {submission_id} failed with exit code {code}; again ({retries_left} left)", file=sys.stderr)
        time.sleep(_RETRY_PAUSE_S)
    raise AssertionError("the last pass returns")


def _follow(server: JobServer, attempt: Attempt) -> int:
    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    try:
        ended = server.follow(attempt.id, write)
    except KeyboardInterrupt:
        print(
            f"\nsubmit: job {attempt.id} goes on.\n"
            f"  follow it again:  launch/submit.sh follow {attempt.run or attempt.id}\n"
            f"  stop it:          launch/submit.sh stop {attempt.run or attempt.id}",
            file=sys.stderr,
        )
        return _INTERRUPTED_EXIT
    if ended.status == "FAILED" and ended.exit_code is None:  # it did not come to run the command
        print(f"submit: {ended.message}", file=sys.stderr)
    print(f"submit: job {ended.id} {ended.status.lower()}, exit code {ended.exit}", file=sys.stderr)
    return ended.exit


def _stop(server: JobServer, attempt: Attempt) -> int:
    if not attempt.is_alive:
        print(f"submit: job {attempt.id} has ended already ({attempt.status.lower()})", file=sys.stderr)
        return 0
    server.stop(attempt.id)
    # the job's own grace time is unknown here; Ray kills the job when it is over
    ended = server.wait(attempt.id, timeout_s=600 + _STOP_MARGIN_S)
    for line in server.last_lines(attempt.id, 5):
        print(line)
    print(f"submit: job {attempt.id} {ended.status.lower()}; the command that started it continues it", file=sys.stderr)
    return 0 if not ended.is_alive else 1


if __name__ == "__main__":
    sys.exit(main())
