"""Tests the rollout worker with a fake engine."""

import dataclasses

from actors.engine import EngineOutput
from actors.rollout_worker import RolloutWorker
from tests.fakes.scored_groups import group_of
from tests.fakes.settings import train_settings


class LoggedEngine:
    """A fake engine that logs its calls."""

    def __init__(self):
        self.log = []

    def generate(self, requests, *, num_samples, temperature, max_new_tokens):
        self.log.append((len(requests), num_samples, temperature))
        output = EngineOutput(token_ids=(1,), logprobs=(0.0,), finish_reason="stop")
        return [((7,), [output] * num_samples) for _ in requests]

    def drop_prefixes(self):
        self.log.append("drop")


class Prompter:
    """A fake of the prompts and of the tokenizer."""

    def text(self, prompt):
        return prompt

    def decode(self, token_ids):
        return "a vase"


class WorkerWithoutModel(RolloutWorker):
    """A rollout worker whose engine, prompts and videos are fakes."""

    def __init__(self):
        self._engine, self._prompter, self._version = LoggedEngine(), Prompter(), 4
        self._settings = train_settings().rollout

    def _videos(self, tasks):
        return [(None, task.clip) for task in tasks]


def test_rollout_worker_greedy_leaves_no_prompts_in_the_prefix_cache():
    tasks = [dataclasses.replace(group_of("v1").task, id=name) for name in ("v1", "v2")]
    worker = WorkerWithoutModel()
    groups = worker.greedy(tasks)
    assert [(group.task.id, len(group.completions)) for group in groups] == [("v1", 1), ("v2", 1)]
    assert {completion.weights_version for group in groups for completion in group.completions} == {4}
    assert worker._engine.log == [(2, 1, 0.0), "drop"]
    worker.generate(tasks, [1, 2], num_samples=3, temperature=1.0)
    assert worker._engine.log[2:] == [(2, 3, 1.0)]  # samples stay in the cache until the next weights
