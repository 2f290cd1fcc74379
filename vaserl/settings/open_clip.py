"""Settings of the open_clip model to load."""

from pathlib import Path

from vaserl.settings.section import Section


class OpenClipSettings(Section):
    """Settings of the open_clip model, which embeds images and texts in one space."""

    path: Path | None = None
    """Folder in open_clip's format (open_clip_config.json beside the weights), or a weights file for `name`."""
    name: str = "ViT-B-32"
    """Name of the architecture in open_clip; used only where `path` is a weights file."""
