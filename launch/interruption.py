"""Ends a job regularly on SIGTERM, Ctrl-C and SIGHUP: with its records complete, and without a traceback."""

import os
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Interruption(KeyboardInterrupt):
    """Raised in the main thread when the process is told to end. It is no Exception, so that code which answers errors
    doesn't catch it.

    It is a KeyboardInterrupt, because a call of Ray ends early for no other exception: after any other that a signal
    handler raises, `ray.get` waits for its result, and then fails with SystemError."""

    def __init__(self, number: int):
        """number: number of the signal."""
        self.signal = signal.Signals(number)
        super().__init__(self.signal.name)

    @property
    def exit_code(self) -> int:
        """Exit code of the process: 128 + the signal's number, as shells have it."""
        return 128 + self.signal


_missed: list[int] = []
_received: list[int] = []


@contextmanager
def remembering_interrupts() -> Iterator[None]:
    """Remembers that Ctrl-C was pressed while the `with` block runs, beside raising KeyboardInterrupt as usual.

    Some libraries catch every exception while they are imported, and KeyboardInterrupt with them. Then the job ends in
    `interruptible` at the latest, instead of running as if nothing had been pressed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # no signal reaches another thread
        return

    def remember(number: int, frame: FrameType | None) -> None:
        _missed.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _missed.clear()


@contextmanager
def interruptible() -> Iterator[None]:
    """Raises Interruption in the main thread on SIGTERM, on SIGINT, the signal of Ctrl-C, and on SIGHUP, the signal of
    a terminal that was closed, while the `with` block runs. SIGHUP stays ignored under `nohup`.

    A second signal ends the process in the way that the process had before. Enter the block after Ray was started,
    because Ray sets a handler of its own, which ends the process without running `finally` blocks.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def interrupt(number: int, frame: FrameType | None) -> None:
        restore()
        _received.append(number)
        if number == signal.SIGHUP:
            _leave_terminal()
        raise Interruption(number)

    _received.clear()
    for number in before:
        signal.signal(number, interrupt)
    try:
        if _missed:
            raise Interruption(_missed[0])
        with naming_signals():
            yield
    finally:
        restore()


@contextmanager
def naming_signals() -> Iterator[None]:
    """Raises Interruption, which names the signal, in place of the KeyboardInterrupt with which Ray ends a call after
    `interruptible` has received a signal."""
    try:
        yield
    except Interruption:
        raise
    except KeyboardInterrupt:
        if not _received:
            raise
        raise Interruption(_received[0]) from None


def _leave_terminal() -> None:
    """Discards what the process still prints to a terminal, which is gone, so that printing would fail."""
    with open(os.devnull, "w") as nowhere, suppress(OSError):
        for stream in (1, 2):
            if stat.S_ISCHR(os.fstat(stream).st_mode):
                os.dup2(nowhere.fileno(), stream)
