"""Imports a published data set whose files are arranged like those of the VaseVQA-3D data set."""

from vaserl.curation.published.importing import Imported, import_published, problem_of, published_record
from vaserl.curation.published.layout import PublishedVase, is_published, read_layout

__all__ = [
    "Imported",
    "PublishedVase",
    "import_published",
    "is_published",
    "problem_of",
    "published_record",
    "read_layout",
]
