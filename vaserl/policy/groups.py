"""Prefix groups: a prefix, its clip and the branches that continue it, made from what the learner receives.

A branch may begin with context that is not trained: in supervised fine-tuning the prefix ends after the clip, and
each branch is a question and its answer.
"""

from dataclasses import dataclass

from vaserl.policy.positions import VideoGrid
from vaserl.policy.prompter import Prompter
from vaserl.types import Demonstration, PromptSamples


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A continuation of a prefix."""

    context_ids: tuple[int, ...]
    """Tokens between the prefix and the trained ones; empty when the prefix is the whole prompt."""
    target_ids: tuple[int, ...]
    """Trained tokens, the end-of-turn token included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixGroup:
    """A prefix, its clip, and the branches that share both."""

    prefix_ids: tuple[int, ...]
    """Tokens, with one video placeholder for each token of the clip."""
    video_start: int
    """Index of the first placeholder."""
    grid: VideoGrid
    """The clip's token grid."""
    branches: tuple[Branch, ...]
    """At least one."""

    @property
    def num_tokens(self) -> int:
        """Tokens that this group occupies in a row."""
        return len(self.prefix_ids) + sum(len(b.context_ids) + len(b.target_ids) for b in self.branches)


def samples_group(samples: PromptSamples, grid: VideoGrid, video_token_id: int) -> PrefixGroup:
    """Returns a GRPO group: the prefix is the whole prompt, each completion a branch.

    Raises: ValueError when the number of video placeholders in the prompt is not the number of the clip's tokens:
    engine and learner then see different clips.
    """
    num_placeholders = samples.prompt_ids.count(video_token_id)
    if num_placeholders != grid.num_tokens:
        raise ValueError(
            f"clip {samples.clip}: the engine's prompt has {num_placeholders} video tokens, the learner's clip "
            f"{grid.num_tokens}; their processors or frames differ"
        )
    return PrefixGroup(
        prefix_ids=samples.prompt_ids,
        video_start=samples.prompt_ids.index(video_token_id),
        grid=grid,
        branches=tuple(Branch(context_ids=(), target_ids=sample.token_ids) for sample in samples.samples),
    )


def demonstration_group(demonstration: Demonstration, grid: VideoGrid, prompter: Prompter) -> PrefixGroup:
    """Returns a supervised group: the prefix ends with the clip, each branch is a question with its answer."""
    prompts = [prompter.token_ids(prompt, grid) for prompt, _ in demonstration.turns]
    video_start = prompts[0].index(prompter.video_token_id)
    # one more than the placeholders: the token that closes the video belongs to the prefix
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
