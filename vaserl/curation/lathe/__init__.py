"""The lathe: a vase from the outline in one photograph, as it came from the wheel."""

from vaserl.curation.lathe.drawing import profile_drawing
from vaserl.curation.lathe.failure import LatheError
from vaserl.curation.lathe.glb import write_glb
from vaserl.curation.lathe.lathe import LatheResult, lathe

__all__ = ["LatheError", "LatheResult", "lathe", "profile_drawing", "write_glb"]
