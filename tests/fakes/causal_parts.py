"""Fakes of a training run's engines, rewards, learner and recorder, whose results depend on all earlier ones.

The engines' texts depend on the weights that they serve, and the next weights on all batches learned. So two runs that
record equal lines did the same work in the same order."""

import hashlib
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import nullcontext
from itertools import chain, repeat

from tests.fakes.settings import train_settings
from vaserl.grpo.grpo import Grpo
from vaserl.grpo.loop import train
from vaserl.grpo.loop_ahead import train_ahead
from vaserl.grpo.parts import Validator
from vaserl.grpo.start import FIRST_STEP, LoopStart
from vaserl.types import DIMENSIONS, Batch, Completion, Group, Publication, Score, ScoredGroup, Task, Update, Weights


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def number(*parts: object) -> float:
    return int(digest(*parts)[:8], 16) / 16**8


class Engines:
    """Fake engines with one queue of work. After each submission they do as many queued pieces as the next number of
    `pace`; the rest is done when a caller waits for it."""

    def __init__(self, pace: Iterable[int] = ()):
        self._pace: Iterator[int] = chain(pace, repeat(0))
        self._queue: deque = deque()
        self._lock = threading.Lock()  # held during work, not during a submission
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

    def submit_greedy(self, tasks):
        return self._give(lambda: [self.write(task, "greedy") for task in tasks])

    def greedy(self, tasks):
        return self.collect(self.submit_greedy(tasks))

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
    """Fake rewards: a third of the groups has equal rewards, and the texts decide which groups. The first group of a
    step never has, so that each step trains something."""

    def score(self, groups):
        return [ScoredGroup(group=g, scores=tuple(self.score_of(g, c) for c in g.completions)) for g in groups]

    def score_of(self, group, completion):
        is_dull = number("dull", group.completions[0].text) < 1 / 3 and not group.task.id.endswith(".0.1")
        return Score(total=1.0 if is_dull else number(completion.text), parts={})


class Learner:
    def __init__(self, gaps: Iterable[float] = ()):
        self._gaps, self.policy = chain(gaps, repeat(0.0)), digest("base")
        self.batches: list[Batch] = []

    def learn(self, batch, loss, temperature):
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
        self.lines.append((step, dict(values)))

    def rollouts(self, step, scored, advantages_P_G):
        self.lines.append((step, scored, advantages_P_G))

    def track(self, step, values):
        self.lines.append((step, dict(values)))

    def keep(self, step, weights, learner, validation):
        self.lines.append(("keep", step, weights, dict(validation)))


def tasks_of(step: int, refill: int = 0) -> list[Task]:
    names = (f"{step}.{refill}.1", f"{step}.{refill}.2")
    return [Task(id=name, clip="c", prompt="p", dimensions=DIMENSIONS, record={}, reference="") for name in names]


class EveryOther:
    """A fake validation after every other step, whose result depends on the weights. It stops a run whose results sum
    up to more than a limit."""

    def __init__(self, limit: float, earlier=()):
        """earlier: results of the validations that a continued run has already."""
        self._limit, self.results = limit, list(earlier)

    tasks = tasks_of(0, 9)

    def is_due(self, step):
        return step % 2 == 0

    def record(self, step, scored):
        self.results.append(number(*(completion.text for s in scored for completion in s.group.completions)))
        return {"validation/reward": self.results[-1]}

    @property
    def stop_reason(self):
        return "enough" if sum(self.results) > self._limit else ""


class StepTasks(Grpo):
    """A run whose tasks are named by step, refill and number: "3.0.1" is the first task of step 3 before any refill."""

    def tasks_of(self, step, refill):
        return tasks_of(step, refill)


def grpo_of(num_steps: int, max_refills: int, max_staleness: int | None, validation: Validator | None = None) -> Grpo:
    """Returns a run of two tasks per step, on-policy if `max_staleness` is None, otherwise overlapped."""
    loop = {} if max_staleness is None else {"loop": "ahead", "max_staleness": max_staleness}
    settings = train_settings(num_steps=num_steps, tasks_per_step=2, max_refills=max_refills, **loop)
    return StepTasks(settings=settings, tasks=(), validation=validation)


def run(
    max_staleness,
    num_steps,
    *,
    max_refills=0,
    engines=None,
    rewards=None,
    learner=None,
    start=FIRST_STEP,
    validation=None,
):
    """Runs the overlapped loop, or the on-policy one if `max_staleness` is None. Returns: all recorded lines with the
    last weights, and the learner."""
    recorder, learner = Recorder(), learner or Learner()
    loop = train if max_staleness is None else train_ahead
    grpo = grpo_of(num_steps, max_refills, max_staleness, validation)
    weights = loop(grpo, engines or Engines(), rewards or Rewards(), learner, recorder, start)
    return [*recorder.lines, weights], learner


def continued(max_staleness, num_steps, lines, after_step, *, num_earlier=None, **parts):
    """Continues a run that was killed after a step, as `run` does. lines: the lines of the uninterrupted run, of which
    the stored weights are used as a checkpoint has them. num_earlier: number of earlier versions in the checkpoint."""
    stored = {line[2].version: line[2] for line in lines[:-1] if line[0] == "keep"}
    stored[1] = Learner().weights(1)
    step = after_step + 1
    bound = (max_staleness or 0) if num_earlier is None else num_earlier
    earlier = tuple(stored[v] for v in range(max(1, step - bound), step))
    metrics = tuple(line[1] for line in lines[:-1] if len(line) == 2 and line[0] <= after_step and "loss" in line[1])
    learner = Learner()
    learner.policy = stored[step].digest
    start = LoopStart(step=step, earlier=earlier, metrics=metrics)
    return run(max_staleness, num_steps, learner=learner, start=start, **parts)
