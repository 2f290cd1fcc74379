"""The lathe: reconstructs the 3D mesh of a wheel-thrown vase from its outline in one photograph or several."""

from vaserl.meshes.lathe.drawing import profile_drawing
from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.lathe.lathe import lathe
from vaserl.meshes.lathe.measured import WORKING_SIDE
from vaserl.meshes.lathe.result import LatheResult, UsedView, VaseSide
from vaserl.meshes.lathe.signs import Signs, model_fault
from vaserl.meshes.lathe.views import MIN_IOU, VaseView, lathe_views

__all__ = [
    "MIN_IOU",
    "WORKING_SIDE",
    "LatheError",
    "LatheResult",
    "Signs",
    "UsedView",
    "VaseSide",
    "VaseView",
    "lathe",
    "lathe_views",
    "model_fault",
    "profile_drawing",
]
