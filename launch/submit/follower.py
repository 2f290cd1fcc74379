"""What a user's terminal shows of a submitted job: its output while it runs, its end, and its stop."""

import contextlib
import io
import os
import sys

from launch.submit.attempt import Attempt
from launch.submit.server import JobServer, OutputError

INTERRUPTED_EXIT = 130
"""Exit code after Ctrl-C: 128 + the number of SIGINT."""
_CLOSED_EXIT = 141
_STOP_TIMEOUT_S = 615.0
"""Time limit of a stop. The grace time of the job, after which Ray kills it, is unknown here."""


class Detached(Exception):
    """The command ends while the job goes on, or may go on. The message says so and how to take the job up again."""

    def __init__(self, attempt: str, state: str, exit_code: int = INTERRUPTED_EXIT):
        """attempt: submission id. state: what is known of the job, for example "goes on". exit_code: of the command."""
        name = attempt.rpartition(".")[0] or attempt
        super().__init__(
            f"submit: job {attempt} {state}.\n"
            f"  follow it again:  launch/submit.sh follow {name}\n"
            f"  stop it:          launch/submit.sh stop {name}"
        )
        self.exit_code = exit_code


def follow_attempt(server: JobServer, submission_id: str) -> Attempt:
    """Prints the output of a job until it has ended, then how it ended. Returns: its last state.

    Raises: Detached after Ctrl-C, and if the output can't be printed.
    """

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    try:
        ended = server.follow(submission_id, write)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the terminal shows ^C
        raise Detached(submission_id, "goes on") from None
    except OutputError as error:
        _discard_output()
        raise Detached(submission_id, f"goes on, but its output can't be printed ({error})", _CLOSED_EXIT) from error
    if ended.status == "FAILED" and ended.driver_exit_code is None:  # it did not come to run the command
        print(f"submit: {ended.message}", file=sys.stderr)
    print(f"submit: job {ended.id} {ended.status.lower()}, exit code {ended.exit_code}", file=sys.stderr)
    return ended


def stop_attempt(server: JobServer, attempt: Attempt) -> int:
    """Stops a job and waits for its end. Returns: exit code 0; 1 if the job has not ended in time.

    Raises: Detached after Ctrl-C.
    """
    if not attempt.is_alive:
        print(f"submit: job {attempt.id} has ended already ({attempt.status.lower()})", file=sys.stderr)
        return 0
    try:
        server.stop(attempt.id)
        ended = server.wait(attempt.id, _STOP_TIMEOUT_S)
    except KeyboardInterrupt:
        raise Detached(attempt.id, "was asked to stop, and may still be running") from None
    for line in server.last_lines(attempt.id, 5):
        print(line)
    if ended.is_alive:
        print(
            f"submit: job {attempt.id} has not ended within {_STOP_TIMEOUT_S:g} s (it is {ended.status.lower()}); Ray "
            "sends SIGKILL when the grace time of the job is over",
            file=sys.stderr,
        )
        return 1
    print(f"submit: job {attempt.id} {ended.status.lower()}; the command that started it continues it", file=sys.stderr)
    return 0


def _discard_output() -> None:
    """Points stdout to nothing: Python would fail again when it flushes at its exit."""
    with contextlib.suppress(io.UnsupportedOperation), open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), sys.stdout.fileno())
