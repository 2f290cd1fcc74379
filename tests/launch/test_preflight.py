"""Tests the checks before the first actor starts, on the tiny model and the small data set."""

from pathlib import Path
from typing import Any

import pytest

from launch.preflight import check_imitation, check_prompts, check_training, tight_limits
from tests.fakes.settings import train_settings
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.policy.fingerprint import PROBE_TEXT
from vaserl.policy.prompt_length import clip_sizes, longest_prompt
from vaserl.policy.prompter import Prompter
from vaserl.settings import SftSettings, TrainSettings
from vaserl.types import Task


@pytest.fixture(scope="module")
def tasks(dataset: Path) -> list[Task]:
    return [vase.caption_task() for vase in DataSet(dataset).vases("train")]


@pytest.fixture
def base(tiny_model: Path, dataset: Path) -> dict[str, Any]:
    return {"model": {"path": tiny_model}, "data": {"path": dataset, "num_frames": 8}}


def settings_with(base: dict[str, Any], **changes: Any) -> TrainSettings:
    return train_settings(**base, **changes)


def num_prompt_tokens(tiny_model: Path, dataset: Path, task: Task) -> int:
    """Returns the length of a prompt as the rollout worker makes it from the decoded clip."""
    prompter = Prompter(tiny_model)
    return len(prompter.token_ids(task.prompt, prompter.pixels(DataSet(dataset).clips.load(task.clip, 8)).grid))


def test_longest_prompt_is_the_engines(tiny_model: Path, dataset: Path, tasks: list[Task]):
    sizes = clip_sizes(DataSet(dataset).clips, [task.clip for task in tasks], 8)
    found = longest_prompt(Prompter(tiny_model), tasks, sizes, 8)
    # 8 frames of 56 x 56 are 4 temporal patches of 2 x 2 tokens
    assert (found.num_tokens, found.num_clip_tokens) == (num_prompt_tokens(tiny_model, dataset, tasks[0]), 16)


def test_longest_prompt_names_the_task_with_the_longest_text(tiny_model: Path, dataset: Path, tasks: list[Task]):
    from dataclasses import replace

    sizes = clip_sizes(DataSet(dataset).clips, [task.clip for task in tasks], 8)
    longer = replace(tasks[2], id="long", prompt=tasks[2].prompt * 5)
    assert longest_prompt(Prompter(tiny_model), [*tasks, longer, tasks[0]], sizes, 8).task == "long"


def test_check_prompts_accepts_the_exact_limit_and_refuses_one_less(
    base: dict[str, Any], tiny_model: Path, dataset: Path, tasks: list[Task]
):
    num_tokens = num_prompt_tokens(tiny_model, dataset, tasks[0])
    exact = num_tokens + 200

    def check(limit: int) -> None:
        rollout = {"max_new_tokens": 200, "engine_args": {"max_model_len": limit}}
        settings = settings_with(base, rollout=rollout)
        check_prompts(settings.model, settings.data, settings.rollout, tasks)

    check(exact)
    with pytest.raises(UserError) as error:
        check(exact - 1)
    assert str(error.value) == (
        f"rollout.engine_args.max_model_len = {exact - 1} is too small: the prompt of task {tasks[0].id} has "
        f"{num_tokens} tokens, 16 of them for the clip, and rollout.max_new_tokens = 200 more may follow. Set "
        f"rollout.engine_args.max_model_len to at least {exact}, or lower rollout.max_new_tokens or data.num_frames = 8"
    )


def test_check_prompts_knows_the_default_and_leaves_vllms_own_choice_alone(base: dict[str, Any], tasks: list[Task]):
    settings = settings_with(base, rollout={"max_new_tokens": 4096})
    with pytest.raises(UserError, match=r"max_model_len = 4096 \(the default\) is too small"):
        check_prompts(settings.model, settings.data, settings.rollout, tasks)
    settings = settings_with(base, rollout={"max_new_tokens": 4096, "engine_args": {"max_model_len": -1}})
    check_prompts(settings.model, settings.data, settings.rollout, tasks)


def test_check_prompts_needs_room_for_the_probe_text(base: dict[str, Any], tiny_model: Path, tasks: list[Task]):
    """The tiny tokenizer splits the probe text into single letters, so it is longer than prompt and completion."""
    num_probe = len(Prompter(tiny_model).tokenizer(PROBE_TEXT, add_special_tokens=False)["input_ids"])
    settings = settings_with(base, rollout={"max_new_tokens": 1, "engine_args": {"max_model_len": num_probe}})
    with pytest.raises(UserError, match=rf"publication of weights is checked has {num_probe} tokens.*{num_probe + 1}$"):
        check_prompts(settings.model, settings.data, settings.rollout, tasks)


def test_check_prompts_finds_clips_with_too_few_frames(base: dict[str, Any], tasks: list[Task]):
    settings = settings_with(base | {"data": base["data"] | {"num_frames": 24}})
    with pytest.raises(
        UserError, match=r"data\.num_frames = 24, but 4 of 4 clips .* with 8\. Set data\.num_frames to at most 8$"
    ):
        check_prompts(settings.model, settings.data, settings.rollout, tasks)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r".*(q_proj|qkv)", "matches 2 vision layers, for example model.visual.blocks.0.attn.qkv"),
        (
            r".*q_porj",
            "matches no layer of the model in .*; a full name is, for example, model.language_model.layers.0",
        ),
        (r"q_proj", "matches no layer"),
        (r".*language_model.*", "which is no linear layer of the language model"),
        (r".*(q_proj", "is no regular expression"),
    ],
)
def test_check_training_refuses_layers_that_cant_be_adapted(base: dict[str, Any], tasks, pattern: str, words: str):
    settings = settings_with(base, learner={"lora": {"target_modules": pattern}})
    with pytest.raises(UserError, match=words):
        check_training(settings, tasks)


def test_check_training_accepts_the_defaults_and_every_pattern_without_lora(base: dict[str, Any], tasks: list[Task]):
    check_training(settings_with(base), tasks)
    check_training(settings_with(base, learner={"method": "full", "lora": {"target_modules": "none"}}), tasks)


def test_check_training_warns_of_limits_that_bfloat16_cant_keep(base: dict[str, Any], tasks: list[Task], capsys):
    tight = {"max_logprob_gap": 1e-4, "rollout": {"max_fingerprint_gap": 1e-4}}
    check_training(settings_with(base, **tight), tasks)
    message = capsys.readouterr().err
    assert message.startswith("warning: max_logprob_gap = 0.0001 and rollout.max_fingerprint_gap = 0.0001: ")
    assert "model.dtype" in message
    exact = base | {"model": base["model"] | {"dtype": "float32"}}
    assert tight_limits(settings_with(exact, **tight)) == []
    assert tight_limits(settings_with(base)) == []


def test_check_imitation_finds_clips_with_too_few_frames(base: dict[str, Any], tasks: list[Task]):
    settings = SftSettings.model_validate({"run_dir": "run", **base})
    check_imitation(settings, [task.clip for task in tasks])
    many = SftSettings.model_validate({"run_dir": "run", **base, "data": base["data"] | {"num_frames": 16}})
    with pytest.raises(UserError, match=r"data\.num_frames = 16, but 4 of 4 clips have fewer frames"):
        check_imitation(many, [task.clip for task in tasks])
