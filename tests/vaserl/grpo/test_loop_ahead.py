"""The overlapped loop against fakes: the same samples in the same order, however fast or slow the engines are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.causal_parts import Engines, Learner, Rewards, ahead, run, tasks_of
from vaserl.grpo.loop import ParityError, train
from vaserl.grpo.loop_ahead import StalenessError
from vaserl.types import Completion, Group

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
