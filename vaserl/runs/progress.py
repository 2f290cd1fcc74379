"""Shows the progress of long work and the estimated time left: as a progress bar on a terminal, otherwise as lines of
`key=value` pairs."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from vaserl.runs.recent_rate import RecentRate

LINE_EVERY_S = 30.0
"""Time in seconds between two lines. A unit of work that takes longer prints lines while it runs."""
_BAR_EVERY_S = 1.0
"""Time in seconds after which the progress bar is drawn again while no unit ends."""


class Progress:
    """Display of the progress of a stage that has `total` units of work.

    On a terminal it is a progress bar. If stderr is not a terminal, it prints a line for the first and the last unit,
    and every `LINE_EVERY_S` seconds in between, also while a unit runs. The lines have no carriage returns or colours,
    so that job logs remain readable:

        stage=grpo done=1/30 elapsed_s=61 left_s=1769 rate_per_h=59.02 reward=0.81
        stage=grpo done=1/30 step=2 elapsed_s=91 left_s=1739 rate_per_h=59.02 waiting_for=rollout waiting_s=28

    `left_s` and `rate_per_h` (units an hour) come from the recent rate, and are absent before the first unit has ended.

    Example: with Progress("grpo", total=30) as progress: progress.advance(reward=0.81)
    """

    def __init__(
        self, stage: str, total: int, done: int = 0, waits_for: Callable[[], Mapping[str, int | str]] | None = None
    ):
        """done: number of units that an earlier, interrupted process finished. waits_for: function that returns what
        the stage waits for now, for the lines printed while a unit runs: `SignsOfLife.waits_for`."""
        self._stage, self._total = stage, total
        self._waits_for = waits_for or dict
        self._rate = RecentRate(done)
        self._started = self._printed = time.monotonic()
        self._is_first = True
        self._info = ""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._bar: RichProgress | None = None
        if sys.stderr.isatty():
            self._bar = RichProgress(
                TextColumn("{task.description:>12}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
                TextColumn("{task.fields[info]}"),
            )
            self._task = self._bar.add_task(stage, total=total, completed=done, left="", info="")

    def __enter__(self) -> "Progress":
        if self._bar:
            self._bar.start()
        self._stop.clear()
        self._thread = threading.Thread(target=self._repeat, name=f"progress of {self._stage}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._stop.set()
        if self._thread:
            self._thread.join(timeout=5.0)  # it may hang in a write to a pipe that nothing reads
        if self._bar:
            self._bar.stop()

    def advance(self, count: int = 1, **info: float | str) -> None:
        """Adds `count` to the number of finished units and shows `info`, for example reward=0.81, beside it."""
        with self._lock:
            self._rate.advance(count)
            self._info = " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in info.items())
            if self._bar:
                self._draw(self._bar, {})
            elif self._is_first or self._rate.done >= self._total or self._is_line_due():
                self._print({})
            self._is_first = False

    def _repeat(self) -> None:
        """Shows the progress again and again until `__exit__`, in a thread. An error ends the display, not the job."""
        try:
            while not self._stop.wait(_BAR_EVERY_S if self._bar else min(LINE_EVERY_S / 10, 1.0)):
                with self._lock:
                    if self._bar:
                        self._draw(self._bar, self._waits_for())
                    elif self._is_line_due():
                        self._print(self._waits_for())
        except Exception as error:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"stage={self._stage}: the progress display ended: {error!r}\n")

    def _is_line_due(self) -> bool:
        return time.monotonic() - self._printed >= LINE_EVERY_S

    def _draw(self, bar: RichProgress, waiting: Mapping[str, int | str]) -> None:
        left = self._rate.left_s(self._total)
        words = "" if left is None else f"{timedelta(seconds=round(left))} left"
        waits = f"waits for {waiting['waiting_for']}" if "waiting_for" in waiting else ""
        bar.update(self._task, completed=self._rate.done, left=words, info=f"{self._info} {waits}".strip())

    def _print(self, waiting: Mapping[str, int | str]) -> None:
        self._printed = time.monotonic()
        done, left, rate = self._rate.done, self._rate.left_s(self._total), self._rate.units_per_hour
        pairs: dict[str, int | str] = {"stage": self._stage, "done": f"{done}/{self._total}"}
        pairs |= {"step": waiting["step"]} if "step" in waiting else {}
        pairs["elapsed_s"] = f"{self._printed - self._started:.0f}"
        pairs |= {} if left is None else {"left_s": f"{left:.0f}"}
        pairs |= {} if rate is None else {"rate_per_h": f"{rate:.4g}"}
        pairs |= waiting
        line = " ".join(f"{key}={value}" for key, value in pairs.items())
        # stderr may be closed, or a file on a full disk: the job matters more than this line
        with contextlib.suppress(OSError, ValueError):
            print(f"{line} {self._info}".rstrip(), file=sys.stderr, flush=True)
