"""Tests which tasks are too long, on the tiny model and the small data set."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launch.lengths import fitting_tasks
from launch.preflight import check_training
from tests.fakes.settings import train_settings
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.files import read_json_lines
from vaserl.policy.prompter import Prompter
from vaserl.runs.dropped import DroppedTask, write_dropped
from vaserl.settings import TrainSettings
from vaserl.types import Task

MAX_NEW_TOKENS = 60


@pytest.fixture(scope="module")
def tasks(dataset: Path) -> list[Task]:
    """Returns the four captions, the second with a long prompt, the third with a long reference, the fourth with
    both, and a question."""
    vases = DataSet(dataset).vases("train")
    tasks = [replace(vase.caption_task(), id=str(number)) for number, vase in enumerate(vases, start=1)]
    prompt, reference = "What is it? " * 60, "a vase " * MAX_NEW_TOKENS
    tasks[1] = replace(tasks[1], prompt=prompt)
    tasks[2] = replace(tasks[2], reference=reference)
    tasks[3] = replace(tasks[3], prompt=prompt, reference=reference)
    return [*tasks, replace(vases[0].question_tasks(("fabric",))[0], id="5")]


def length(prompter: Prompter, task: Task) -> int:
    """Returns the tokens of a prompt with a clip of 8 frames of 56 x 56, which has 16, and of the longest
    completion."""
    return len(prompter.tokenizer(prompter.text(task.prompt))["input_ids"]) - 1 + 16 + MAX_NEW_TOKENS


def settings(tiny_model: Path, dataset: Path, limit: int, **changes: Any) -> TrainSettings:
    rollout = {"max_new_tokens": MAX_NEW_TOKENS, "engine_args": {"max_model_len": limit}}
    model, data = {"path": tiny_model}, {"path": dataset, "num_frames": 8}
    return train_settings(model=model, data=data, rollout=rollout, **changes)


def test_fitting_tasks_drops_by_name_and_number(tiny_model: Path, dataset: Path, tasks: list[Task], tmp_path: Path):
    prompter = Prompter(tiny_model)
    limit = length(prompter, tasks[1]) - 1
    dropping = settings(tiny_model, dataset, limit, too_long="drop")
    kept, dropped, lines = fitting_tasks(dropping, tasks)
    check_training(dropping, kept)
    assert [task.id for task in kept] == ["1", "5"]
    reference = len(prompter.tokenizer(tasks[2].reference)["input_ids"]) + 1
    assert dropped == [
        DroppedTask(task="2", part="prompt", num_tokens=limit + 1, limit=limit),
        DroppedTask(task="3", part="reference", num_tokens=reference, limit=MAX_NEW_TOKENS),
        DroppedTask(task="4", part="prompt", num_tokens=limit + 1, limit=limit),
    ]
    assert lines == [
        "left out: 2 of 5 tasks, whose prompt and completion can exceed rollout.engine_args.max_model_len = "
        f"{limit}: 2 ({limit + 1} tokens), 4 ({limit + 1} tokens)",
        "left out: 1 of 5 tasks, whose reference answer can exceed rollout.max_new_tokens = 60: "
        f"3 ({reference} tokens)",
    ]
    write_dropped(tmp_path, dropped)
    assert [row["task"] for row in read_json_lines(tmp_path / "dropped.jsonl")] == ["2", "3", "4"]
    kept, _, _ = fitting_tasks(settings(tiny_model, dataset, limit + 1, too_long="drop"), tasks)
    assert [task.id for task in kept] == ["1", "2", "5"], "one token more"


def test_fitting_tasks_keeps_all_by_default_and_warns_of_references(tiny_model: Path, dataset: Path, tasks: list[Task]):
    stopping = settings(tiny_model, dataset, 100)
    kept, dropped, (line,) = fitting_tasks(stopping, tasks)
    assert (kept, dropped) == (tasks, [])
    assert line.startswith("warning: 2 of 5 tasks have a reference answer of more than rollout.max_new_tokens = 60")
    with pytest.raises(UserError, match="max_model_len = 100 is too small: the prompt of task 2 has"):
        check_training(stopping, tasks)


def test_fitting_tasks_refuses_to_leave_nothing(tiny_model: Path, dataset: Path, tasks: list[Task]):
    with pytest.raises(UserError, match="leaves no request for a caption to draw"):
        fitting_tasks(settings(tiny_model, dataset, 1, too_long="drop"), tasks)
    half = {"tasks_per_step": 2, "questions": {"share": 0.5}, "too_long": "drop"}
    with pytest.raises(UserError, match="leaves no question to draw"):
        fitting_tasks(settings(tiny_model, dataset, 4096, **half), tasks[:2])
