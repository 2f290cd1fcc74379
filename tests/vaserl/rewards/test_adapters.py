"""Tests that reward functions of other trainers run unchanged: TRL's own, and those with verl's and OpenRLHF's
signatures."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.vaserl.grpo import test_loss_against_trl
from vaserl.errors import UserError
from vaserl.rewards.adapters import ADAPTERS
from vaserl.rewards.call import RewardError
from vaserl.rewards.scorer import Scorer, load_scorer, make_scorer
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


def test_trl_runs_a_reward_that_trl_ships():
    scorer = load_scorer(["trl+trl.rewards:think_format_reward"])
    assert totals(scorer) == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        # of 9, 2 and 4 tokens: none up to 8 - 4, then (4 - n) / 4, and -1 above 8
        ("get_soft_overlong_punishment", {"max_completion_len": 8, "soft_punish_cache": 4}, [-1.0, 0.0, 0.0]),
        ("get_soft_overlong_punishment", {"max_completion_len": 10, "soft_punish_cache": 4}, [-0.75, 0.0, 0.0]),
        # no 3-gram comes twice
        ("get_repetition_penalty_reward", {"ngram_size": 3, "max_penalty": -1.0}, [0.0, 0.0, 0.0]),
    ],
)
def test_trl_calls_factories_that_trl_ships(name: str, arguments: dict, expected: list[float]):
    functions = (f"trl+trl.rewards:{name}",)
    assert totals(make_scorer(RewardSettings(functions=functions, arguments={name: arguments}))) == expected


def test_factory_explains_a_missing_argument():
    name = "get_soft_overlong_punishment"
    with pytest.raises(UserError, match=r"are incomplete: missing a required argument: 'max_completion_len'"):
        make_scorer(RewardSettings(functions=(f"trl+trl.rewards:{name}",)))


language_model = test_loss_against_trl.language_model  # the fixture
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


@pytest.mark.parametrize("form", ["trl", "trl-text"])
def test_trl_passes_the_keywords_of_trls_own_trainer(form: str, language_model: Path, tmp_path: Path):
    """Checks that a function gets the same keywords, with the same types, from TRL's GRPOTrainer and from the
    adapter."""
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    received: list[dict] = []

    def recording(prompts, completions, completion_ids, trainer_state, log_extra, log_metric, solution, **columns):
        log_metric("mean_tokens", sum(map(len, completion_ids)) / len(completion_ids))
        log_extra("solution", solution)
        received.append(
            {
                "prompts": prompts,
                "completions": completions,
                "completion_ids": completion_ids,
                "global_step": trainer_state.global_step,
                "solution": solution,
                **columns,
            }
        )
        return [float(len(ids)) if ids else None for ids in completion_ids]

    tokenizer = PreTrainedTokenizerFast.from_pretrained(language_model)
    tokenizer.chat_template = TEMPLATE
    prompt = "w1 w2" if form == "trl-text" else [{"role": "user", "content": "w1 w2"}]
    trainer = GRPOTrainer(
        model=Qwen2ForCausalLM.from_pretrained(language_model),
        reward_funcs=recording,
        args=GRPOConfig(
            output_dir=str(tmp_path),
            per_device_train_batch_size=4,
            num_generations=4,
            max_completion_length=5,
            max_steps=1,
            report_to="none",
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            save_strategy="no",
        ),
        train_dataset=Dataset.from_dict({"prompt": [prompt] * 4, "task": ["t"] * 4, "solution": ["w3"] * 4}),
        processing_class=tokenizer,
    )
    trainer.train()
    (by_trl,) = received

    def text(completion) -> str:
        return completion if isinstance(completion, str) else completion[0]["content"]

    group = Group(
        task=replace(TASK, id="t", prompt="w1 w2", reference="w3"),
        prompt_ids=(),
        completions=tuple(
            Completion(text=text(answer), token_ids=tuple(ids), logprobs=(), finish_reason="stop", weights_version=0)
            for answer, ids in zip(by_trl["completions"], by_trl["completion_ids"], strict=True)
        ),
    )
    scores = ADAPTERS[form](recording)(group)
    by_us = received[1]
    assert {name: by_us[name] for name in by_trl} == by_trl
    lengths = [len(ids) for ids in by_trl["completion_ids"]]
    assert [score.total for score in scores] == lengths
    assert scores[0].parts == {"mean_tokens": sum(lengths) / 4}


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


def test_trl_passes_conversations_columns_metrics_and_none(tmp_path: Path):
    scores = scorer_of(tmp_path, "trl", TRL, weight=0.5).score(GROUP).scores
    # None counts as the mean of the others
    assert [score.total for score in scores] == [0.5, 0.5, 0.5]
    assert [dict(score.parts) for score in scores] == [{"mean_tokens": 5.0}, {}, {"mean_tokens": 5.0}]


def test_trl_text_runs_async_functions_with_few_keywords(tmp_path: Path):
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


def test_verl_turns_dicts_into_parts(tmp_path: Path):
    scores = scorer_of(tmp_path, "verl", VERL, bonus=0.25).score(GROUP).scores
    assert [score.total for score in scores] == [1.25, 0.25, 1.25]
    assert [dict(score.parts) for score in scores] == [{"acc": 1.0}, {"acc": 0.0}, {"acc": 1.0}]


def test_verl_reads_numbers_async_and_in_batches(tmp_path: Path):
    one = "async def f(data_source, solution_str, ground_truth, extra_info):\n    return len(solution_str)\n"
    assert totals(scorer_of(tmp_path, "verl", one)) == [len(t) for t in TEXTS]
    batch = (
        "def f(data_sources, solution_strs, ground_truths, extra_infos, **kwargs):\n"
        "    return [{'score': len(s)} for s in solution_strs]\n"
    )
    assert totals(scorer_of(tmp_path, "verl-batch", batch)) == [len(t) for t in TEXTS]


def test_verl_arguments_take_precedence_and_managers_keys_exist(tmp_path: Path):
    code = (
        "def f(data_source, solution_str, ground_truth, extra_info):\n"
        "    assert extra_info['num_turns'] is None and extra_info['rollout_reward_scores'] == {}\n"
        "    return float(data_source == 'openai/gsm8k')\n"
    )
    assert totals(scorer_of(tmp_path, "verl", code, data_source="openai/gsm8k")) == [1.0] * 3
    # a function gets only the keywords that it has as parameters
    assert (
        totals(scorer_of(tmp_path, "verl", "def f(solution_str, ground_truth, score=2.0):\n    return score\n"))
        == [2.0] * 3
    )


OPENRLHF = """
import torch

