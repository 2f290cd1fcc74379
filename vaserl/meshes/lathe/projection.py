"""Projects a mesh into a photograph by the photograph's estimated camera."""

import numpy as np

from vaserl.meshes.lathe.texture import Exposure
from vaserl.meshes.silhouette import fill_triangles


def silhouette_in(exposure: Exposure, vertices: np.ndarray, faces: np.ndarray, azimuth_deg: float = 0.0) -> np.ndarray:
    """Returns the silhouette of a closed mesh in a photograph, bool [h, w] in pixels of the photograph's mask.

    `vertices` is float64 [V, 3] in body heights, `faces` int [F, 3]. `azimuth_deg` is where the camera stands: 0 in
    front of the vase, 90 at its right side.
    """
    view, pixels = exposure.view, exposure.pixels
    cosine, sine = np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg))
    x, height, z = vertices.T
    across, towards = x * cosine - z * sine, z * cosine + x * sine
    centre = view.foot_row - height * (view.foot_row - view.mouth_row)
    row = centre + view.flatness(centre) * towards * pixels
    corners = np.stack(exposure.axis.to_photo(across * pixels, row + exposure.first_row), axis=1)[faces]
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    # the mesh is closed, so the triangles that face the camera cover the whole silhouette
    facing = one[:, 0] * other[:, 1] < one[:, 1] * other[:, 0]
    return fill_triangles(corners[facing], exposure.mask.shape)
