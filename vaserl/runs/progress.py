"""Shows the progress of long work and the estimated time left: as a progress bar on a terminal, otherwise as lines of
`key=value` pairs."""

import sys
import time
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

LINE_EVERY_S = 30.0
"""Time in seconds after which `Progress.advance` prints a line even if less than 10 % more of the work is done."""


class Progress:
    """Display of the progress of a stage that has `total` units of work.

    On a terminal it is a progress bar. If stderr is not a terminal, it prints a line after every 10 % of the work.
    It also prints a line if the last one is at least `LINE_EVERY_S` seconds old. The lines have no carriage returns or
    colours, so that job logs remain readable.

    Example: with Progress("grpo", total=30) as progress: progress.advance(reward=0.81)
    """

    def __init__(self, stage: str, total: int):
        self._stage, self._total, self._done = stage, total, 0
        self._started = self._printed = time.monotonic()
        self._bar: RichProgress | None = None
        if sys.stderr.isatty():
            self._bar = RichProgress(
                TextColumn("{task.description:>12}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[info]}"),
            )
            self._task = self._bar.add_task(stage, total=total, info="")

    def __enter__(self) -> "Progress":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        if self._bar:
            self._bar.stop()

    def advance(self, count: int = 1, **info: float | str) -> None:
        """Adds `count` to the number of finished units and shows `info`, for example reward=0.81, beside it."""
        tenths_before = 10 * self._done // max(self._total, 1)
        self._done += count
        shown = " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in info.items())
        if self._bar:
            self._bar.update(self._task, completed=self._done, info=shown)
            return
        now = time.monotonic()
        is_tenth = 10 * self._done // max(self._total, 1) > tenths_before
        if is_tenth or now - self._printed >= LINE_EVERY_S:
            self._printed = now
            elapsed = now - self._started
            left = elapsed / self._done * (self._total - self._done) if self._done else 0.0
            line = f"stage={self._stage} done={self._done}/{self._total} elapsed_s={elapsed:.0f} left_s={left:.0f}"
            print(f"{line} {shown}".rstrip(), file=sys.stderr, flush=True)
