"""Tests reward workers as Ray actors: they receive the reward's code, which is compared before the run, and scores come
back in order."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.placement import placed
from actors.reward import RewardPool, RewardWorker
from vaserl.errors import UserError
from vaserl.planning.requests import actor_request
from vaserl.rewards import make_scorer, read_sources
from vaserl.rewards.vase import VaseReward, reference_caption
from vaserl.settings import ClusterSettings, RewardSettings
from vaserl.types import DIMENSIONS, Completion, Group, Task

CODE = """
import os
from counting import num_words

def words(task, completion, scale=1.0):
    return scale * num_words(completion.text)

def process(task, completion):
    return float(os.getpid())

def broken(task, completion):
    raise KeyError(completion.text)
"""


def group(name: str, *texts: str, record: dict[str, str] | None = None) -> Group:
    record = record or {}
    reference = reference_caption(record) if record else ""
    task = Task(id=name, clip="", prompt="", dimensions=DIMENSIONS, record=record, reference=reference)
    completions = tuple(
        Completion(text=t, token_ids=(1, 2), logprobs=(-1.0, -2.0), finish_reason="stop", weights_version=1)
        for t in texts
    )
    return Group(task=task, prompt_ids=(7,), completions=completions)


@contextmanager
def pool(settings: RewardSettings):
    with placed({"reward": actor_request(settings)}, ClusterSettings()) as placement:
        yield RewardPool(settings, placement["reward"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    (tmp_path / "counting.py").write_text("def num_words(text):\n    return len(text.split())\n")
    return path


def test_reward_pool_ships_a_file_and_scores_in_order(cluster, file: Path):
    settings = RewardSettings(
        functions=(f"{file}:words", f"{file}:process"),
        weights=(1.0, 0.0),
        arguments={"words": {"scale": 0.5}},
        num_workers=3,
    )
    with pool(settings) as rewards:
        file.unlink()  # the workers have no copy of the file, nor of the files that it imports
        file.with_name("counting.py").unlink()
        rewards.wait_until_ready()
        groups = [group(f"v{n}", "a " * n, "a") for n in range(7)]
        first = rewards.submit(groups)
        second = rewards.submit(groups[:1])
        scored = rewards.collect(first)
        assert [s.group for s in scored] == groups
        assert [[score.total for score in s.scores] for s in scored] == [[0.5 * n, 0.5] for n in range(7)]
        assert len({score.parts["process/total"] for s in scored for score in s.scores}) == 3
        assert rewards.collect(second)[0].scores[1].total == 0.5
        assert rewards.score([]) == []
        assert set(rewards.sha256) == {f"{file}:words", f"{file}:process"}
        assert len(set(rewards.sha256.values())) == 1  # both functions are in one file


def test_reward_pool_refuses_other_code_on_a_worker_with_a_table(cluster, tmp_path: Path, monkeypatch):
    module = tmp_path / "installed_reward.py"
    module.write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    settings = RewardSettings(functions=("installed_reward:words",), num_workers=2)
    # the workers' search path lacks the driver's folder
    with pool(settings) as rewards, pytest.raises(UserError, match="not the same everywhere") as raised:
        rewards.wait_until_ready()
    lines = str(raised.value).splitlines()
    assert len([line for line in lines if "installed_reward:words" in line and "can't be imported" in line]) == 2
    assert "path/to/file.py:function" in lines[-1]


def test_reward_worker_compares_the_hash_before_it_runs_the_code(tmp_path: Path, monkeypatch):
    module = tmp_path / "changing_reward.py"
    module.write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    settings = RewardSettings(functions=("changing_reward:words",))
    sources = read_sources(settings)
    module.write_text("raise SystemExit('this must not run')\n")
    host, found = RewardWorker().load(settings, sources)
    assert host
    assert found["changing_reward:words"] not in ("", sources[0].sha256)


def test_reward_pool_prepare_reaches_the_functions_that_learn(cluster):
    records = [{"Fabric": "ATHENIAN", "Decoration": f"WARRIOR, {beast}"} for beast in ("LION", "OWL", "SIREN")]
    settings = RewardSettings(functions=("vaserl.rewards:VaseReward",), num_workers=2)
    groups = [group(f"v{n}", "An Athenian vase showing a lion.", record=r) for n, r in enumerate(records)]
    with pool(settings) as rewards:
        rewards.wait_until_ready()
        before = rewards.score(groups)
        rewards.prepare(records)
        after = rewards.score(groups)
    here = make_scorer(settings)
    assert [s.scores for s in before] == [here.score(g).scores for g in groups]
    here.prepare(records)
    assert [s.scores for s in after] == [here.score(g).scores for g in groups]
    # two words of equal weight: F1 = 2/3; the rarer lion weighs more
    assert before[0].scores[0].parts["raw/decoration"] == pytest.approx(2 / 3)
    assert after[0].scores[0].parts["raw/decoration"] > 0.7
    assert isinstance(here.rewards[0].function, VaseReward)


def test_reward_pool_names_the_sample_of_a_broken_function(cluster, file: Path):
    with pool(RewardSettings(functions=(f"{file}:broken",))) as rewards:
        rewards.wait_until_ready()
        with pytest.raises(Exception, match=r"mine\.py:broken failed on v1/caption, completion 0: KeyError\('x y'\)"):
            rewards.score([group("v1/caption", "x y")])


def test_reward_pool_names_the_setting_of_its_timeout(cluster, tmp_path: Path):
    path = tmp_path / "slow.py"
    path.write_text("import time\ndef slow(task, completion):\n    time.sleep(30)\n    return 1.0\n")
    with pool(RewardSettings(functions=(f"{path}:slow",), timeout_s=20)) as rewards:
        rewards.wait_until_ready()
        rewards._pool._timeout_s = 0.5
        with pytest.raises(TimeoutError, match=r"the reward actors .* score within 0\.5 s \(reward\.timeout_s\)"):
            rewards.score([group("v1", "x")])