def f(queries, prompts, labels):
    assert [len(queries), len(prompts), len(labels)] == [1, 1, 1]
    assert queries[0].endswith("<|im_end|>")
    assert prompts[0].startswith("<|im_start|>user\\nDescribe the vase.<|im_end|>")
    answers = [q[len(p):].removesuffix("<|im_end|>") for q, p in zip(queries, prompts)]
    rewards = torch.tensor([float(l.lower().rstrip(".").split()[1] in a) for a, l in zip(answers, labels)])
    logs = {"words": torch.tensor([float(len(a.split())) for a in answers]), "hits": rewards.mean(), "note": "x"}
    return {"rewards": rewards, "scores": rewards, "extra_logs": logs}
"""


def test_openrlhf_reads_tensors_and_logs(tmp_path: Path):
    scores = scorer_of(tmp_path, "openrlhf", OPENRLHF).score(GROUP).scores
    assert [score.total for score in scores] == [1.0, 0.0, 1.0]
    assert [score.parts["words"] for score in scores] == [5, 2, 3]
    assert [score.parts["hits"] for score in scores] == [1.0, 0.0, 1.0]
    assert "note" not in scores[0].parts


@pytest.mark.parametrize(
    "returned", ["torch.ones(len(q))", "1.0", "[1.0]", "{'rewards': torch.tensor(1.0), 'extra_logs': None}"]
)
def test_openrlhf_calls_by_position_and_reads_older_results(tmp_path: Path, returned: str):
    plain = f"import torch\ndef f(q, p, answer, scale=1.0):\n    return {returned}\n"
    assert totals(scorer_of(tmp_path, "openrlhf", plain)) == [1.0] * 3


def test_openrlhf_omits_end_of_turn_of_a_cut_off_completion(tmp_path: Path):
    scorer = scorer_of(tmp_path, "openrlhf", "def f(q, p, l):\n    return float(q[0].endswith('<|im_end|>'))\n")
    cut = replace(GROUP, completions=(replace(GROUP.completions[0], finish_reason="length"), GROUP.completions[1]))
    assert [score.total for score in scorer.score(cut).scores] == [0.0, 1.0]


def test_adapters_name_a_foreign_function_that_breaks(tmp_path: Path):
    scorer = scorer_of(tmp_path, "trl", "def f(completions, **kwargs):\n    return [1.0]\n")
    with pytest.raises(RewardError, match=r"foreign\.py:f returned 1 scores for the 3 completions of v1/caption"):
        scorer.score(GROUP)
    scorer = scorer_of(tmp_path, "verl", "def f(data_source, solution_str, ground_truth, nonesuch):\n    return 1\n")
    with pytest.raises(RewardError, match=r"foreign\.py:f failed on v1/caption, completion 0: TypeError.*nonesuch"):
        scorer.score(GROUP)
