"""The mesh gate: checks a mesh's geometry, then its agreement with the photograph, and returns the reason for a
rejection.

The photograph is cut out anew (`vaserl.meshes.photo_comparison`), because a mesh always agrees with the mask that it
was made from. If the photograph can't be cut out, the mesh is uncompared, and must look more like a vessel.

A copy of the mesh is measured after repairs that don't change its shape: vertices at texture seams are merged,
zero-area and duplicate faces are removed, and windings are made consistent. The mesh isn't replaced by its convex hull
or by a remesh, because a gate that repairs shapes accepts every mesh.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import trimesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from vaserl.meshes.photo_comparison import CLEAR_IOU, compare_with_photo

NUM_SLICES, NUM_SECTORS = 24, 16
"""Number of horizontal slices, and number of directions around the axis in each slice, for measuring rotational
symmetry."""
NUM_HANDLE_SECTORS = 2
"""Number of these directions that a handle may take."""
UNCLEAR_SYMMETRY = 0.95
"""Smallest rotational symmetry of a mesh that has less than `CLEAR_IOU`, or whose photograph can't be cut out."""
UNCLEAR_DEPTH = 0.05
"""Smallest depth of such a mesh's mouth, in heights. A ball and a lump have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Limits that a mesh must meet to pass the gate."""

    min_faces: int = 200
    """Smallest number of faces; with fewer, the vase's profile isn't recognisable."""
    max_components: int = 40
    """Largest number of connected components: body, handles and lid may be separate, and scans contain loose
    fragments."""
    min_main_share: float = 0.5
    """Smallest share of the surface area that the largest connected component must have."""
    max_open_edges: float = 0.02
    """Largest share of edges that belong to only one face. A watertight mesh has 0, a scan without its underside about
    0.01."""
    needs_texture: bool = True
    """If true, the gate rejects meshes that have neither a texture image nor vertex or face colours."""
    min_height_to_width: float = 0.2
    """Smallest ratio of height to width; the default admits a plate on its foot."""
    max_height_to_width: float = 8.0
    """Largest ratio of height to width; the default admits tall, narrow shapes (alabastron, loutrophoros)."""
    min_fill: float = 0.01
    """Smallest enclosed volume, as a share of the bounding box's volume; an open sheet encloses no volume."""
    min_symmetry: float = 0.75
    """Smallest rotational symmetry: 1 is a perfect surface of revolution, and handles hardly reduce it."""
    min_iou: float = 0.8
    """Smallest intersection over union of the silhouettes of mesh and photograph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """The gate's decision on one mesh.

    Example: GateResult(accepted=False, reason="the surface is open: 31% of …", measures={"open_edges": 0.31, …})
    """

    accepted: bool
    """True when the mesh meets all limits."""
    reason: str
    """Reason for the rejection: the first limit that the mesh violates, with the measured value. Empty when the mesh is
    accepted."""
    measures: Mapping[str, float]
    """Measured values by name, such as "open_edges"; measuring stops at the first limit that the mesh violates."""


def gate(mesh: trimesh.Trimesh, photo: np.ndarray | None = None, thresholds: Thresholds | None = None) -> GateResult:
    """Checks a mesh, which must have Y up and its front towards +Z; the mesh isn't changed.

    `photo` is the vase's photograph, uint8 [H, W, 3 or 4]. Without it, the silhouette isn't checked.
    """
    limits = thresholds or Thresholds()
    measures: dict[str, float] = {"num_faces": float(len(mesh.faces))}

    def reject(reason: str) -> GateResult:
        return GateResult(accepted=False, reason=reason, measures=measures)

    if len(mesh.faces) < limits.min_faces:
        return reject(f"only {len(mesh.faces)} faces; a vase needs at least {limits.min_faces}")
    if not np.isfinite(mesh.vertices).all():
        return reject("some vertices are not finite numbers")
    solid = _repaired(mesh)
    if not len(solid.faces):
        return reject("all its faces are points or lines")
    width, height, depth = (float(extent) for extent in solid.extents)
    if min(width, height, depth) <= 1e-9:
        return reject("the mesh is flat: it has no extent in at least one direction")

    shares = _component_shares(solid)
    measures |= {"num_components": float(len(shares)), "main_share": float(shares.max())}
    if len(shares) > limits.max_components:
        return reject(f"consists of {len(shares)} pieces; at most {limits.max_components} are allowed")
    if shares.max() < limits.min_main_share:
        return reject(f"the largest piece has only {shares.max():.0%} of the surface: there is no main body")

    measures["open_edges"] = open_edges = _open_edges(solid)
    measures["watertight"] = float(solid.is_watertight)
    if open_edges > limits.max_open_edges:
        return reject(f"the surface is open: {open_edges:.1%} of its edges have a face on one side only")

    measures["height_to_width"] = ratio = height / max(width, depth)
    if not limits.min_height_to_width <= ratio <= limits.max_height_to_width:
        return reject(f"{ratio:.2f} times as high as wide: not the proportions of a vase, or Y isn't up")
    measures["fill"] = fill = abs(float(solid.volume)) / (width * height * depth)
    if fill < limits.min_fill:
        return reject(f"encloses only {fill:.2%} of its bounding box: a sheet, not a vessel")

    measures["textured"] = float(_is_textured(mesh))
    if limits.needs_texture and not measures["textured"]:
        return reject("has neither a texture nor colours")

    measures["symmetry"] = symmetry = rotational_symmetry(solid)
    if symmetry < limits.min_symmetry:
        return reject(f"not wheel-thrown: rotational symmetry {symmetry:.2f}, minimum {limits.min_symmetry}")

    if photo is not None:
        found = compare_with_photo(solid, photo, limits.min_iou)
        measures |= {"compared": float(found.is_compared), "cutouts_alike": float(found.are_alike)}
        if found.is_compared:
            measures["silhouette_iou"] = iou = found.iou
            if iou < limits.min_iou:
                return reject(f"unlike its photograph: the silhouettes overlap by {iou:.2f}, minimum {limits.min_iou}")
            if found.lacks_openings:
                return reject("unlike its photograph: backdrop shows beside the body, where the model has clay")
        if not found.is_compared or found.iou < CLEAR_IOU:
            measures["mouth_depth"] = depth = mouth_depth(solid)
            if symmetry < UNCLEAR_SYMMETRY or depth < UNCLEAR_DEPTH:
                cause = "fits its photograph only roughly" if found.is_compared else "its photograph can't be cut out"
                return reject(
                    f"{cause}, and alone it doesn't look like a vessel: rotational symmetry {symmetry:.2f}, minimum "
                    f"{UNCLEAR_SYMMETRY}; depth of the mouth {depth:.2f}, minimum {UNCLEAR_DEPTH}"
                )
    return GateResult(accepted=True, reason="", measures=measures)


def rotational_symmetry(mesh: trimesh.Trimesh) -> float:
    """Returns the rotational symmetry, from 0 to 1: 1 minus the relative deviation of the radius around the axis.

    The radius in a direction is the distance from the axis to the outermost point of a horizontal slice in this
    direction. A slice's deviation is the mean relative difference between its radii and their median, without the
    `NUM_HANDLE_SECTORS` directions that differ most: the handle of a mug spans most slices. The median of the slices'
    deviations is used, so handles and spouts, which affect few directions or slices, hardly change the result. The
    axis is the vertical line through the median of the slices' centres.
    """
    points = _surface_points(mesh)
    low, high = points[:, 1].min(), points[:, 1].max()
    level = np.clip(((points[:, 1] - low) / (high - low) * NUM_SLICES).astype(int), 0, NUM_SLICES - 1)
    x, z = float(np.median(points[:, 0])), float(np.median(points[:, 2]))
    radii = np.empty(0)
    for _ in range(4):
        dx, dz = points[:, 0] - x, points[:, 2] - z
        azimuth = np.arctan2(dx, dz)
        sector = np.clip(((azimuth / (2 * np.pi) + 0.5) * NUM_SECTORS).astype(int), 0, NUM_SECTORS - 1)
        outermost = np.zeros(NUM_SLICES * NUM_SECTORS)
        np.maximum.at(outermost, level * NUM_SECTORS + sector, np.hypot(dx, dz))
        radii = outermost.reshape(NUM_SLICES, NUM_SECTORS)
        # a circle whose centre lies d off the axis has the radius r + d cos(a - a0) at azimuth a: its first harmonic is
        # the offset
        middle = (np.arange(NUM_SECTORS) + 0.5) / NUM_SECTORS * 2 * np.pi - np.pi
        typical = np.median(radii, axis=1, keepdims=True)
        excess = radii - typical
        excess[np.abs(excess) > _handle_excess(excess)] = 0
        x += float(np.median(2 * (excess * np.sin(middle)).mean(axis=1)))
        z += float(np.median(2 * (excess * np.cos(middle)).mean(axis=1)))
    typical = np.median(radii, axis=1)
    excess = radii - typical[:, None]
    excess[np.abs(excess) > _handle_excess(excess)] = 0
    departure = np.abs(excess).mean(axis=1) / np.maximum(typical, 1e-9)
    return float(np.clip(1 - np.median(departure), 0.0, 1.0))


def _handle_excess(excess: np.ndarray) -> np.ndarray:
    """Returns the deviation beyond which a direction counts as a handle's, float64 [S, 1].

    excess: deviations of the radii from the typical one, in each slice and direction, float64 [S, D].
    """
    return np.sort(np.abs(excess), axis=1)[:, -1 - NUM_HANDLE_SECTORS, None]


def mouth_depth(mesh: trimesh.Trimesh) -> float:
    """Returns how far one sees down through the mouth, in heights: from the top to the first surface below it.

    The depth is the median of nine vertical lines at and near the axis, so that a seam or a hole pierced in the floor
    doesn't matter. A line that meets no surface has the depth 1.
    """
    vertices = np.asarray(mesh.vertices)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    points = _surface_points(mesh)
    x, z = float(np.median(points[:, 0])), float(np.median(points[:, 2]))
    reach = 0.01 * float(high[1] - low[1])
    corners = vertices[mesh.faces]
    near = (corners[..., 0].min(axis=1) <= x + reach) & (corners[..., 0].max(axis=1) >= x - reach)
    near &= (corners[..., 2].min(axis=1) <= z + reach) & (corners[..., 2].max(axis=1) >= z - reach)
    tops = [
        _highest(corners[near], x + reach * right, z + reach * front) for right in (-1, 0, 1) for front in (-1, 0, 1)
    ]
    return float(np.median([(high[1] - max(top, low[1])) / (high[1] - low[1]) for top in tops]))


def _highest(corners: np.ndarray, x: float, z: float) -> float:
    """Returns the largest height at which a vertical line meets triangles, float64 [F, 3, 3]; minus infinity if it
    meets none."""
    a, b, c = (corners[:, index] for index in range(3))
    double_area = (b[:, 0] - a[:, 0]) * (c[:, 2] - a[:, 2]) - (b[:, 2] - a[:, 2]) * (c[:, 0] - a[:, 0])
    safe = np.where(np.abs(double_area) > 1e-15, double_area, np.nan)
    second = ((x - a[:, 0]) * (c[:, 2] - a[:, 2]) - (z - a[:, 2]) * (c[:, 0] - a[:, 0])) / safe
    third = ((b[:, 0] - a[:, 0]) * (z - a[:, 2]) - (b[:, 2] - a[:, 2]) * (x - a[:, 0])) / safe
    with np.errstate(invalid="ignore"):
        meets = (second >= -1e-9) & (third >= -1e-9) & (second + third <= 1 + 1e-9)
    heights = (1 - second - third) * a[:, 1] + second * b[:, 1] + third * c[:, 1]
    return float(heights[meets].max()) if meets.any() else -np.inf


def _repaired(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Returns a copy with vertices merged, zero-area and duplicate faces removed and windings made consistent.

    The copy has unit size, because trimesh's tolerances are absolute and a mesh may have any unit.
    """
    size = float(np.ptp(mesh.vertices, axis=0).max())
    solid = trimesh.Trimesh(mesh.vertices / (size or 1.0), mesh.faces, process=False)
    solid.merge_vertices()
    solid.update_faces(solid.nondegenerate_faces())
    solid.update_faces(solid.unique_faces())
    solid.remove_unreferenced_vertices()
    if not solid.is_winding_consistent:
        trimesh.repair.fix_winding(solid)
    return solid


