"""Builds the exact prompts that the vision-language model gets about a vase, and the answers that it learns."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from vaserl.curation.check.checked import VaseExample
from vaserl.curation.stages.questions import questions_about
from vaserl.dataset import Vase
from vaserl.rewards.vase import reference_caption
from vaserl.settings import CAPTION_PROMPT

_T = TypeVar("_T")


def prompt_text(model: Path | None) -> Callable[[str], str]:
    """Returns a function that inserts a prompt into the chat template of the vision-language model in the folder
    `model`, and returns the resulting text. If `model` is None, the function returns the prompt unchanged.

    Raises: UserError when the folder contains no model.
    """
    if model is None:
        return lambda prompt: prompt
    from vaserl.policy.prompter import Prompter

    return Prompter(model).text


def example_of_record(vase_id: str, record: Mapping[str, str], render: Callable[[str], str]) -> VaseExample:
    """Returns the prompts and answers that a curation would generate from a vase's record. The caption in the example
    contains all facts of the record; a curation with the setting `describe.silence` may omit some."""
    turns = [(render(CAPTION_PROMPT), reference_caption(record))]
    turns += [(render(question.question), question.answer) for question in questions_about(record)]
    return VaseExample(vase_id=vase_id, turns=turns)


def example_of_vase(vase: Vase, render: Callable[[str], str]) -> VaseExample:
    """Returns the prompts and answers with which supervised fine-tuning trains on one vase of a data set."""
    turns = [(render(CAPTION_PROMPT), vase.caption)]
    turns += [(render(question.question), question.answer) for question in vase.questions]
    return VaseExample(vase_id=vase.id, turns=turns)


def evenly_spaced(items: Sequence[_T]) -> list[_T]:
    """Returns the first, the middle and the last item, or all items if there are fewer than three."""
    return [items[index] for index in sorted({0, len(items) // 2, len(items) - 1})] if items else []
