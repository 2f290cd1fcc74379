"""The lathe: a vase from the outline in one photograph, as it came from the wheel."""

from vaserl.meshes.lathe.drawing import profile_drawing
from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.lathe.glb import write_glb
from vaserl.meshes.lathe.lathe import LatheResult, lathe

__all__ = ["LatheError", "LatheResult", "lathe", "profile_drawing", "write_glb"]