def _component_shares(solid: trimesh.Trimesh) -> np.ndarray:
    """Returns each connected component's share of the surface area, float64 [C] for C components."""
    pairs = solid.edges_unique
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(solid.vertices),) * 2)
    _, labels = connected_components(graph, directed=False)
    areas = np.bincount(labels[solid.faces[:, 0]], weights=solid.area_faces)
    return areas / max(float(areas.sum()), 1e-12)


def _open_edges(solid: trimesh.Trimesh) -> float:
    """Returns the share of edges that belong to only one face."""
    counts = np.bincount(solid.edges_unique_inverse)
    return float((counts == 1).mean())


def _is_textured(mesh: trimesh.Trimesh) -> bool:
    visual = mesh.visual
    if visual is None or not visual.defined:
        return False
    if visual.kind == "texture":
        material = getattr(visual, "material", None)
        image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
        return image is not None and getattr(visual, "uv", None) is not None
    return True


def _surface_points(mesh: trimesh.Trimesh, num_points: int = 12_000) -> np.ndarray:
    """Returns points on the surface, float64 [N, 3]: random points, evenly by area, and all vertices.

    With vertices alone, long thin triangles would leave some directions around the axis without points.
    """
    points = trimesh.sample.sample_surface(mesh, num_points, seed=0)[0]
    return np.concatenate([np.asarray(points), mesh.vertices])
