"""A stopwatch with named laps."""

import time
from collections.abc import Callable


class Clock:
    """A stopwatch that starts when it is created."""

    def __init__(self, wait: Callable[[], None] = lambda: None):
        """wait: called before each reading, so that asynchronous work (CUDA kernels) has ended."""
        self._wait = wait
        self._started = self._lap = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Ends a lap and adds the time since the previous one to `seconds[name]`."""
        self._wait()
        now = time.perf_counter()
        self.seconds[name], self._lap = self.seconds.get(name, 0.0) + now - self._lap, now

    @property
    def total(self) -> float:
        """Seconds since the clock was created."""
        return time.perf_counter() - self._started
