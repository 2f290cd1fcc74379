"""The lathe: reconstructs the 3D mesh of a wheel-thrown vase from its outline in one photograph."""

from vaserl.meshes.lathe.drawing import profile_drawing
from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.lathe.lathe import WORKING_SIDE, LatheResult, lathe
from vaserl.meshes.lathe.segment import segment

__all__ = ["WORKING_SIDE", "LatheError", "LatheResult", "lathe", "profile_drawing", "segment"]
