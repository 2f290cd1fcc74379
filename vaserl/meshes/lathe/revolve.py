"""Builds a closed, textured mesh from a profile: outside, lip, inside, floor and foot ring, and handles as closed
tubes.

The mesh encloses the clay, so it is watertight although the vase is open. A photograph doesn't show the wall's
thickness, so the thickness is assumed. Y is up, the front faces +Z as in glTF, lengths are in body heights, and the
body stands on y = 0.
"""

import numpy as np
import trimesh
from PIL import Image
from scipy import ndimage
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from vaserl.meshes.lathe.atlas import Atlas
from vaserl.meshes.lathe.sweep import Tube, grid_faces, sweep

_NUM_SEGMENTS = 64
"""Number of vertices around each horizontal section."""
WALL = 0.022
"""Assumed thickness of the wall, in body heights."""
FOOT_RECESS = 0.008
"""Height of the underside above the lower edge of the foot ring, in body heights."""
STEM_SHARE = 0.35
"""Smallest radius of a hollow stem or foot, as a share of the vase's largest radius; a thinner one below the widest
point is solid."""


def revolve(profile: np.ndarray, tubes: list[Tube], atlas: Atlas, texture: np.ndarray) -> trimesh.Trimesh:
    """Returns the mesh of the vase.

    `profile` is float64 [N, 2] (radius, height) from foot to lip. `texture` is uint8 [height, width, 3] with the layout
    `atlas`, which has one band for each tube.
    """
    pieces = [_wall(profile, atlas)]
    pieces += [sweep(tube, atlas.v_span(band)) for tube, band in zip(tubes, atlas.handles, strict=True)]
    offsets = np.cumsum([0, *(len(vertices) for vertices, _, _, _ in pieces[:-1])])
    material = PBRMaterial(
        name="fired clay", baseColorTexture=Image.fromarray(texture), metallicFactor=0.0, roughnessFactor=0.6
    )
    return trimesh.Trimesh(
        vertices=np.concatenate([vertices for vertices, _, _, _ in pieces]),
        vertex_normals=np.concatenate([normals for _, normals, _, _ in pieces]),
        faces=np.concatenate([faces + offset for (_, _, faces, _), offset in zip(pieces, offsets, strict=True)]),
        visual=TextureVisuals(uv=np.concatenate([uv for _, _, _, uv in pieces]), material=material),
        process=False,
    )


def inside_of(profile: np.ndarray, wall: float = WALL) -> np.ndarray:
    """Returns the inside's profile, float64 [M, 2] (radius, height), from the lip to the centre of the floor.

    The inside is the outside eroded by a disc of radius `wall`, so the wall is as thick under a flat shoulder as in the
    belly.
    """
    heights = np.linspace(0.0, 1.0, 201)
    outside = np.interp(heights, profile[:, 1], profile[:, 0])
    reach = int(wall * 200)
    disc = np.sqrt(wall**2 - (np.arange(-reach, reach + 1) / 200) ** 2)
    radius = ndimage.grey_erosion(outside, structure=disc, mode="nearest")
    widest = int(np.argmax(outside))
    narrow = np.nonzero(outside[: widest + 1] < STEM_SHARE * outside[widest])[0]
    floor = min((heights[narrow[-1]] if len(narrow) else 0.0) + FOOT_RECESS + 1.5 * wall, 0.9)
    down = np.linspace(1.0, floor, 40)
    inner = np.maximum(np.interp(down, heights, radius), 0.15 * outside.min())
    inner[0] = max(profile[-1, 0] - wall, 0.5 * profile[-1, 0])  # a flat lip as wide as the wall
    return np.concatenate([np.stack([inner, down], axis=1), [[0.0, floor]]])


def _wall(profile: np.ndarray, atlas: Atlas) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns the body's vertices [V, 3], normals [V, 3], faces [F, 3] and texture coordinates [V, 2]."""
    foot = float(profile[0, 0])
    underside = np.array([[0.0, FOOT_RECESS], [0.7 * foot, FOOT_RECESS], [0.78 * foot, 0.0]])
    inside = inside_of(profile)
    # the profile points at the edge of the foot and at the lip are doubled, so that shading has an edge there
    runs = [np.concatenate([underside, profile[:1]]), profile, np.concatenate([profile[-1:], inside])]
    spans = [atlas.v_middle(atlas.underside)] * 2, atlas.v_span(atlas.wall), [atlas.v_middle(atlas.inside)] * 2
    curve = np.concatenate(runs)
    v = np.concatenate([np.linspace(span[0], span[1], len(run)) for run, span in zip(runs, spans, strict=True)])
    slant = np.concatenate([_normals(run) for run in runs])
    u = np.linspace(0.0, 1.0, _NUM_SEGMENTS + 1)
    azimuth = (u - 0.5) * 2 * np.pi
    sine, cosine = np.sin(azimuth), np.cos(azimuth)
    sine[-1], cosine[-1] = sine[0], cosine[0]  # the seam closes exactly
    vertices = _turned(curve, sine, cosine)
    normals = _turned(slant, sine, cosine)
    uv = np.stack(np.broadcast_arrays(u[None], v[:, None]), axis=-1)
    doubled = np.cumsum([len(run) for run in runs[:-1]])
    return vertices, normals, grid_faces(len(curve), _NUM_SEGMENTS + 1, doubled), uv.reshape(-1, 2)


def _turned(curve: np.ndarray, sine: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Rotates each (radial, axial) pair of `curve` about the y axis to each azimuth.

    `sine` and `cosine` are those of the azimuths.

    Returns: float64 [len(curve) * len(sine), 3].
    """
    radial, axial = curve[:, :1], curve[:, 1:]
    return np.stack(np.broadcast_arrays(radial * sine, axial, radial * cosine), axis=-1).reshape(-1, 3)


def _normals(run: np.ndarray) -> np.ndarray:
    """Returns the unit normals at N points of a curve, float64 [N, 2].

    Normals point to the right of the curve's direction, which is away from the clay.
    """
    tangent = np.gradient(run, axis=0)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
