"""Tests the overlapped loop with fakes: the order of samples does not depend on the speed of the engines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.causal_parts import Engines, Learner, Rewards, run, tasks_of
from vaserl.errors import ParityError
from vaserl.grpo.checks import StalenessError
from vaserl.types import Completion, Group

STEPS, BOUNDS, REFILLS = st.integers(1, 8), st.integers(0, 5), st.integers(0, 2)


@given(num_steps=STEPS, bound=BOUNDS, pace=st.lists(st.integers(0, 3), max_size=20))
def test_train_ahead_learns_every_step_once_in_order_with_samples_of_one_exact_age(num_steps, bound, pace):
    lines, learner = run(bound, num_steps, engines=Engines(pace))
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
def test_train_ahead_samples_refills_with_the_newest_weights(num_steps, bound, max_refills):
    lines, _ = run(bound, num_steps, max_refills=max_refills)
    num_refilled = 0
    for step, scored, _ in (line for line in lines[:-1] if isinstance(line[1], tuple)):
        for one in scored:
            refill = int(one.group.task.id.split(".")[1])
            num_refilled += refill > 0
            versions = {c.weights_version for c in one.group.completions}
            assert versions == {step if refill else max(1, step - bound)}
    assert num_refilled == sum(line[1]["refilled_groups"] for line in lines[:-1] if len(line) == 2)


@given(num_steps=STEPS, bound=BOUNDS, max_refills=REFILLS, pace=st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_train_ahead_does_not_depend_on_the_pace_of_the_engines(num_steps, bound, max_refills, pace):
    paced = run(bound, num_steps, max_refills=max_refills, engines=Engines(pace))
    assert paced[0] == run(bound, num_steps, max_refills=max_refills)[0]


@given(num_steps=STEPS, max_refills=REFILLS)
def test_train_ahead_without_staleness_equals_train(num_steps, max_refills):
    on_policy = run(None, num_steps, max_refills=max_refills)[0]
    assert run(0, num_steps, max_refills=max_refills)[0] == on_policy
    # the fakes can show a difference: samples that are one version old change the run from the second step on
    other = run(1, num_steps, max_refills=max_refills)[0]
    assert other[:3] == on_policy[:3]
    assert (other == on_policy) == (num_steps == 1)


@pytest.mark.parametrize(
    ("served", "words"), [(1, "by weights v1, but the learner has v3"), (9, "by weights v9, but the learner")]
)
def test_train_ahead_never_learns_a_sample_outside_the_bound(served: int, words: str):
    class Stuck(Engines):
        def write(self, task, step):
            group = super().write(task, step)
            wrong = Completion(text="x", token_ids=(1,), logprobs=(0.0,), finish_reason="stop", weights_version=served)
            is_wrong = step == 3 and task.id == "3.0.2"
            return Group(task=task, prompt_ids=(0,), completions=(group.completions[0], wrong)) if is_wrong else group

    learner = Learner()
    with pytest.raises(StalenessError, match=rf"step 3: .* {words}.* max_staleness is 1"):
        run(1, 5, engines=Stuck(), learner=learner)
    assert [batch.step for batch in learner.batches] == [1, 2]


def test_train_ahead_checks_parity_on_samples_of_the_learners_own_version():
    with pytest.raises(ParityError, match=r"step 1: .* 2\.00e-01"):
        run(1, 3, learner=Learner(gaps=[0.2]))
    with pytest.raises(ParityError, match=r"step 2: .* 2\.00e-01"):
        run(0, 3, learner=Learner(gaps=[0.0, 0.2]))
    # the same difference one version later is a change of the policy, and the message names it so
    lines, _ = run(1, 3, learner=Learner(gaps=[0.0, 0.2, 0.3]))
    metrics = [line[1] for line in lines[:-1] if len(line) == 2]
    told = [{name: v for name, v in values.items() if name.startswith("logprob_")} for values in metrics]
    assert told == [{"logprob_gap": 0.0}, {"logprob_drift": 0.2}, {"logprob_drift": 0.3}]


@pytest.mark.parametrize("where", ["serve", "write", "score", "learn"])
def test_train_ahead_stops_with_the_error_of_the_part_that_failed(where: str):
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
        def learn(self, batch, loss, temperature):
            if where == "learn" and batch.step == 3:
                raise OSError("learn broke")
            return super().learn(batch, loss, temperature)

    learner = BrokenLearner()
    with pytest.raises(OSError, match=f"{where} broke"):
        run(1, 6, engines=Broken(), rewards=BrokenRewards(), learner=learner)
    # a version that can't be served stops the step that it would have sampled, not the one sampled before
    assert [batch.step for batch in learner.batches] == [1, 2]
