"""Fakes of a training run's parts that make everything depend on what came before: what the engines write on the
weights they serve, the next weights on all that was learned. So two runs with equal lines did the same in the same
order."""

import hashlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import nullcontext
from functools import partial
from itertools import chain, repeat

from vaserl.grpo.advantage import credit
from vaserl.grpo.loop_ahead import train_ahead
from vaserl.grpo.loss import assemble
from vaserl.types import DIMENSIONS, Batch, Completion, Group, Publication, Score, ScoredGroup, Task, Update, Weights


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
