"""The overlapped loop against fakes: the same samples in the same order, however fast or slow the engines are.

The fakes make everything depend on what came before: what the engines write on the weights they serve, the next
weights on all that was learned. So two runs with equal lines did the same in the same order.
"""

import hashlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import nullcontext
from functools import partial
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaserl.advantage import credit
from vaserl.grpo import assemble
from vaserl.train import ParityError, train
from vaserl.train_ahead import StalenessError, train_ahead
from vaserl.types import DIMENSIONS, Batch, Completion, Group, Publication, Score, ScoredGroup, Task, Update, Weights

PATIENCE_S = 20.0
"""What waits this long for something that should come has failed."""


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def number(*parts: object) -> float:
    return int(digest(*parts)[:8], 16) / 16**8


class Engines:
    """One queue of work. `pace` says how many things it has done by the time the next one is submitted; whatever is
    left is done when someone waits for it."""

    def __init__(self, pace: Iterable[int] = ()):
        self._pace: Iterator[int] = chain(pace, repeat(0))
        self._queue: deque = deque()
        self._lock = threading.Lock()  # held while it works, not while it is given work
        self.weights: Weights | None = None

    def submit_weights(self, weights):
        return self._give(lambda: self.serve(weights))

    def submit(self, tasks, step, refill):
        return self._give(lambda: [self.write(task, step) for task in tasks])

    def collect(self, pending):
        with self._lock:
            while not pending.done():
                self._work()
        return pending.result()

    confirm = collect

    def generate(self, tasks, step, refill):
        return self.collect(self.submit(tasks, step, refill))

    def publish(self, weights):
        return self.confirm(self.submit_weights(weights))

    def serve(self, weights):
        self.weights = weights
        return Publication(version=weights.version, fingerprint_gap=number(weights.digest), seconds={})

    def write(self, task, step):
        assert self.weights is not None
        completions = tuple(
            Completion(
                text=digest(self.weights.digest, task.id, step, member),
                token_ids=(member,),
                logprobs=(-1.0,),
                finish_reason="stop",
                weights_version=self.weights.version,
            )
            for member in range(3)
        )
        return Group(task=task, prompt_ids=(0,), completions=completions)

    def _give(self, work):
        future = Future()
        self._queue.append((work, future))
        if ahead := next(self._pace):
            with self._lock:
                for _ in range(min(ahead, len(self._queue))):
                    self._work()
        return future

    def _work(self):
        work, future = self._queue.popleft()
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)


class Rewards:
    """A third of the groups has nothing to teach, which ones depends on what was written."""

    def score(self, groups):
        return [ScoredGroup(group=g, scores=tuple(self.score_of(g, c) for c in g.completions)) for g in groups]

    def score_of(self, group, completion):
        is_dull = number("dull", group.completions[0].text) < 1 / 3
        return Score(total=1.0 if is_dull else number(completion.text), parts={})


class Learner:
    def __init__(self, gaps: Iterable[float] = ()):
        self._gaps, self.policy = chain(gaps, repeat(0.0)), digest("base")
        self.batches: list[Batch] = []

    def learn(self, batch):
        self.batches.append(batch)
        self.policy = digest(self.policy, batch)
        return Update(step=batch.step, metrics={"loss": number(self.policy), "logprob_gap": next(self._gaps)})

    def weights(self, version):
        return Weights(version=version, files={}, digest=self.policy)


class Recorder:
    def __init__(self):
        self.lines: list = []

    def pieces(self, step, phase, seconds):
        pass

    def phase(self, step, name):
        return nullcontext()

    def metrics(self, step, values):
        self.lines.append((step, values))

    def rollouts(self, step, scored, credit_P_G):
        self.lines.append((step, scored, credit_P_G))


def tasks_of(step: int, refill: int = 0) -> list[Task]:
    names = (f"{step}.{refill}.1", f"{step}.{refill}.2")
    return [Task(id=name, clip="c", prompt="p", dimensions=DIMENSIONS, record={}, reference="") for name in names]


def run(loop, num_steps, *, max_refills=0, engines=None, rewards=None, learner=None):
    """Everything the loop said, and the learner it said it to."""
    recorder, learner = Recorder(), learner or Learner()
    weights = loop(
        draw_tasks=tasks_of,
        rollout=engines or Engines(),
        rewards=rewards or Rewards(),
        learner=learner,
        recorder=recorder,
        on_step=lambda step, values, weights: recorder.lines.append((step, dict(values), weights)),
        num_steps=num_steps,
        punish=lambda scored: scored,
        credit=credit,
        assemble=assemble,
        max_refills=max_refills,
        max_logprob_gap=0.1,
    )
    return [*recorder.lines, weights], learner


