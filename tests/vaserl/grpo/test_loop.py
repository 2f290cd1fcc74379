"""Tests the on-policy loop with fakes: order of work, versions, and the parity check."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.fakes.settings import train_settings
from vaserl.errors import ParityError, UserError
from vaserl.grpo.baseline import ConstantBaseline
from vaserl.grpo.checks import check_parity
from vaserl.grpo.grpo import Grpo
from vaserl.grpo.loop import train
from vaserl.types import DIMENSIONS, Completion, Group, Publication, Score, ScoredGroup, Task, Update, Weights

TASK = Task(id="t", clip="c", prompt="p", dimensions=DIMENSIONS, record={}, reference="")


class World:
    """A fake that is engines, rewards, learner and recorder in one, with a log of their calls."""

    def __init__(self, gap: float = 0.0, dead: int = 0):
        self.log: list[str] = []
        self.lines: list[tuple[int, dict[str, float]]] = []
        self.gap, self.version, self.dead = gap, 0, dead

    def generate(self, tasks, step, refill):
        self.log.append(f"generate {step} with v{self.version}")
        if refill:
            self.log[-1] += f", refill {refill}: {[task.id for task in tasks]}"
        completions = tuple(
            Completion(text="x", token_ids=(1,), logprobs=(-1.0,), finish_reason="stop", weights_version=self.version)
            for _ in range(2)
        )
        return [Group(task=task, prompt_ids=(0,), completions=completions) for task in tasks]

    def greedy(self, tasks):
        raise AssertionError("the run has no validation")

    def publish(self, weights):
        self.version = weights.version
        self.log.append(f"publish v{weights.version}")
        return Publication(version=weights.version, fingerprint_gap=weights.version / 1000, seconds={})

    def score(self, groups):
        """Scores groups: the first `dead` of them get equal rewards."""
        dead, self.dead = min(self.dead, len(groups)), max(0, self.dead - len(groups))
        first = [1.0 if index < dead else 0.0 for index in range(len(groups))]
        return [
            ScoredGroup(group=group, scores=tuple(Score(total=r, parts={"fabric": r}) for r in (low, 1.0)))
            for group, low in zip(groups, first, strict=True)
        ]

    def learn(self, batch, loss, temperature):
        self.log.append(f"learn {batch.step}: {[s.advantage for g in batch.groups for s in g.samples]}")
        return Update(step=batch.step, metrics={"loss": 0.5, "logprob_gap": self.gap})

    def weights(self, version):
        return Weights(version=version, files={}, digest="")

    def pieces(self, step, phase, seconds):
        pass

    @contextmanager
    def phase(self, step, name):
        self.log.append(f"{name} begins")
        yield

    def metrics(self, step, values):
        self.lines.append((step, values))

    def rollouts(self, step, scored, advantages_P_G):
        self.log.append(f"rollouts {step}")

    def keep(self, step, weights, learner, validation):
        self.log.append(f"keep v{weights.version} of step {step}")

    def save(self, folder):
        raise AssertionError("the recorder saves")


class NumberedTasks(Grpo):
    """A run whose tasks are named after the step, the refill and their index: "1.0.2"."""

    def tasks_of(self, step, refill):
        return [replace(TASK, id=f"{step}.{refill}.{i}") for i in range(self.settings.tasks_per_step)]


def run(world: World, num_steps: int, *, baseline: ConstantBaseline | None = None, **settings) -> Weights:
    loss = {"normalise_advantages": False}
    grpo = NumberedTasks(
        settings=train_settings(num_steps=num_steps, loss=loss, **settings), tasks=(), baseline=baseline
    )
    return train(grpo, world, world, world, world)


def test_train_samples_scores_learns_and_publishes_in_each_step():
    world = World()
    assert run(world, 2).version == 3
    assert world.log == [
        "publish v1",
        *("rollout begins", "generate 1 with v1", "reward begins", "learn begins", "learn 1: [-0.5, 0.5]"),
        *("rollouts 1", "publish begins", "publish v2", "keep v2 of step 1"),
        *("rollout begins", "generate 2 with v2", "reward begins", "learn begins", "learn 2: [-0.5, 0.5]"),
        *("rollouts 2", "publish begins", "publish v3", "keep v3 of step 2"),
    ]
    step, values = world.lines[1]
    assert (step, values["reward/mean"], values["reward/fabric"], values["loss"]) == (2, 0.5, 0.5, 0.5)
    assert values["publish/fingerprint_gap"] == 0.002  # of version 2, which sampled the step's completions


def test_train_replaces_groups_without_signal_before_the_step_learns():
    world = World(dead=4)  # the three of the first draw, and one of the first refill
    run(world, 1, max_refills=4, tasks_per_step=3)
    assert world.log == [
        "publish v1",
        *("rollout begins", "generate 1 with v1", "reward begins"),
        *("rollout begins", "generate 1 with v1, refill 1: ['1.1.0', '1.1.1', '1.1.2']", "reward begins"),
        *("rollout begins", "generate 1 with v1, refill 2: ['1.2.0']", "reward begins"),
        *("learn begins", "learn 1: [-0.5, 0.5, -0.5, 0.5, -0.5, 0.5]"),
        *("rollouts 1", "publish begins", "publish v2", "keep v2 of step 1"),
    ]
    ((_, values),) = world.lines
    counts = ("refills", "refilled_groups", "dropped_groups", "learned_completions")
    assert [values[name] for name in counts] == [2, 4, 4, 6]
    assert values["zero_variance_share"] == 4 / 7  # of all that were drawn


def test_train_adds_the_constant_baseline_to_the_metrics():
    world = World()
    run(world, 2, baseline=ConstantBaseline("a vase"))
    # the first completion of a group earns 0
    assert [values["reward/constant_baseline"] for _, values in world.lines] == [0.0, 0.0]


def test_train_stops_when_learner_and_engine_differ():
    with pytest.raises(ParityError, match=r"step 1: .* 2\.00e-01 .* limit is 1\.00e-01"):
        run(World(gap=0.2), 2)


def test_train_records_a_step_before_its_weights_are_published():
    """The evidence for a failure must be there when the engines refuse the weights."""

    class Refusing(World):
        def publish(self, weights):
            if weights.version == 3:
                raise ParityError("engine 0 does not serve version 3")
            return super().publish(weights)

    world = Refusing()
    with pytest.raises(ParityError, match="version 3"):
        run(world, 4)
    assert [step for step, _ in world.lines] == [1, 2]
    assert "rollouts 2" in world.log
    assert "keep v3 of step 2" not in world.log


@pytest.mark.parametrize("dead", [0, 99])
def test_train_ends_with_an_error_if_no_step_trained_anything(dead: int):
    world = World(dead=dead)
    if dead:
        with pytest.raises(UserError, match="none of the run's 2 steps trained anything"):
            run(world, 2)
    else:
        run(world, 2)


@pytest.mark.parametrize(("share", "stops"), [(0.01, False), (0.02, True)])
def test_check_parity_stops_on_missing_logprobs(share: float, stops: bool):
    if stops:
        with pytest.raises(ParityError, match=r"step 3: the engine returned no log-probability for 2\.0%"):
            check_parity(3, {"engine_missing": share}, 1.0)
    else:
        check_parity(3, {"engine_missing": share}, 1.0)
