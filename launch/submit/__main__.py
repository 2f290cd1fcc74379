"""launch/submit.sh [OPTIONS] JOB CONFIG [--with FILE …] [--section.key VALUE …]
       launch/submit.sh [--address URL] follow NAME
       launch/submit.sh [--address URL] stop NAME

Runs a job on a Ray cluster, in the present folder's files, and prints its output until it ends. The same command
continues a run that was stopped or has failed. NAME is the run's name, or a submission id. docs/cluster.md explains it.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from glob import escape
from pathlib import Path

from launch.submit.attempt import find_attempt
from launch.submit.authentication import token_file
from launch.submit.environment import job_environment
from launch.submit.follower import INTERRUPTED_EXIT, Detached, follow_attempt, stop_attempt
from launch.submit.package import check_packages
from launch.submit.request import read_request
from launch.submit.server import JobServer
from launch.submit.submission import Shipment, submit_run
from launch.submit.upload import find_upload
from vaserl.errors import USER_ERROR_EXIT, UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Submits, follows or stops a job. Returns: the job's exit code; 2 after a UserError, 130 after Ctrl-C, 141 if the
    output can't be printed."""
    parser = _parser()
    options = parser.parse_args(argv)
    if not options.words:
        parser.error("name a job and its CONFIG, or follow or stop a run")
    try:
        if options.words[0] in ("follow", "stop"):
            if len(options.words) != 2:
                raise UserError(f"{options.words[0]} needs the name of one run")
            server = JobServer(options.address)
            attempt = find_attempt(server.attempts(), options.words[1])
            if options.words[0] == "stop":
                return stop_attempt(server, attempt)
            return follow_attempt(server, attempt.id).exit_code
        return _submit(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT
    except Detached as detached:
        print(detached, file=sys.stderr)
        return detached.exit_code
    except KeyboardInterrupt:
        print("submit: interrupted", file=sys.stderr)
        return INTERRUPTED_EXIT


def _submit(options: argparse.Namespace) -> int:
    folder = Path.cwd()
    excluded = [*options.exclude, *_token_below(folder)]
    upload = find_upload(folder, max_mb=options.max_upload_mb, exclude=excluded)
    check_packages(options.package, max_mb=options.max_upload_mb)
    environment = job_environment(os.environ, options.env, stop_wait_s=options.stop_wait_s)
    request = read_request(options.words, upload, environment, name=options.name)
    server = JobServer(options.address)
    shipment = Shipment(upload=upload, packages=options.package, environment=environment)
    return submit_run(server, request, shipment, python=options.python, retries=options.retries)


def _token_below(folder: Path) -> list[str]:
    """Returns a pattern for the file with the cluster's token, if it lies below a folder."""
    file = token_file(os.environ).resolve()
    root = folder.resolve()
    return [escape(file.relative_to(root).as_posix())] if file.is_relative_to(root) else []


def _parser() -> argparse.ArgumentParser:
    usage, _, description = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(prog="launch/submit.sh", usage=usage, description=description, allow_abbrev=False)
    address = os.environ.get("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:8265")
    parser.add_argument("--address", default=address, help="URL of the cluster's dashboard (%(default)s)")
    parser.add_argument("--name", help="name of the run (default: made of the folder that it writes to)")
    parser.add_argument("--retries", type=_count, default=0, help="times to submit again after a failure (%(default)s)")
    parser.add_argument("--env", action="append", default=[], metavar="VARIABLE", help="variable to pass on to the job")
    parser.add_argument(
        "--package",
        type=Path,
        action="append",
        default=[],
        metavar="WHEEL",
        help="Python package to install on every node for this job",
    )
    parser.add_argument("--exclude", action="append", default=[], metavar="PATTERN", help="files not to upload")
    parser.add_argument("--max-upload-mb", type=float, default=8, help="limit on the upload (%(default)g)")
    parser.add_argument("--stop-wait-s", type=_count, default=30, help="seconds from stop to SIGKILL (%(default)s)")
    parser.add_argument("--python", default="python", help="interpreter on the head node (%(default)s)")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="JOB CONFIG …")
    return parser


def _count(text: str) -> int:
    """Returns the number of an option, which can't be negative."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
