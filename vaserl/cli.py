"""The `vaserl` command: what needs no cluster, one module of `vaserl.commands` for each verb."""

import argparse
import os
import select
import sys
from collections.abc import Sequence

from vaserl.commands import audit, caption, check, export, import_published, lathe, publish, render, rescore, score, why
from vaserl.errors import USER_ERROR_EXIT, UserError

READER_LEFT = 141
"""128 + SIGPIPE: what a shell shows for a tool whose output nobody reads to the end."""
VERBS = (caption, lathe, render, export, score, audit, rescore, check, why, publish, import_published)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb. Returns: its exit code, 0 for those that return none, 2 after printing a user's error, or 141 when
    whoever reads standard output has left, as `| head` does."""
    parser = argparse.ArgumentParser(prog="vaserl", description="Greek vases, described by a vision-language model.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    runs = {verb.__name__.rpartition(".")[2].replace("_", "-"): verb.run for verb in VERBS}
    for verb in VERBS:
        verb.add(verbs)
    arguments = parser.parse_args(argv)
    try:
        code = runs[arguments.verb](arguments) or 0
        # what is still in the buffer meets a closed pipe here, and not at exit, where Python would complain of it
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT
    except BrokenPipeError:
        if not _reader_left():
            raise  # a pipe of the verb's own
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT


def _reader_left() -> bool:
    """Whether standard output is a pipe that nobody reads any more."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # errors and hang-ups are always told
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))
