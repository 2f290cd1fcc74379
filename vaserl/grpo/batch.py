"""Assembly of a step's training batch from its scored groups. Axes: P tasks, G completions of a group."""

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
    """Returns the training batch of a step: its completions with their advantages.

    A group whose advantages are all 0 has no policy gradient and would only dilute the mean over tokens, so it is left
    out. The metric `zero_variance_share` counts such groups. `keep_without_signal` keeps them; a KL term needs that,
    because it has a gradient in such groups too.

    With `mask_truncated`, completions that the token limit cut off are left out, and so are groups without any other
    completion.
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
