"""A stopwatch with named laps."""

import time


class Clock:
    """Runs from when it is made."""

    def __init__(self):
        self._started = self._lap = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Ends a lap: `seconds[name]` is the time since the last one."""
        now = time.perf_counter()
        self.seconds[name], self._lap = now - self._lap, now

    @property
    def total(self) -> float:
        """Seconds since the clock was made."""
        return time.perf_counter() - self._started
