"""Tests that the ranks write a snapshot while they learn, in a thread of their own, and that nothing else changes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import ray
import torch
from torch._inductor import config as inductor

from actors.learner import LearnerActor, LearnerGroup, _Rank
from actors.placement import placed
from tests.actors.test_rank_state import content, demonstrations, settings_of, started, steps
from vaserl.planning.requests import actor_request
from vaserl.runs.checkpoint.manifest import StoredFile
from vaserl.settings import ClusterSettings, DataSettings, LearnerSettings, ModelSettings

__all__ = ["demonstrations"]  # a fixture

TIMEOUT_S = 60.0


class ThreadedRank:
    """A rank without a model, whose calls return the thread that they ran in."""

    def __init__(self, model, data, learner, features, *, rank, **rest):
        torch.set_num_threads(learner.num_threads)
        self._rank = rank
        self._learned, self._writing = threading.Event(), threading.Event()

    def meeting_point(self) -> tuple[str, int]:
        return "", 0

    def join(self, address: str, port: int) -> int:
        return threading.get_ident()

    def fingerprint(self) -> tuple[int, int]:
        """Returns the thread, and torch's number of threads in it, after a write has begun."""
        assert self._writing.wait(TIMEOUT_S)
        self._learned.set()
        return threading.get_ident(), torch.get_num_threads()

    def snapshot(self) -> None: ...

    def write_snapshot(self, place: str) -> tuple[str, StoredFile]:
        """Returns only after a call of the default group has run meanwhile."""
        self._writing.set()
        assert self._learned.wait(TIMEOUT_S)
        return f"state-{self._rank}", StoredFile(num_bytes=self._rank, sha256="0" * 64)


@pytest.fixture
def threaded(cluster, tmp_path, monkeypatch):
    """Yields a learner of two such ranks, which are actors with the options of the real ones."""
    options = {"concurrency_groups": LearnerActor._default_options["concurrency_groups"]}
    monkeypatch.setattr("actors.learner.LearnerActor", ray.remote(**options)(ThreadedRank))
    settings = LearnerSettings(num_ranks=2, num_cpus=0.5, num_threads=3)
    model, data = ModelSettings(path=tmp_path), DataSettings(path=tmp_path)
    with placed({"learner": actor_request(settings)}, ClusterSettings()) as place:
        yield LearnerGroup(model, data, settings, place["learner"], seed=0, num_steps=1)


def test_ranks_write_in_a_thread_while_the_default_calls_run_in_one_other(threaded):
    thread = threaded.wait_until_ready()
    with ThreadPoolExecutor(1) as driver:
        writing = driver.submit(threaded.write_snapshot, "place")
        # both sides wait for each other: without a second thread in the actors, this would time out
        assert threaded.fingerprint() == (thread, 3)
        assert writing.result(TIMEOUT_S) == {
            "state-0": StoredFile(num_bytes=0, sha256="0" * 64),
            "state-1": StoredFile(num_bytes=1, sha256="0" * 64),
        }
    assert threaded.fingerprint() == (thread, 3)


def test_compiled_layers_round_as_eager_ones_in_the_thread_that_learns():
    """The option belongs to a thread, and Ray calls the constructor and the methods in different ones."""
    rank = object.__new__(_Rank)
    rank._learner = LearnerSettings(compile=True)

    def joined() -> bool:
        with pytest.raises(AttributeError):  # it has no rank number, so it joins nothing
            rank.join("", 0)
        return inductor.emulate_precision_casts

    with ThreadPoolExecutor(1) as thread:
        assert not thread.submit(lambda: inductor.emulate_precision_casts).result()
        assert thread.submit(joined).result()


def test_snapshot_is_refused_while_the_one_before_is_written(threaded):
    threaded.wait_until_ready()
    threaded.snapshot()
    with ThreadPoolExecutor(1) as driver:
        writing = driver.submit(threaded.write_snapshot, "place")
        while not threaded._writing.locked():
            assert not writing.done()
        with pytest.raises(RuntimeError, match="still being written"):
            threaded.snapshot()
        threaded.fingerprint()
        writing.result(TIMEOUT_S)
    threaded.snapshot()


@pytest.mark.slow
def test_training_equals_that_of_plain_actors(cluster, tiny_model, dataset, demonstrations, monkeypatch):
    """Ray runs the calls of an actor with concurrency groups outside the process's main thread. OpenMP's number of
    threads and torch's settings may depend on the thread, and with them the order of sums."""
    settings = settings_of(2, 2, num_threads=2)
    results = []
    for actor in (LearnerActor, ray.remote(_Rank)):
        monkeypatch.setattr("actors.learner.LearnerActor", actor)
        with started(tiny_model, dataset, settings) as group:
            results.append((steps(group, demonstrations, 1, 2), content(group)))
    assert results[0] == results[1]