def ahead(max_staleness: int):
    return partial(train_ahead, max_staleness=max_staleness)


STEPS, BOUNDS, REFILLS = st.integers(1, 8), st.integers(0, 5), st.integers(0, 2)


@given(num_steps=STEPS, bound=BOUNDS, pace=st.lists(st.integers(0, 3), max_size=20))
def test_every_step_is_learned_once_in_order_with_samples_of_one_exact_age(num_steps, bound, pace):
    lines, learner = run(ahead(bound), num_steps, engines=Engines(pace))
    assert [batch.step for batch in learner.batches] == list(range(1, num_steps + 1))
    rollouts = [line for line in lines[:-1] if isinstance(line[1], tuple)]
    assert len(rollouts) == num_steps
    for step, scored, _ in rollouts:
        assert [s.group.task for s in scored] == tasks_of(step)
        versions = {c.weights_version for s in scored for c in s.group.completions}
        assert versions == {max(1, step - bound)}
    metrics = [line[1] for line in lines[:-1] if len(line) == 2]
    ages = [float(min(step - 1, bound)) for step in range(1, num_steps + 1)]
    assert [values["staleness/mean"] for values in metrics] == ages
    assert [values["staleness/max"] for values in metrics] == ages
    assert lines[-1].version == num_steps + 1


@given(num_steps=STEPS, bound=BOUNDS, max_refills=REFILLS)
def test_refills_are_written_by_the_newest_weights(num_steps, bound, max_refills):
    lines, _ = run(ahead(bound), num_steps, max_refills=max_refills)
    num_refilled = 0
    for step, scored, _ in (line for line in lines[:-1] if isinstance(line[1], tuple)):
        for one in scored:
            refill = int(one.group.task.id.split(".")[1])
            num_refilled += refill > 0
            versions = {c.weights_version for c in one.group.completions}
            assert versions == {step if refill else max(1, step - bound)}
    assert num_refilled == sum(line[1]["refilled_groups"] for line in lines[:-1] if len(line) == 2)


