"""Finds the tasks of a GRPO run that are too long for its limits, and leaves them out if the settings ask for it."""

from collections.abc import Sequence

from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.policy.prompt_length import clip_sizes, prompt_lengths
from vaserl.policy.prompter import Prompter
from vaserl.runs.dropped import DroppedTask
from vaserl.settings import TrainSettings
from vaserl.settings.rollout import max_model_len
from vaserl.types import Task

_NUM_NAMED = 3
"""Number of tasks of each kind whose names are printed; the run's file has all of them."""


def fitting_tasks(settings: TrainSettings, tasks: Sequence[Task]) -> tuple[list[Task], list[DroppedTask], list[str]]:
    """Returns the tasks that the run draws from, those that it leaves out because they are too long, and a line for the
    screen for each kind that is too long.

    A prompt is too long if it does not fit into the engine's max_model_len together with a completion of
    `rollout.max_new_tokens` tokens, and a reference answer if it has more tokens than that itself. With too_long =
    "stop" all tasks are kept: `check_training` refuses the first kind, and of the second, for which a completion can
    earn a reward all the same, a line has the number.

    Raises: UserError if no caption, or no question, is left that the steps could draw.
    """
    prompter = Prompter(settings.model.path, settings.data.system)
    is_dropping = settings.too_long == "drop"
    found: dict[str, DroppedTask] = {}
    limit = max_model_len(settings.rollout)
    if is_dropping and limit is not None:
        clips = DataSet(settings.data.path).clips
        sizes = clip_sizes(clips, [task.clip for task in tasks], settings.data.num_frames)
        for length in prompt_lengths(prompter, tasks, sizes, settings.data.num_frames):
            needed = length.num_tokens + settings.rollout.max_new_tokens
            if needed > limit:
                found[length.task] = DroppedTask(task=length.task, part="prompt", num_tokens=needed, limit=limit)
    for task in tasks:
        num_tokens = len(prompter.answer_ids(task.reference))
        if task.id not in found and num_tokens > settings.rollout.max_new_tokens:
            found[task.id] = DroppedTask(
                task=task.id, part="reference", num_tokens=num_tokens, limit=settings.rollout.max_new_tokens
            )
    dropped = [found[task.id] for task in tasks if task.id in found]
    lines = _in_words(dropped, len(tasks), is_dropping)
    if not is_dropping:
        return list(tasks), [], lines
    kept = [task for task in tasks if task.id not in found]
    for is_question, kind in ((False, "request for a caption"), (True, "question")):
        drawn = settings.num_questions if is_question else settings.tasks_per_step - settings.num_questions
        if drawn and all(task.is_question != is_question for task in kept):
            raise UserError(
                f'too_long = "drop" leaves no {kind} to draw: raise rollout.engine_args.max_model_len or '
                "rollout.max_new_tokens"
            )
    return kept, dropped, lines


def _in_words(dropped: Sequence[DroppedTask], num_tasks: int, is_dropping: bool) -> list[str]:
    lines = []
    for part, key in (("prompt", "rollout.engine_args.max_model_len"), ("reference", "rollout.max_new_tokens")):
        of_part = [task for task in dropped if task.part == part]
        if not of_part:
            continue
        named = ", ".join(f"{task.task} ({task.num_tokens} tokens)" for task in of_part[:_NUM_NAMED])
        more = f" and {len(of_part) - _NUM_NAMED} more" if len(of_part) > _NUM_NAMED else ""
        what = "prompt and completion" if part == "prompt" else "reference answer"
        start = f"{len(of_part)} of {num_tasks} tasks"
        if is_dropping:
            lines.append(f"left out: {start}, whose {what} can exceed {key} = {of_part[0].limit}: {named}{more}")
        else:
            lines.append(
                f"warning: {start} have a reference answer of more than {key} = {of_part[0].limit} tokens, which no "
                f'completion can state in full: {named}{more}. Raise it, or leave them out with too_long = "drop"'
            )
    return lines
