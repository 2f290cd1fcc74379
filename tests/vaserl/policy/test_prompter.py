"""Tests the prompts that a model's chat template and tokenizer make."""

from pathlib import Path

import pytest

from tests.conftest import make_clip
from vaserl.errors import UserError
from vaserl.policy.groups import demonstration_group
from vaserl.policy.positions import VideoGrid
from vaserl.policy.prompter import Prompter
from vaserl.types import Demonstration

GRID = VideoGrid(time=1, height=2, width=2, temporal_interval=1.0)


def test_prompter_puts_the_system_message_before_the_clip(tiny_model: Path):
    plain, told = Prompter(tiny_model), Prompter(tiny_model, "Be brief.")
    assert told.text("Why?") == "<|im_start|>system\nBe brief.<|im_end|>\n" + plain.text("Why?")
    begin = plain.tokenizer("<|im_start|>system\nBe brief.<|im_end|>\n", add_special_tokens=False)["input_ids"]
    assert told.token_ids("Why?", GRID) == (*begin, *plain.token_ids("Why?", GRID))


def test_prompter_puts_the_system_message_into_the_prefix_that_demonstrations_share(tiny_model: Path):
    told = Prompter(tiny_model, "Be brief.")
    turns = (("Why?", "Because."), ("What is it?", "A vase."))
    grid = told.pixels(make_clip(0)).grid
    group = demonstration_group(Demonstration(clip="c", rotation=0, shift=(0, 0), turns=turns), grid, told)
    for (question, answer), branch in zip(turns, group.branches, strict=True):
        assert (*group.prefix_ids, *branch.context_ids) == told.token_ids(question, grid)
        assert branch.target_ids == told.answer_ids(answer)


@pytest.mark.parametrize(("system", "prompt"), [("", "What is <|video_pad|>?"), ("<|video_pad|>", "What is it?")])
def test_prompter_refuses_a_text_with_a_videos_placeholder(tiny_model: Path, system: str, prompt: str):
    with pytest.raises(UserError, match="contains the model's placeholder of a video"):
        Prompter(tiny_model, system).token_ids(prompt, GRID)
