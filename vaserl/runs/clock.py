"""A stopwatch that adds up the time of named laps."""

import time
from collections.abc import Callable


class Clock:
    """A stopwatch with named laps; it starts when the object is created."""

    def __init__(self, wait: Callable[[], None] = lambda: None):
        """wait: function called at the end of each lap; it waits until asynchronous work (CUDA kernels) is done."""
        self._wait = wait
        self._started = self._lap = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Ends a lap and adds its duration to `seconds[name]`. The next lap starts at once."""
        self._wait()
        now = time.perf_counter()
        self.seconds[name], self._lap = self.seconds.get(name, 0.0) + now - self._lap, now

    @property
    def total(self) -> float:
        """Seconds since the clock was created."""
        return time.perf_counter() - self._started
