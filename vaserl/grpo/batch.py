"""The batch that a step learns from. Axes: P task, G group member."""

from collections.abc import Sequence

from vaserl.types import Batch, PromptSamples, Sample, ScoredGroup


def assemble(
    scored_P: Sequence[ScoredGroup],
    advantages_P_G: Sequence[Sequence[float]],
    step: int,
    *,
    keep_without_signal: bool = False,
    mask_truncated: bool = False,
) -> Batch:
    """Returns the batch of a step: every completion with its advantage.

    A group of equal rewards teaches nothing and would only dilute the mean over tokens, so it is left out (and
    counted, as `zero_variance_share`) unless `keep_without_signal`, which a KL term needs. With `mask_truncated`,
    completions that the token limit cut off are left out, and groups that consist of such completions.
    """
    groups = []
    for scored, advantages_G in zip(scored_P, advantages_P_G, strict=True):
        samples = tuple(
            Sample(token_ids=completion.token_ids, logprobs=completion.logprobs, advantage=advantage)
            for completion, advantage in zip(scored.group.completions, advantages_G, strict=True)
            if not (mask_truncated and completion.finish_reason == "length")
        )
        if samples and (keep_without_signal or any(sample.advantage for sample in samples)):
            task = scored.group.task
            groups.append(PromptSamples(clip=task.clip, prompt_ids=scored.group.prompt_ids, samples=samples))
    return Batch(step=step, groups=tuple(groups))
