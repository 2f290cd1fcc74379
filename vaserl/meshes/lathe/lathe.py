"""Reconstructs a textured mesh from one photograph of a wheel-thrown vase, without a GPU or learned weights.

The steps find the axis, the camera, the profile and the handles, then build the texture and the mesh;
the code of each step is in a module of this folder. Not supported are shapes that aren't wheel-thrown (figure vases,
fragments), and parts that a silhouette doesn't show (the wall's thickness, the back, handles in front or behind).
"""

import numpy as np

from vaserl.meshes.lathe.result import LatheResult
from vaserl.meshes.lathe.views import VaseView, lathe_views


def lathe(
    photo: np.ndarray,
    mask: np.ndarray,
    *,
    num_sections: int = 96,
    texture_size: tuple[int, int] = (512, 256),
) -> LatheResult:
    """Reconstructs the vase in a photograph, uint8 [H, W, 3].

    `mask`, bool [H, W], is the vase's mask without the gaps under handles; `meshes.cutout` finds it.
    `num_sections` is the number of points of the profile; `texture_size` is (width, height) of the texture in pixels.

    Raises: LatheError with the reason when the photograph can't be reconstructed.
    """
    return lathe_views([VaseView(photo=photo, mask=mask)], num_sections=num_sections, texture_size=texture_size)
