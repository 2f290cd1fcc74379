"""The exact texts that the vision-language model is given about a vase, and the answers that it is taught."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from vaserl.curation.check.checked import VaseExample
from vaserl.curation.stages.questions import questions_about
from vaserl.dataset import CAPTION_PROMPT, Vase
from vaserl.rewards.vase import reference_caption

_T = TypeVar("_T")


def prompt_text(model: Path | None) -> Callable[[str], str]:
    """Returns a function that turns a prompt into the text that the vision-language model in the folder `model` reads:
    its chat template, filled in. Without a model, the function returns the prompt unchanged.

    Raises: UserError when the folder holds no model.
    """
    if model is None:
        return lambda prompt: prompt
    from vaserl.policy.prompter import Prompter

    return Prompter(model).text


def example_of_record(vase_id: str, record: Mapping[str, str], render: Callable[[str], str]) -> VaseExample:
    """Returns the prompts and answers for a vase that is not curated yet, from its record. The caption is complete; a
    curation with `describe.silence` may shorten it."""
    turns = [(render(CAPTION_PROMPT), reference_caption(record))]
    turns += [(render(question.question), question.answer) for question in questions_about(record)]
    return VaseExample(vase_id=vase_id, turns=turns)


def example_of_vase(vase: Vase, render: Callable[[str], str]) -> VaseExample:
    """Returns the prompts and answers for a vase of a data set, as supervised fine-tuning uses them."""
    turns = [(render(CAPTION_PROMPT), vase.caption)]
    turns += [(render(question.question), question.answer) for question in vase.questions]
    return VaseExample(vase_id=vase.id, turns=turns)


def evenly_spaced(items: Sequence[_T]) -> list[_T]:
    """Returns the first, the middle and the last item, or all items if there are fewer than three."""
    return [items[index] for index in sorted({0, len(items) // 2, len(items) - 1})] if items else []
