"""Settings of the systems that an evaluation compares."""

from pathlib import Path

import pydantic

from vaserl.settings.chat_server import ChatServerSettings
from vaserl.settings.section import Section


class SystemSettings(Section):
    """Settings of one system that captions the vases. Exactly one of `model`, `weights`, `captions` and the table
    [systems.NAME.server] says where its captions come from."""

    model: Path | None = None
    """Folder of a whole model in Hugging Face's format: a base model, or what `vaserl export` wrote."""
    weights: Path | None = None
    """Folder of weights that belong to the model at `model.path`: `weights/v…` or a checkpoint's weights of a run, or a
    LoRA adapter that PEFT saved."""
    captions: Path | None = None
    """File with finished captions: JSON in the layout of the published evaluation (objects with "images" and
    "caption"), or JSON Lines (objects with "id" and "caption"). A vase without a caption is a failure, and so is one
    with several different captions."""
    server: ChatServerSettings | None = None

    @pydantic.model_validator(mode="after")
    def _has_one_source(self):
        stated = [name for name in ("model", "weights", "captions", "server") if getattr(self, name) is not None]
        if len(stated) != 1:
            raise ValueError(
                "a system needs exactly one of model, weights, captions and server, "
                + (f"but has {', '.join(stated)}" if stated else "but has none")
            )
        return self
