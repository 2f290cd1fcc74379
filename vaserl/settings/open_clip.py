"""Which open_clip model to load."""

from pathlib import Path

from vaserl.settings.section import Section


class OpenClipSettings(Section):
    path: Path | None = None
    """Folder in open_clip's form (open_clip_config.json beside the weights), or a weights file for `name`."""
    name: str = "ViT-B-32"
    """open_clip's name of the architecture, where `path` is a weights file."""
