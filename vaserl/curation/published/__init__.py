"""Data sets that others have published in the layout of VaseVQA-3D, into a manifest of ours."""

from vaserl.curation.published.importing import Imported, import_published
from vaserl.curation.published.layout import PublishedVase, read_layout

__all__ = ["Imported", "PublishedVase", "import_published", "read_layout"]
