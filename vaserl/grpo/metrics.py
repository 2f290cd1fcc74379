"""The metrics of a GRPO step, from its scores and the learner's update. Axes: P tasks, G completions of a group."""

from collections.abc import Mapping, Sequence

import numpy as np

from vaserl.types import Publication, ScoredGroup, Update


def step_metrics(
    scored: Sequence[ScoredGroup], advantages_P_G: Sequence[Sequence[float]], update: Update, published: Publication
) -> dict[str, float]:
    """Returns the metrics of a step by name.

    `reward/mean` is the mean over all completions of the step; the mean of a part of the reward is over the captions
    that have the part, and `reward/question/…` over the answers to questions. With questions in the step there are
    `reward/captions` and `reward/questions` too, the mean of each kind. `length/…` are in tokens, shares are between 0
    and 1, `staleness/…` are in versions. The learner's own metrics follow.

    published: result of publishing the weights that sampled the step.
    """
    totals = [[score.total for score in group.scores] for group in scored]
    flat = [total for group in totals for total in group]
    completions = [c for group in scored for c in group.group.completions]
    lengths = [len(c.token_ids) for c in completions]
    ages = staleness(scored, update.step)
    parts: dict[str, list[float]] = {}
    kinds: dict[str, list[float]] = {}
    for group in scored:
        is_question = group.group.task.is_question
        kind = "reward/questions" if is_question else "reward/captions"
        kinds.setdefault(kind, []).extend(score.total for score in group.scores)
        for score in group.scores:
            for name, value in score.parts.items():
                parts.setdefault(f"question/{name}" if is_question else name, []).append(value)
    return {
        "reward/mean": float(np.mean(flat)),
        "reward/std": float(np.std(flat)),
        "reward/group_std": float(np.mean([np.std(group) for group in totals])),
        **{name: float(np.mean(values)) for name, values in sorted(kinds.items()) if "reward/questions" in kinds},
        **{f"reward/{name}": float(np.mean(values)) for name, values in sorted(parts.items())},
        "length/mean": float(np.mean(lengths)),
        "length/max": float(max(lengths)),
        "truncated_share": float(np.mean([c.finish_reason == "length" for c in completions])),
        "empty_share": float(np.mean([not c.text.strip() for c in completions])),
        "zero_variance_share": float(np.mean([not any(advantages_G) for advantages_G in advantages_P_G])),
        "staleness/mean": float(np.mean(ages)),
        "staleness/max": float(max(ages)),
        "publish/fingerprint_gap": published.fingerprint_gap,
        **update.metrics,
    }


def staleness(scored: Sequence[ScoredGroup], version: int) -> list[int]:
    """Returns, for each sample, the learner's version minus the version of the weights that generated it, [P * G].

    version: the learner's version, which equals the number of the step: version 1 trains on step 1 and becomes version
    2.
    """
    return [version - completion.weights_version for group in scored for completion in group.group.completions]


def name_gap(values: dict[str, float]) -> dict[str, float]:
    """Returns the metrics, with `logprob_gap` renamed to `logprob_drift` if older weights sampled the step.

    `logprob_gap` is the mean of |log pi - log pi_sampler|. With older weights it includes the change of the policy
    since then, in addition to the numerical difference between learner and engine.
    """
    if values["staleness/max"] > 0 and "logprob_gap" in values:
        return {"logprob_drift" if name == "logprob_gap" else name: value for name, value in values.items()}
    return values


def mean_of(rows: Sequence[Mapping[str, float]], name: str) -> float:
    """Returns the mean of one metric over steps. Raises: KeyError when a step lacks it."""
    return float(np.mean([row[name] for row in rows]))
