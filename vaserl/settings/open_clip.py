"""The open_clip model to load."""

from pathlib import Path

from vaserl.settings.section import Section


class OpenClipSettings(Section):
    """The open_clip model."""

    path: Path | None = None
    """Folder in open_clip's format (open_clip_config.json beside the weights), or a weights file for `name`."""
    name: str = "ViT-B-32"
    """Architecture, by open_clip's name; needed where `path` is a weights file."""
