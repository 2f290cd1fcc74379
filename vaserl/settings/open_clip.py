"""Settings of the open_clip model to load."""

from pathlib import Path

from vaserl.settings.section import Section


class OpenClipSettings(Section):
    """Settings of the open_clip model, which embeds images and texts in the same space."""

    path: Path | None = None
    """Folder in open_clip's format, which contains open_clip_config.json and the weights; or a weights file, for the
    architecture `name`."""
    name: str = "ViT-B-32"
    """Name of the architecture in open_clip; used only if `path` is a weights file."""
