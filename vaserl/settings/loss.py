"""Settings of the policy loss: its variant and the bounds of the importance ratio."""

from typing import Any, Literal

import pydantic

from vaserl.settings.section import Section

CLIP_OF_VARIANT: dict[str, dict[str, float]] = {
    "grpo": {"clip_low": 0.2, "clip_high": 0.2},
    "dr_grpo": {"clip_low": 0.2, "clip_high": 0.2},
    "dapo": {"clip_low": 0.2, "clip_high": 0.28},
    "gspo": {"clip_low": 3e-4, "clip_high": 4e-4},
    "cispo": {"ratio_cap": 5.0},
}
"""Default bounds of the importance ratio for each variant, as published with it; a configured bound overrides them."""


class LossSettings(Section):
    """Settings of the policy loss; docs/losses.md has the formulas."""

    variant: Literal["grpo", "dr_grpo", "dapo", "gspo", "cispo"] = "dapo"
    """Variant of the policy loss. "grpo" weighs all completions equally. "dapo" weighs all tokens equally. "dr_grpo"
    divides by a constant instead of the completion's length. "gspo" clips one ratio for each completion. "cispo" bounds
    the weight of a token's gradient but never sets it to 0."""
    clip_low: float | None = pydantic.Field(default=None, ge=0, lt=1)
    """Distance below 1 at which the importance ratio is clipped, at 1 - clip_low. Default: 3e-4 for gspo, 0.2 for the
    other variants. Not used by cispo."""
    clip_high: float | None = pydantic.Field(default=None, ge=0)
    """Distance above 1 at which the importance ratio is clipped, at 1 + clip_high. A value above clip_low lets the
    probability of rare good tokens grow. Default: 0.28 for dapo, 4e-4 for gspo, 0.2 for grpo and dr_grpo. Not used by
    cispo."""
    ratio_cap: float | None = pydantic.Field(default=None, gt=1)
    """Largest importance ratio of tokens that clip_high does not bound. For cispo these are all tokens (default: 5).
    For the other variants they are the tokens with negative advantage (the dual clip, TRL's delta; default: no
    bound)."""
    token_budget: int | None = pydantic.Field(default=None, ge=1)
    """Constant that replaces a completion's length in the denominator of the loss; used by dr_grpo only. Default:
    rollout.max_new_tokens."""
    beta: float = pydantic.Field(default=0.0, ge=0)
    """Weight of the KL divergence from the reference policy (the base model without the adapter) in the loss; with 0
    the reference's forward pass is skipped."""
    normalise_advantages: bool = True
    """If true, advantages are divided by the standard deviation of their group's rewards. Default: false for dr_grpo,
    true for the other variants."""
    mask_truncated: bool = False
    """If true, completions that reached the token limit are left out of the loss and its denominator; their rewards
    still count in the mean and the standard deviation of their group."""
    old_logprobs: Literal["engine", "learner"] = "engine"
    """Source of the log-probabilities in the denominator of the importance ratio. "engine": the policy that sampled the
    tokens, so that the clip bounds both staleness and the numerical gap between engine and learner. "learner": the
    learner's policy before the update. There is one update for each batch, so the ratio is then 1 and nothing is
    clipped; truncated importance weights correct the numerical gap instead."""
    importance_cap: float | None = pydantic.Field(default=None, gt=0)
    """Largest importance weight of a token, exp(learner's - engine's log-probability), in the policy term of the loss.
    Used with old_logprobs = "learner" only. Default: 2."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _variant_gives_defaults(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        variant = str(values.get("variant", "dapo"))
        is_clipped = values.get("old_logprobs", "engine") == "engine"
        bounds = CLIP_OF_VARIANT.get(variant, {}) if is_clipped else {"importance_cap": 2.0}
        return {"normalise_advantages": variant != "dr_grpo", **bounds, **values}

    @pydantic.model_validator(mode="after")
    def _nothing_is_ignored(self):
        clips = [name for name in ("clip_low", "clip_high") if getattr(self, name) is not None]
        if self.old_logprobs == "learner" and (clips or self.ratio_cap is not None):
            raise ValueError(
                f'{(*clips, "ratio_cap")[0]} does nothing with old_logprobs = "learner", where the ratio is 1; '
                "importance_cap bounds the weights"
            )
        if self.old_logprobs == "engine" and self.importance_cap is not None:
            raise ValueError(
                'importance_cap needs old_logprobs = "learner"; with old_logprobs = "engine" the importance ratio is '
                "bounded by clip_low, clip_high and ratio_cap instead"
            )
        if self.variant == "cispo" and clips:
            raise ValueError(f"{clips[0]} does nothing with cispo, which bounds the ratio by ratio_cap alone")
        if self.variant != "dr_grpo" and self.token_budget is not None:
            raise ValueError(
                f'token_budget needs variant = "dr_grpo"; with variant = "{self.variant}" it has no effect'
            )
        if self.ratio_cap is not None and self.clip_high is not None and self.ratio_cap <= 1 + self.clip_high:
            raise ValueError(f"ratio_cap {self.ratio_cap:g} must be above 1 + clip_high = {1 + self.clip_high:g}")
        return self
