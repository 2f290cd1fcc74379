"""What a job computes: its tokens, from the settings alone."""

from dataclasses import dataclass

from vaserl.planning.model_shape import ModelShape, clip_tokens
from vaserl.settings import SftSettings, TrainSettings

SFT_CAPTION_TOKENS = 128
SFT_TURN_TOKENS = 32
"""Tokens of a question with its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLoad:
    """Tokens of one group: a prompt with a clip, and the branches that continue it."""

    num_clip: int
    """Prompt tokens of the clip."""
    num_text: int
    """Other prompt tokens."""
    branches: tuple[int, ...]
    """Tokens of each completion, or of each answer in supervised training."""

    @property
    def num_prompt(self) -> int:
        """Tokens of the prompt."""
        return self.num_clip + self.num_text

    @property
    def num_answer(self) -> int:
        """Tokens of all branches."""
        return sum(self.branches)

    @property
    def num_tokens(self) -> int:
        """Tokens of the group in the learner, which computes the prompt once."""
        return self.num_prompt + self.num_answer

    @property
    def num_pairs(self) -> float:
        """Pairs of a token and one that it attends to: each branch sees the prompt and itself."""
        own = self.num_prompt * (self.num_prompt + 1) / 2
        return own + sum(size * self.num_prompt + size * (size + 1) / 2 for size in self.branches)

    def feature_bytes(self, shape: ModelShape, itemsize: int) -> float:
        """Returns the bytes of the clip's stored features."""
        return self.num_clip * shape.hidden_size * itemsize


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLoad:
    """Tokens of one step, and the length of the run."""

    group: GroupLoad
    num_groups: int
    """Groups of one step."""
    num_steps: int
    num_vases: int
    """Vases of the training split."""


def job_load(
    settings: TrainSettings | SftSettings,
    *,
    frame_size: tuple[int, int],
    num_text: int,
    num_vases: int,
    num_new: int | None = None,
) -> JobLoad:
    """Returns what a job computes. frame_size: width and height of the clips in pixels. num_text: tokens of a prompt
    without its clip. num_new: mean length of a completion; None for rollout.max_new_tokens, the most."""
    clip = clip_tokens(settings.data.num_frames, *frame_size)
    if isinstance(settings, SftSettings):
        branches = (SFT_CAPTION_TOKENS, *[SFT_TURN_TOKENS] * settings.questions_per_vase)
        num_groups, num_steps = settings.vases_per_step, -(-settings.num_epochs * num_vases // settings.vases_per_step)
    else:
        branches = (num_new if num_new is not None else settings.rollout.max_new_tokens,) * settings.rollout.group_size
        num_groups, num_steps = settings.tasks_per_step, settings.num_steps
    group = GroupLoad(num_clip=clip, num_text=num_text, branches=branches)
    return JobLoad(group=group, num_groups=num_groups, num_steps=num_steps, num_vases=num_vases)
