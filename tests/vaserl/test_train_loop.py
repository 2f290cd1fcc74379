"""The loop against ten-line fakes: order of work, versions, and the parity gate."""

from contextlib import contextmanager
from functools import partial

import pytest

from vaserl.advantage import credit
from vaserl.train import ParityError, train
from vaserl.types import DIMENSIONS, Completion, Group, Score, ScoredGroup, Task, Update, Weights

TASK = Task(id="t", clip="c", prompt="p", dimensions=DIMENSIONS, record={}, reference="")


class World:
    """Engines, rewards, learner and recorder in one, writing down what happens."""

    def __init__(self, gap: float = 0.0):
        self.log: list[str] = []
        self.lines: list[tuple[int, dict[str, float]]] = []
        self.gap, self.version = gap, 0

    def generate(self, tasks, step):
        self.log.append(f"generate {step} with v{self.version}")
        completions = tuple(
            Completion(text="x", token_ids=(1,), logprobs=(-1.0,), finish_reason="stop", weights_version=self.version)
            for _ in range(2)
        )
        return [Group(task=task, prompt_ids=(0,), completions=completions) for task in tasks]

    def publish(self, weights):
        self.version = weights.version
        self.log.append(f"publish v{weights.version}")

    def score(self, groups):
        scores = (Score(total=0.0, parts={"fabric": 0.0}), Score(total=1.0, parts={"fabric": 1.0}))
        return [ScoredGroup(group=group, scores=scores) for group in groups]

    def learn(self, batch):
        self.log.append(f"learn {batch.step}: {[s.advantage for g in batch.groups for s in g.samples]}")
        return Update(step=batch.step, metrics={"loss": 0.5, "logprob_gap": self.gap})

    def weights(self, version):
        return Weights(version=version, files={}, digest="")

    @contextmanager
    def phase(self, step, name):
        self.log.append(f"{name} begins")
        yield

    def metrics(self, step, values):
        self.lines.append((step, values))

    def rollouts(self, step, scored, credit_P_G):
        self.log.append(f"rollouts {step}")


def run(world: World, num_steps: int, **more) -> Weights:
    return train(
        draw_tasks=lambda step: [TASK],
        rollout=world,
        rewards=world,
        learner=world,
        recorder=world,
        on_step=lambda step, values, weights: world.log.append(f"step {step} done with v{weights.version}"),
        num_steps=num_steps,
        credit=partial(credit, normalise=False),
        keep_without_signal=False,
        max_logprob_gap=0.1,
        **more,
    )


def test_a_step_is_sample_score_credit_learn_publish():
    world = World()
    assert run(world, 2).version == 3
    assert world.log == [
        "publish v1",
        *("rollout begins", "generate 1 with v1", "reward begins", "learn begins", "learn 1: [-0.5, 0.5]"),
        *("publish begins", "publish v2", "rollouts 1", "step 1 done with v2"),
        *("rollout begins", "generate 2 with v2", "reward begins", "learn begins", "learn 2: [-0.5, 0.5]"),
        *("publish begins", "publish v3", "rollouts 2", "step 2 done with v3"),
    ]
    step, values = world.lines[1]
    assert (step, values["reward/mean"], values["reward/fabric"], values["loss"]) == (2, 0.5, 0.5, 0.5)


def test_a_run_adds_metrics_of_its_own():
    world = World()
    run(world, 2, extra_metrics=lambda scored: {"reward/constant_baseline": 0.25 * len(scored)})
    assert [values["reward/constant_baseline"] for _, values in world.lines] == [0.25, 0.25]


def test_learner_and_engine_that_part_stop_the_run():
    with pytest.raises(ParityError, match=r"step 1: .* 2\.00e-01 .* limit is 1\.00e-01"):
        run(World(gap=0.2), 2)
