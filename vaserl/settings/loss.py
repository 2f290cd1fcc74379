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
    """Variant of the policy loss: "grpo" weighs all completions equally, "dapo" weighs all tokens equally, "dr_grpo"
    divides by a constant, "gspo" clips one ratio for each completion, "cispo" bounds the weight of a token's gradient
    but never sets it to 0."""
    clip_low: float | None = pydantic.Field(default=None, ge=0, lt=1)
    """Distance below 1 at which the importance ratio is clipped, at 1 - clip_low. Default: 0.2, with gspo 3e-4; not
    used by cispo."""
    clip_high: float | None = pydantic.Field(default=None, ge=0)
    """Distance above 1 at which the importance ratio is clipped, at 1 + clip_high; a value above clip_low lets the
    probability of rare good tokens grow. Default: 0.2, with dapo 0.28, with gspo 4e-4; not used by cispo."""
    ratio_cap: float | None = pydantic.Field(default=None, gt=1)
    """Largest importance ratio where the clip sets no bound: on tokens of negative advantage (the dual clip, TRL's
    delta; default: none), and with cispo on every token (default: 5)."""
    token_budget: int | None = pydantic.Field(default=None, ge=1)
    """Constant that replaces a completion's length in the denominator of the loss; used by dr_grpo only. Default:
    rollout.max_new_tokens."""
    beta: float = pydantic.Field(default=0.0, ge=0)
    """Weight of the KL divergence from the reference policy (the base model without the adapter) in the loss; with 0
    the reference's forward pass is skipped."""
    normalise_advantages: bool = True
    """Divides advantages by the standard deviation of their group's rewards. Default: true, with dr_grpo false."""
    mask_truncated: bool = False
    """Leaves completions that reached the token limit out of the loss and its denominator; their rewards still count in
    the mean and the standard deviation of their group."""
    old_logprobs: Literal["engine", "learner"] = "engine"
    """Source of the log-probabilities in the denominator of the importance ratio. "engine": the policy that sampled the
    tokens, so that the clip bounds both staleness and the numerical gap between engine and learner. "learner": the
    learner's policy before the update; there is one update for each batch, so the ratio is 1 and nothing is clipped,
    and truncated importance weights correct the gap."""
    importance_cap: float | None = pydantic.Field(default=None, gt=0)
    """Largest importance weight exp(learner's - engine's log-probability) of a token's policy term; used with
    old_logprobs = "learner" only. Default: 2."""

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
                'importance_cap needs old_logprobs = "learner"; against the engine\'s logprobs the ratio is the '
                "importance weight already: bound it by clip_low, clip_high and ratio_cap"
            )
        if self.variant == "cispo" and clips:
            raise ValueError(f"{clips[0]} does nothing with cispo, which bounds the ratio by ratio_cap alone")
        if self.variant != "dr_grpo" and self.token_budget is not None:
            raise ValueError(f"token_budget is the denominator of dr_grpo; {self.variant} has another")
        if self.ratio_cap is not None and self.clip_high is not None and self.ratio_cap <= 1 + self.clip_high:
            raise ValueError(f"ratio_cap {self.ratio_cap:g} must be above 1 + clip_high = {1 + self.clip_high:g}")
        return self
