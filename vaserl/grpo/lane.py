"""A worker thread that runs submitted functions one at a time, in order."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from vaserl.grpo.parts import RunRecorder

_A = TypeVar("_A")
_T = TypeVar("_T")


class Lane:
    """A thread that runs functions in the order of submission and records each as a phase of the run's timeline.

    After a function has failed, the later ones do not run: their futures raise the same error. Leaving the `with` block
    does not wait for the function that is running, because after a failure in another thread that could take long.
    """

    def __init__(self, recorder: RunRecorder):
        self._recorder = recorder
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._last: Future[Any] | None = None

    def submit(self, step: int, phase: str, work: Callable[[_A], _T], argument: _A) -> Future[_T]:
        """Queues the call `work(argument)` and returns its future. phase: name of the call's span in the run's
        timeline."""
        given: Future[_A] = Future()
        given.set_result(argument)
        return self.submit_after(step, phase, work, given)

    def submit_after(self, step: int, phase: str, work: Callable[[_A], _T], given: Future[_A]) -> Future[_T]:
        """Queues a call of `work` with the result of `given`, a future from another thread, and returns the call's
        future.

        The recorded phase contains the call only, not the wait for `given`.
        """
        self._last = future = self._thread.submit(self._run, step, phase, work, given, self._last)
        return future

    def _run(
        self, step: int, phase: str, work: Callable[[_A], _T], given: Future[_A], earlier: Future[Any] | None
    ) -> _T:
        if earlier is not None:
            earlier.result()
        argument = given.result()
        with self._recorder.phase(step, phase):
            return work(argument)

    def __enter__(self) -> "Lane":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
