"""Tests rescoring of recorded runs against numbers by hand."""

import json
from pathlib import Path

import pytest

from tests.fakes.recordings import recording
from tests.fakes.scored_groups import group_of
from vaserl.commands.__main__ import main
from vaserl.grpo.advantage import advantages, group_advantages
from vaserl.rewards import load_scorer
from vaserl.runs.rescore import rescore, spearman
from vaserl.runs.run import Run
from vaserl.settings import DataSettings, ModelSettings, TrainSettings

REWARDS = """
def few_words(task, completion):
    return -float(len(completion.text.split()))

def many_tokens(task, completion):
    return float(len(completion.token_ids))

def flat(task, completion):
    return 1.0
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Returns a run of two steps whose reward was higher for fewer words; one task occurs twice in the second step."""
    (tmp_path / "mine.py").write_text(REWARDS)
    scorer = load_scorer([f"{tmp_path / 'mine.py'}:few_words"])
    settings = TrainSettings(
        run_dir=tmp_path / "run", num_steps=2, model=ModelSettings(path=Path("m")), data=DataSettings(path=Path("d"))
    )
    run = Run(tmp_path / "run")
    with recording(run, settings) as recorder:
        for step, groups in enumerate(
            ([group_of("v1", "a", "b c", "d e f")], [group_of("v2", "a b", "c"), group_of("v2", "x", "y")])
        ):
            scored = scorer.score_all(groups)
            recorder.rollouts(step + 1, scored, advantages(scored))
    return run


def test_rescore_with_the_same_reward_changes_nothing(run: Run):
    result = rescore(run, load_scorer([f"{run.path.parent / 'mine.py'}:few_words"]))
    assert (result.num_completions, result.num_groups) == (7, 3)
    assert (result.rank_correlation, result.rank_correlation_in_group) == (pytest.approx(1), pytest.approx(1))
    assert (result.sign_changes, result.lost, result.gained) == (0, 0, 0)
    assert (result.old_version, result.new_version) == ("vase-reward/2", None)  # the config's default
    assert result.old_mean == result.new_mean == pytest.approx(-(1 + 2 + 3 + 2 + 1 + 1 + 1) / 7)
    assert all(change.old_advantage == change.new_advantage for change in result.biggest)


def test_rescore_with_the_opposite_reward_by_hand(run: Run):
    # tokens here are letters: 1, 3, 5 | 3, 1 | 1, 1, so the order within each group is reversed
    result = rescore(run, load_scorer([f"{run.path.parent / 'mine.py'}:many_tokens"]), num_biggest=3)
    assert result.rank_correlation == pytest.approx(-1)
    assert result.rank_correlation_in_group == pytest.approx(-1)  # over the two groups that vary
    # the middle one of three has advantage 0 under both, the last group has none
    assert result.sign_changes == pytest.approx(4 / 7)
    assert (result.lost, result.gained) == (0, 0)
    of_three = group_advantages([1.0, 3.0, 5.0])
    first = result.biggest[0]
    assert (first.step, first.task, len(result.biggest)) == (1, "v1", 3)
    assert {c.member for c in result.biggest[:2]} == {0, 2}
    assert abs(first.new_advantage) == pytest.approx(of_three[2])


def test_rescore_with_a_flat_reward_loses_every_advantage(run: Run):
    result = rescore(run, load_scorer([f"{run.path.parent / 'mine.py'}:flat"]))
    assert (result.rank_correlation, result.rank_correlation_in_group) == (None, None)
    assert (result.sign_changes, result.lost) == (0, pytest.approx(4 / 7))


def test_rescore_gives_the_vase_reward_the_stored_records(run: Run):
    result = rescore(run, load_scorer(["vaserl.rewards:VaseReward"]))
    # no dimension is stated, and every text is too short: the reward is -0.1
    assert {change.new_reward for change in result.biggest} == {-0.1}


def test_rescore_punishes_length_as_the_run_did(run: Run):
    text = run.config_file.read_text()
    assert "max_new_tokens = 256" in text
    assert "[overlong]\nnum_tokens = 0" in text
    text = text.replace("max_new_tokens = 256", "max_new_tokens = 5")
    run.config_file.write_text(text.replace("[overlong]\nnum_tokens = 0", "[overlong]\nnum_tokens = 4"))
    result = rescore(run, load_scorer([f"{run.path.parent / 'mine.py'}:flat"]))
    # 1, 3, 5 | 3, 1 | 1, 1 tokens: of a limit of 5 the last 4 are soft, so 0, 1/2 and 1 come off the flat reward
    assert result.new_mean == pytest.approx(1 - (0.5 + 1 + 0.5) / 7)
    assert (result.sign_changes, result.lost) == (0, 0)  # again the shorter ones are preferred


def test_rescore_credits_parts_as_the_run_did(run: Run):
    text = run.config_file.read_text()
    assert "per_dimension = false" in text
    run.config_file.write_text(text.replace("per_dimension = false", "per_dimension = true"))
    by_part = rescore(run, load_scorer(["vaserl.rewards:VaseReward"]))
    assert by_part.num_completions == 7
    # a reward without those parts is credited on its sum
    same = rescore(run, load_scorer([f"{run.path.parent / 'mine.py'}:few_words"]))
    assert same.sign_changes == 0


def test_spearman_by_hand():
    # ranks 1, 2.5, 2.5, 4 and 2, 1, 3, 4: from their mean -1.5, 0, 0, 1.5 and -0.5, -1.5, 0.5, 1.5
    assert spearman([0, 1, 1, 2], [5, 4, 6, 7]) == pytest.approx(3 / (4.5 * 5) ** 0.5)
    assert spearman([1, 1], [1, 2]) is None
    assert spearman([1], [1]) is None


def test_rescore_command_prints_a_table_or_json(run: Run, capsys):
    name = f"{run.path.parent / 'mine.py'}:many_tokens"
    assert main(["rescore", str(run.path), "--reward", name]) == 0
    printed = capsys.readouterr().out
    assert "7 completions in 3 groups" in printed
    assert "57.1% change sign" in printed
    assert "d e f" in printed
    assert main(["rescore", str(run.path), "--reward", name, "--json", "--biggest", "2"]) == 0
    assert len(json.loads(capsys.readouterr().out)["biggest"]) == 2


def test_rescore_command_explains_what_it_can_not_read(run: Run, tmp_path: Path, capsys):
    name = f"{run.path.parent / 'mine.py'}:flat"
    run.path.rename(tmp_path / "grpo")
    assert main(["rescore", str(tmp_path), "--reward", name]) == 2
    assert f"did you mean {tmp_path / 'grpo'}?" in capsys.readouterr().err
    (tmp_path / "grpo" / "rollouts" / "step=00002.parquet").write_text("no parquet")
    assert main(["rescore", str(tmp_path / "grpo"), "--reward", name]) == 2
    assert "step=00002.parquet is not a parquet file" in capsys.readouterr().err


def test_rescore_says_of_which_version_the_scores_are(run: Run, capsys):
    versions = run.path / "versions.json"
    found = json.loads(versions.read_text())
    assert found.pop("vase_reward") == "vase-reward/2"
    result = rescore(run, load_scorer(["vaserl.rewards:VaseReward"]))
    assert (result.old_version, result.new_version) == ("vase-reward/2", "vase-reward/2")
    versions.write_text(json.dumps(found))  # as runs were written before the version was recorded
    main(["rescore", str(run.path), "--reward", "vaserl.rewards:VaseReward"])
    assert "vase-reward/1 -> vase-reward/2" in capsys.readouterr().out
