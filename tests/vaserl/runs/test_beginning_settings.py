"""Tests how a run continues with changed settings and inputs."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.interrupted_run import begin, interrupted, settings_of, take_step
from tests.fakes.recordings import StateLearner, recording
from vaserl.errors import UserError
from vaserl.runs.run import Run
from vaserl.settings import TrainSettings

pytestmark = pytest.mark.usefixtures("unsynced")


@pytest.mark.parametrize(
    "changes",
    [
        {"trackers": ["tensorboard"]},
        {"checkpoint": {"every": 3, "keep_every": 2}},
        {"rollout": {"num_cpus": 3}},
        {"features": {"max_gb": 3}},
        {"reward": {"num_workers": 3, "timeout_s": 5}},
        {"validation": {"every": 2}},
        {"learner": {"max_nonfinite_steps": 5}},
        {"save_every": 2},
    ],
)
def test_begun_continues_with_settings_that_change_no_result(run: Run, changes: dict[str, Any], capsys):
    assert begin(run, settings_of().model_validate(_merged(settings_of().model_dump(), changes))).after_step == 3
    assert "rounding" not in capsys.readouterr().err


def test_begun_takes_another_timeout_of_a_service_but_no_other_score_for_its_failures(tmp_path: Path):
    run = Run(tmp_path / "run")

    def settings(**remote: Any) -> TrainSettings:
        return settings_of(reward={"remote": {"VaseReward": {"retries": 1} | remote}})

    interrupted(run, settings=settings())
    assert begin(run, settings(timeout_s=9, retries=7)).after_step == 3
    with pytest.raises(UserError, match=r"reward\.remote\.VaseReward\.on_failure: \"?stop\"? -> \"?neutral"):
        begin(run, settings(on_failure="neutral"))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"learner": {"num_ranks": 2}}, "learner.num_ranks: 1 -> 2"),
        ({"rollout": {"num_workers": 2}}, "rollout.num_workers: 1 -> 2"),
        ({"features": {"num_workers": 0}}, "features.num_workers: 1 -> 0"),  # other kernels encode the clips then
    ],
)
def test_begun_says_which_settings_change_the_rounding(run: Run, changes: dict[str, Any], line: str, capsys):
    assert begin(run, settings_of(**changes)).after_step == 3
    assert f"{line}; the rest of the run may differ by rounding" in capsys.readouterr().err


def test_begun_refuses_settings_that_change_the_result_and_names_them(run: Run):
    before = sorted(run.path.rglob("*"))
    with pytest.raises(UserError) as raised:
        begin(run, settings_of(seed=1, loss={"beta": 0.5}, rollout={"num_workers": 2}))
    lines = str(raised.value).splitlines()
    assert "with these would change its result" in lines[0]
    assert lines[1:3] == ["  loss.beta: 0.0 -> 0.5", "  seed: 0 -> 1"]  # num_workers is not among them
    assert "--fresh" in lines[3] and "--run_dir" in lines[3]
    assert (sorted(run.path.rglob("*")), run.settings.seed) == (before, 0)


def test_begun_takes_more_steps_only_with_a_constant_learning_rate(tmp_path: Path):
    constant, cosine = Run(tmp_path / "constant"), Run(tmp_path / "cosine")
    schedule = {"learner": {"schedule": "cosine"}}
    interrupted(constant)
    interrupted(cosine, settings=settings_of(**schedule))
    longer = {"num_steps": 8}
    assert begin(constant, settings_of().model_copy(update=longer), num_steps=8).after_step == 3
    with pytest.raises(UserError, match="num_steps: 5 -> 8"):
        begin(cosine, settings_of(**schedule).model_copy(update=longer), num_steps=8)
    fewer = {"num_steps": 2}
    with pytest.raises(UserError, match="has 3 finished steps, but the settings ask for 2 only"):
        begin(constant, settings_of().model_copy(update=fewer), num_steps=2)


def test_begun_refuses_other_inputs_and_names_them(tmp_path: Path):
    run = Run(tmp_path / "run")
    rewards = {"mine:reward": "ab", "mine:penalty": "cd"}
    with recording(run, settings_of(), reward_sha256=rewards) as recorder:
        take_step(recorder, 1, StateLearner())
        recorder.stop("a test")
    assert begin(run, reward_sha256=rewards).after_step == 1
    for given, names in [
        ({"data_sha256": "1" * 64}, "data set"),
        ({"reward_sha256": rewards | {"mine:penalty": "ce"}}, "reward mine:penalty"),
        ({"data_sha256": "1" * 64, "reward_sha256": {"mine:reward": "x"}}, "data set, reward mine:reward"),
    ]:
        with pytest.raises(UserError, match=f"the content of these inputs has changed: {names}\\. Restore them"):
            begin(run, **({"reward_sha256": rewards} | given))


def test_begun_continues_a_run_that_was_stopped_early_with_another_rule(tmp_path: Path):
    run = Run(tmp_path / "run")
    interrupted(run, settings=settings_of(validation={"every": 1, "stop_after": 1}))
    run.write_finished(steps=3, reason="no gain", stopped_early=True)
    assert begin(run, settings_of(validation={"every": 1, "stop_after": 1})).is_finished
    found = begin(run, settings_of(validation={"every": 1, "stop_after": 4}))
    assert (found.is_finished, found.after_step) == (False, 3)


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _merged(values[name], changes[name]) if isinstance(values[name], dict) and name in changes else value
        for name, value in (values | {k: v for k, v in changes.items() if not isinstance(v, dict)}).items()
    }
