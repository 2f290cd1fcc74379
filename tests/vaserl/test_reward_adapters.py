"""Reward functions of other trainers run unchanged: TRL's own ones, and the forms of verl and OpenRLHF."""

from pathlib import Path

import pytest

from vaserl.reward_call import RewardError
from vaserl.scoring import Scorer, load_scorer, make_scorer
from vaserl.settings import RewardSettings
from vaserl.types import DIMENSIONS, Completion, Group, Task

TEXTS = ("<think>\nslim\n</think>\na lekythos", "a kylix", "An Athenian lekythos")
TASK = Task(
    id="v1/caption",
    clip="c0ffee",
    prompt="Describe the vase.",
    dimensions=DIMENSIONS,
    record={"Shape Name": "LEKYTHOS"},
    reference="A lekythos.",
)
GROUP = Group(
    task=TASK,
    prompt_ids=(),
    completions=tuple(
        Completion(text=t, token_ids=tuple(range(n)), logprobs=(), finish_reason="stop", weights_version=41)
        for t, n in zip(TEXTS, (9, 2, 4), strict=True)
    ),
)


def scorer_of(tmp_path: Path, form: str, code: str, **arguments) -> Scorer:
    path = tmp_path / "foreign.py"
    path.write_text(code)
    return make_scorer(RewardSettings(functions=(f"{form}+{path}:f",), arguments={"f": arguments}))


def totals(scorer: Scorer) -> list[float]:
    return [score.total for score in scorer.score(GROUP).scores]


def test_a_reward_that_trl_ships_runs_unchanged():
    scorer = load_scorer(["trl+trl.rewards:think_format_reward"])
    assert totals(scorer) == [1.0, 0.0, 0.0]


TRL = """
def f(prompts, completions, completion_ids, trainer_state, log_metric, log_extra, solution, record, weight=1.0, **rest):
    assert prompts == [[{"role": "user", "content": "Describe the vase."}]] * 3
    assert [c[0]["role"] for c in completions] == ["assistant"] * 3
    assert trainer_state.global_step == 41
    assert rest["task"] == ["v1/caption"] * 3 and rest["clip"] == ["c0ffee"] * 3
    log_extra("solution", solution)
    log_metric("mean_tokens", sum(map(len, completion_ids)) / 3)
    found = [r["Shape Name"].lower() in c[0]["content"] for r, c in zip(record, completions)]
    return [None if c[0]["content"] == "a kylix" else weight * hit for c, hit in zip(completions, found)]
"""


def test_trl_conversations_columns_metrics_and_none(tmp_path: Path):
    scores = scorer_of(tmp_path, "trl", TRL, weight=0.5).score(GROUP).scores
    # None has nothing to say: the mean of the others
    assert [score.total for score in scores] == [0.5, 0.5, 0.5]
    assert [dict(score.parts) for score in scores] == [{"mean_tokens": 5.0}, {}, {"mean_tokens": 5.0}]


def test_trl_texts_async_and_without_keywords_of_its_own(tmp_path: Path):
    code = """
async def f(completions, reference):
    return [len(c) / len(r) for c, r in zip(completions, reference)]
"""
    assert totals(scorer_of(tmp_path, "trl-text", code)) == [len(t) / len("A lekythos.") for t in TEXTS]


VERL = """
def f(data_source, solution_str, ground_truth, extra_info=None, bonus=0.0):
    assert data_source == "vaserl" and extra_info["index"] == "v1/caption"
    hit = ground_truth.split()[1].rstrip(".") in solution_str
    return {"score": hit + bonus, "acc": hit, "pred": solution_str, "none": None}
"""


def test_verl_dicts_become_parts(tmp_path: Path):
    scores = scorer_of(tmp_path, "verl", VERL, bonus=0.25).score(GROUP).scores
    assert [score.total for score in scores] == [1.25, 0.25, 1.25]
    assert [dict(score.parts) for score in scores] == [{"acc": 1.0}, {"acc": 0.0}, {"acc": 1.0}]


def test_verl_numbers_async_and_batches(tmp_path: Path):
    one = "async def f(data_source, solution_str, ground_truth, extra_info):\n    return len(solution_str)\n"
    assert totals(scorer_of(tmp_path, "verl", one)) == [len(t) for t in TEXTS]
    batch = (
        "def f(data_sources, solution_strs, ground_truths, extra_infos, **kwargs):\n"
        "    return [{'score': len(s)} for s in solution_strs]\n"
    )
    assert totals(scorer_of(tmp_path, "verl-batch", batch)) == [len(t) for t in TEXTS]


OPENRLHF = """
import torch

def f(queries, prompts, labels, **kwargs):
    answers = [q[len(p):] for q, p in zip(queries, prompts)]
    rewards = torch.tensor([float(l.lower().rstrip(".").split()[1] in a) for a, l in zip(answers, labels)])
    logs = {"words": torch.tensor([float(len(a.split())) for a in answers]), "hits": rewards.mean(), "note": "x"}
    return {"rewards": rewards, "scores": rewards, "extra_logs": logs}
"""


def test_openrlhf_tensors_and_logs(tmp_path: Path):
    scores = scorer_of(tmp_path, "openrlhf", OPENRLHF).score(GROUP).scores
    assert [score.total for score in scores] == [1.0, 0.0, 1.0]
    assert [score.parts["words"] for score in scores] == [5, 2, 3]
    assert scores[0].parts["hits"] == pytest.approx(2 / 3)
    assert "note" not in scores[0].parts
    plain = "import torch\ndef f(queries, prompts, labels):\n    return torch.ones(len(queries))\n"
    assert totals(scorer_of(tmp_path, "openrlhf", plain)) == [1.0] * 3


def test_a_foreign_function_that_breaks_is_named(tmp_path: Path):
    scorer = scorer_of(tmp_path, "trl", "def f(completions, **kwargs):\n    return [1.0]\n")
    with pytest.raises(RewardError, match=r"foreign\.py:f gave 1 scores for v1/caption, of 3"):
        scorer.score(GROUP)
    scorer = scorer_of(tmp_path, "verl", "def f(data_source, solution_str, ground_truth, nonesuch):\n    return 1\n")
    with pytest.raises(RewardError, match=r"foreign\.py:f failed on v1/caption, completion 0: TypeError.*nonesuch"):
        scorer.score(GROUP)
