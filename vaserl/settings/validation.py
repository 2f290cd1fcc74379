"""Settings of the validation during a GRPO run: greedy captions of held-out vases, the choice of the best checkpoint,
and early stopping."""

from pathlib import Path

import pydantic

from vaserl.settings.section import Section


class ValidationSettings(Section):
    """Settings of the validation during training. A validation captions vases of a split that training does not use,
    by greedy decoding with the current weights, and writes a row of metrics to validation.jsonl."""

    every: int = pydantic.Field(default=0, ge=0)
    """Number of steps between two validations; 0 turns validation off. If it is on, the weights before step 1 and those
    after the last step are validated too."""
    split: str = "val"
    """Split whose vases are captioned. "train" and "test" are refused: the best checkpoint and the early stop are
    chosen on this split."""
    max_vases: int | None = pydantic.Field(default=None, ge=2)
    """Largest number of vases in a validation. A larger split is sampled once, by the seed of the run, and every
    validation captions this sample. If absent, all vases of the split are captioned."""
    metric: str = "reward"
    """Metric that decides which checkpoint is the best and when the run stops early; higher is better. One of reward,
    lexical_paper, lexical_strict, accuracy/<dimension>, accuracy_when_stated/<dimension>, stated/<dimension>, and with
    `clip_model` also text_cosine, overall_paper and recall_at_<1, 5 or 10>_<paper or strict>."""
    stop_after: int = pydantic.Field(default=0, ge=0)
    """Number of consecutive validations without an improvement of `metric` after which the run stops; 0 never stops it.
    """
    min_gain: float = pydantic.Field(default=0.0, ge=0, allow_inf_nan=False)
    """Smallest gain that counts as an improvement for `stop_after`: the mean of `metric` must exceed the mean of the
    last improvement, at first that of the first validation, by more than this."""
    clip_model: Path | None = None
    """Folder of an open_clip model, whose text tower compares captions with reference captions as the evaluation does.
    If absent, the metrics that need it are left out."""

    @pydantic.model_validator(mode="after")
    def _split_is_held_out(self):
        if self.split == "test":
            raise ValueError(
                'validation.split = "test" is refused: the test split is for `launch evaluate`, whose results would be '
                'biased if a checkpoint were chosen on it; use "val"'
            )
        if self.split == "train":
            raise ValueError('validation.split = "train" is refused: its vases are trained on; use "val"')
        return self

    @pydantic.model_validator(mode="after")
    def _stop_has_validations(self):
        if self.stop_after and not self.every:
            raise ValueError(f"validation.stop_after = {self.stop_after} has an effect with validation.every > 0 only")
        if self.min_gain and not self.stop_after:
            raise ValueError(
                f"validation.min_gain = {self.min_gain:g} has an effect with validation.stop_after > 0 only"
            )
        return self
