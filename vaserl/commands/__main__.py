"""The `vaserl` command. Its subcommands are the modules beside this one; none of them needs a Ray cluster."""

import argparse
import os
import select
import sys
from collections.abc import Sequence

from vaserl.commands import (
    audit,
    caption,
    check,
    export,
    export_hub,
    import_chat,
    import_published,
    lathe,
    render,
    rescore,
    score,
    status,
    why,
)
from vaserl.errors import USER_ERROR_EXIT, UserError

CLOSED_PIPE_EXIT = 141
"""Exit code when standard output is a pipe whose reading end was closed early: 128 + 13 (SIGPIPE), as in a shell."""
VERBS = (
    *(caption, lathe, render, export, score, audit, rescore, status, check, why),
    *(export_hub, import_published, import_chat),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the subcommand given on the command line.

    Returns: the subcommand's exit code, or 0 if the subcommand returns None. 2 after a UserError, whose message is
    printed. 141 when standard output is a pipe whose reading end was closed early, as `| head` does.
    """
    parser = argparse.ArgumentParser(prog="vaserl", description="Greek vases, described by a vision-language model.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="SUBCOMMAND")
    runs = {}
    for verb in VERBS:
        verb.add(verbs)
        runs |= {name: verb.run for name in verbs.choices.keys() - runs.keys()}  # aliases included
    arguments = parser.parse_args(argv)
    try:
        code = runs[arguments.verb](arguments) or 0
        # if the pipe is closed, flushing fails here and not at exit, where Python would print a warning
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT
    except BrokenPipeError:
        if not _is_output_closed():
            raise  # another pipe broke
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE_EXIT


def _is_output_closed() -> bool:
    """Returns True if standard output is a pipe whose reading end is closed."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # poll always reports errors and hang-ups
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


if __name__ == "__main__":
    sys.exit(main())
