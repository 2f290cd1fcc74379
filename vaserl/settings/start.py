"""Settings of the weights with which a run begins."""

from pathlib import Path
from typing import Literal

import pydantic

from vaserl.settings.section import Section


class StartSettings(Section):
    """Settings of the weights with which a run begins, if they are not those of model.path: those that another run
    published, to continue them with other data, rewards or settings."""

    weights: Path | None = None
    """Folder with the weights of another run: a `weights/v…` folder of its run folder, or the weights folder in one of
    its checkpoints. Without it, a run begins with a new adapter, or with the model at model.path. An adapter must have
    the rank, alpha and target modules of learner.lora, and model.path must be the other run's."""
    reference: Literal["base", "start"] = "base"
    """Policy with which the KL term (loss.beta) compares: "base" is the model at model.path without adapter, "start"
    the policy that the run begins with."""

    optimizer: Path | None = None
    """Folder of a checkpoint of another run (`checkpoints/step=…`), whose AdamW moments the run begins with; learning
    rate and schedule are those of learner. Without it, the moments begin at 0."""

    @pydantic.model_validator(mode="after")
    def _others_need_weights(self):
        if self.reference == "start" and self.weights is None:
            raise ValueError('reference = "start" has an effect with start.weights only')
        if self.optimizer is not None and self.weights is None:
            raise ValueError("optimizer has moments for the weights of a run: set start.weights too")
        return self
