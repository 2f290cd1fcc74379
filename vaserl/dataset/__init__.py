"""The curated data set: its folder, its manifest with one row per photograph, its vases and questions about them."""

from vaserl.dataset.dataset import DataSet
from vaserl.dataset.manifest import Manifest
from vaserl.dataset.names import CARD, MANIFEST, UNFINISHED_MODEL, clip_name, mesh_name
from vaserl.dataset.question import OTHER, PROVENANCE, Question, Topic
from vaserl.dataset.row import ROW_SCHEMA, SPLITS, Row
from vaserl.dataset.vase import SYNTHETIC_MUSEUM, Vase

__all__ = [
    "CARD",
    "MANIFEST",
    "OTHER",
    "PROVENANCE",
    "ROW_SCHEMA",
    "SPLITS",
    "SYNTHETIC_MUSEUM",
    "UNFINISHED_MODEL",
    "DataSet",
    "Manifest",
    "Question",
    "Row",
    "Topic",
    "Vase",
    "clip_name",
    "mesh_name",
]
