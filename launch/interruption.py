"""Ends a job regularly on SIGTERM and Ctrl-C: with its records complete, and without a traceback."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption(BaseException):
    """Raised in the main thread when the process is told to end. It is no Exception, so that code which answers errors
    doesn't catch it."""

    def __init__(self, number: int):
        """number: number of the signal."""
        self.signal = signal.Signals(number)
        super().__init__(self.signal.name)

    @property
    def exit_code(self) -> int:
        """Exit code of the process: 128 + the signal's number, as shells have it."""
        return 128 + self.signal


@contextmanager
def interruptible() -> Iterator[None]:
    """Raises Interruption in the main thread on SIGTERM or SIGINT, the signal of Ctrl-C, while the `with` block runs.

    A second signal ends the process in the way that the process had before. Enter the block after Ray was started,
    because Ray sets a handler of its own, which ends the process without running `finally` blocks.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def interrupt(number: int, frame: FrameType | None) -> None:
        restore()
        raise Interruption(number)

    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        restore()
