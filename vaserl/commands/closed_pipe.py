"""Standard output that nobody reads to its end, as with `| head`."""

import os
import select
import sys
from collections.abc import Callable

CLOSED_PIPE_EXIT = 141
"""Exit code when standard output is a pipe whose reading end was closed early: 128 + 13 (SIGPIPE), as in a shell."""


def exit_code_of(command: Callable[[], int]) -> int:
    """Returns the exit code of a command that prints, or 141 if the reading end of standard output was closed early."""
    try:
        code = command()
        # if the pipe is closed, flushing fails here and not at exit, where Python would print a warning
        sys.stdout.flush()
        return code
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
