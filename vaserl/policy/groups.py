"""Prefix groups: a prefix (tokens that include one clip) and the branches (token sequences) that continue it. A group
is made from the samples of one prompt or from a supervised demonstration.

A branch may begin with tokens that are not trained on: in supervised fine-tuning the prefix ends after the clip, and
each branch is a question (not trained on) and its answer.
"""

from dataclasses import dataclass

from vaserl.policy.positions import VideoGrid
from vaserl.policy.prompter import Prompter
from vaserl.types import Demonstration, PromptSamples


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Tokens that continue a prefix: a completion in GRPO, a question with its answer in supervised fine-tuning."""

    context_ids: tuple[int, ...]
    """Ids of the tokens between the prefix and the trained tokens; empty when the prefix is the whole prompt."""
    target_ids: tuple[int, ...]
    """Ids of the trained tokens, including the end-of-turn token if there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixGroup:
    """A prefix (tokens that include one clip), and the branches (token sequences) that continue it."""

    prefix_ids: tuple[int, ...]
    """Ids of the prefix's tokens; the video placeholder is repeated once for each token of the clip."""
    video_start: int
    """Index of the first video placeholder in `prefix_ids`."""
    grid: VideoGrid
    """Token grid of the clip: its number of tokens in time, height and width."""
    branches: tuple[Branch, ...]
    """Branches that continue the prefix; at least one."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens of the prefix and all branches together."""
        return len(self.prefix_ids) + sum(len(b.context_ids) + len(b.target_ids) for b in self.branches)


def samples_group(samples: PromptSamples, grid: VideoGrid, video_token_id: int) -> PrefixGroup:
    """Returns the prefix group of a prompt's GRPO samples: the prefix is the whole prompt, and each completion is a
    branch.

    Raises: ValueError when the number of video placeholders in the prompt is not the number of the clip's tokens,
    because engine and learner then process the clip differently.
    """
    num_placeholders = samples.prompt_ids.count(video_token_id)
    if num_placeholders != grid.num_tokens:
        raise ValueError(
            f"clip {samples.clip} has {num_placeholders} tokens in the engine's prompt but {grid.num_tokens} in the "
            "learner; the processors or frames differ"
        )
    return PrefixGroup(
        prefix_ids=samples.prompt_ids,
        video_start=samples.prompt_ids.index(video_token_id),
        grid=grid,
        branches=tuple(Branch(context_ids=(), target_ids=sample.token_ids) for sample in samples.samples),
    )


def demonstration_group(demonstration: Demonstration, grid: VideoGrid, prompter: Prompter) -> PrefixGroup:
    """Returns the prefix group of a supervised demonstration: the prefix ends after the clip, and each branch is a
    question with its answer."""
    prompts = [prompter.token_ids(prompt, grid) for prompt, _ in demonstration.turns]
    video_start = prompts[0].index(prompter.video_token_id)
    # one token after the placeholders, which closes the video, belongs to the prefix too
    end = video_start + grid.num_tokens + 1
    return PrefixGroup(
        prefix_ids=prompts[0][:end],
        video_start=video_start,
        grid=grid,
        branches=tuple(
            Branch(context_ids=ids[end:], target_ids=prompter.answer_ids(answer))
            for ids, (_, answer) in zip(prompts, demonstration.turns, strict=True)
        ),
    )