@given(num_steps=STEPS, bound=BOUNDS, max_refills=REFILLS, pace=st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_the_engines_pace_changes_nothing(num_steps, bound, max_refills, pace):
    paced = run(ahead(bound), num_steps, max_refills=max_refills, engines=Engines(pace))
    assert paced[0] == run(ahead(bound), num_steps, max_refills=max_refills)[0]


@given(num_steps=STEPS, max_refills=REFILLS)
def test_without_staleness_it_is_the_on_policy_loop(num_steps, max_refills):
    on_policy = run(train, num_steps, max_refills=max_refills)[0]
    assert run(ahead(0), num_steps, max_refills=max_refills)[0] == on_policy
    # and not because the fakes can't tell: one version of age is another run from the second step on
    other = run(ahead(1), num_steps, max_refills=max_refills)[0]
    assert other[:3] == on_policy[:3]
    assert (other == on_policy) == (num_steps == 1)


class Meetings:
    """Two threads that name the same pair must be there at the same time, or both fail."""

    def __init__(self, patience_s: float = PATIENCE_S):
        self._patience_s, self._lock = patience_s, threading.Lock()
        self._barriers: dict[tuple, threading.Barrier] = {}

    def __call__(self, *pair: object) -> None:
        with self._lock:
            barrier = self._barriers.setdefault(pair, threading.Barrier(2))
        barrier.wait(self._patience_s)


def meeting_parts(meet: Meetings, num_steps: int):
    """Engines that write step k + 1 only while step k is scored, and then only while it is learned."""

    class MeetingEngines(Engines):
        def write(self, task, step):
            if step > 1 and task.id.endswith(".1"):
                meet("score", step - 1)
                meet("learn", step - 1)
            return super().write(task, step)

    class MeetingRewards(Rewards):
        def score(self, groups):
            step = int(groups[0].task.id.split(".")[0])
            if step < num_steps:
                meet("score", step)
            return super().score(groups)

    class MeetingLearner(Learner):
        def learn(self, batch):
            if batch.step < num_steps:
                meet("learn", batch.step)
            return super().learn(batch)

    return {"engines": MeetingEngines(), "rewards": MeetingRewards(), "learner": MeetingLearner()}


@pytest.mark.parametrize("bound", [1, 2])
def test_the_next_step_is_written_while_one_is_scored_and_learned(bound: int):
    lines, _ = run(ahead(bound), 4, **meeting_parts(Meetings(), 4))
    assert lines == run(ahead(bound), 4)[0]


def test_on_policy_they_never_meet():
    with pytest.raises(threading.BrokenBarrierError):
        run(ahead(0), 4, **meeting_parts(Meetings(patience_s=0.2), 4))


def test_a_batch_is_scored_while_the_one_before_is_learned():
    is_scored = [threading.Event() for _ in range(5)]

    class Tell(Rewards):
        def score(self, groups):
            scored = super().score(groups)
            is_scored[int(groups[0].task.id.split(".")[0])].set()
            return scored

    class Listen(Learner):
        def learn(self, batch):
            assert batch.step == 4 or is_scored[batch.step + 1].wait(PATIENCE_S), "the next batch was not scored"
            return super().learn(batch)

    run(ahead(1), 4, rewards=Tell(), learner=Listen())


@pytest.mark.parametrize(("served", "words"), [(1, "by v1, but the learner has v3"), (9, "by v9, but the learner")])
def test_a_sample_outside_the_bound_is_never_learned(served: int, words: str):
    class Stuck(Engines):
        def write(self, task, step):
            group = super().write(task, step)
            wrong = Completion(text="x", token_ids=(1,), logprobs=(0.0,), finish_reason="stop", weights_version=served)
            is_wrong = step == 3 and task.id == "3.0.2"
            return Group(task=task, prompt_ids=(0,), completions=(group.completions[0], wrong)) if is_wrong else group

    learner = Learner()
    with pytest.raises(StalenessError, match=rf"step 3: .* {words}.* max_staleness is 1"):
        run(ahead(1), 5, engines=Stuck(), learner=learner)
    assert [batch.step for batch in learner.batches] == [1, 2]


def test_the_parity_gate_is_for_samples_of_the_learners_own_version():
    with pytest.raises(ParityError, match=r"step 1: .* 2\.00e-01"):
        run(ahead(1), 3, learner=Learner(gaps=[0.2]))
    with pytest.raises(ParityError, match=r"step 2: .* 2\.00e-01"):
        run(ahead(0), 3, learner=Learner(gaps=[0.0, 0.2]))
    # the same distance one version later is what the policy moved, and is called so
    lines, _ = run(ahead(1), 3, learner=Learner(gaps=[0.0, 0.2, 0.3]))
    metrics = [line[1] for line in lines[:-1] if len(line) == 2]
    told = [{name: v for name, v in values.items() if name.startswith("logprob_")} for values in metrics]
    assert told == [{"logprob_gap": 0.0}, {"logprob_drift": 0.2}, {"logprob_drift": 0.3}]


@pytest.mark.parametrize("where", ["serve", "write", "score", "learn"])
def test_a_failure_anywhere_stops_the_run_with_its_own_words(where: str):
    class Broken(Engines):
        def serve(self, weights):
            if where == "serve" and weights.version == 2:
                raise OSError("serve broke")
            return super().serve(weights)

        def write(self, task, step):
            if where == "write" and step == 3:
                raise OSError("write broke")
            return super().write(task, step)

    class BrokenRewards(Rewards):
        def score(self, groups):
            if where == "score" and groups[0].task.id == "3.0.1":
                raise OSError("score broke")
            return super().score(groups)

    class BrokenLearner(Learner):
        def learn(self, batch):
            if where == "learn" and batch.step == 3:
                raise OSError("learn broke")
            return super().learn(batch)

    learner = BrokenLearner()
    with pytest.raises(OSError, match=f"{where} broke"):
        run(ahead(1), 6, engines=Broken(), rewards=BrokenRewards(), learner=learner)
    # a version that could not be served stops what it would have written, not the step that was written before
    assert [batch.step for batch in learner.batches] == [1, 2]


def test_a_failure_does_not_wait_for_an_engine_that_hangs():
    go_on, is_writing = threading.Event(), threading.Event()

    class Hanging(Engines):
        def write(self, task, step):
            if step == 2:
                is_writing.set()
                go_on.wait(PATIENCE_S)
            return super().write(task, step)

    class Failing(Learner):
        def learn(self, batch):
            is_writing.wait(PATIENCE_S)
            raise OSError("learn broke")

    try:
        with pytest.raises(OSError, match="learn broke"):
            run(ahead(1), 3, engines=Hanging(), learner=Failing())
        assert not go_on.is_set()
    finally:
        go_on.set()
