"""Estimates the recent rate of work, and from it the time left."""

import statistics
import time
from collections import deque
from collections.abc import Callable
from itertools import combinations

_NUM_POINTS = 16
"""Number of recent measurements from which the rate is estimated."""
_SPACING_S = 1.0
"""Smallest time between two measurements that both count; fast work would otherwise be judged by its last instant."""


class RecentRate:
    """Time per unit of work over the last units: the median slope between pairs of measurements (Theil-Sen).

    The mean since the start would be wrong for a long time after a slow first step (compilation, empty caches). A
    median ignores single slow steps too. Units done before this object was created don't count, so that a resumed run
    has a correct rate.

    Example: rate = RecentRate(done=40); …; rate.advance(); rate.left_s(total=100)
    """

    def __init__(self, done: int = 0, clock: Callable[[], float] = time.monotonic):
        """done: number of units that an earlier process finished. clock: function that returns the time in seconds."""
        self.done = done
        self._clock = clock
        self._points = deque([(clock(), done)], maxlen=_NUM_POINTS)
        self._has_start = True

    def advance(self, count: int = 1) -> None:
        """Adds `count` finished units."""
        self.done += count
        now = self._clock()
        if len(self._points) >= 2 and now - self._points[-2][0] < _SPACING_S:
            self._points.pop()
        self._points.append((now, self.done))
        if self._has_start and len(self._points) >= 3:
            # the start of the first unit; as soon as two units have ended, the time between their ends is better
            self._points.popleft()
            self._has_start = False

    @property
    def seconds_per_unit(self) -> float | None:
        """Seconds that a unit takes at the recent rate; None before the first unit has ended."""
        points = list(self._points)
        slopes = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in combinations(points, 2) if b[1] > a[1]]
        return statistics.median(slopes) if slopes else None

    @property
    def units_per_hour(self) -> float | None:
        """Units an hour at the recent rate; None before the first unit has ended."""
        seconds = self.seconds_per_unit
        return 3600 / seconds if seconds else None

    @property
    def idle_s(self) -> float:
        """Seconds since the last unit ended, or since the start."""
        return self._clock() - self._points[-1][0]

    def left_s(self, total: int) -> float | None:
        """Returns the seconds until `total` units are done; None before the first unit has ended.

        The time that the current unit has taken already is subtracted, but at most one unit's time.
        """
        seconds = self.seconds_per_unit
        if seconds is None:
            return None
        left = max(total - self.done, 0)
        return left * seconds - min(self.idle_s, seconds) if left else 0.0
