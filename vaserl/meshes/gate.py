"""Is this model worth a turntable? Geometry first, then agreement with the photograph, each refusal in words.

The model is judged as it would be rendered, after repairs that don't change its shape: vertices that a texture seam
had split are joined, empty and repeated faces dropped, windings made to agree. Nothing is replaced by a hull or a
remesh, because a gate that mends what it judges accepts everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import trimesh
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from vaserl.meshes.lathe.silhouette import fill_triangles, intersection_over_union

ELEVATIONS_DEG = (0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 26.0)
"""Heights of the camera from which a photograph may have been taken; the best agreement counts."""
SILHOUETTE_SIDE = 160
"""Pixels along the longer side of the silhouettes that are compared."""
NUM_SLICES, NUM_SECTORS = 24, 16
"""Heights and directions in which the radius is compared for symmetry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What a model must keep to."""

    min_faces: int = 200
    """Fewer can't show a profile."""
    max_components: int = 40
    """Body, handles, lid and some crumbs that a scan carries."""
    min_main_share: float = 0.5
    """Least share of the surface that the largest component must have."""
    max_open_edges: float = 0.02
    """Largest share of edges with one face only: 0 is watertight; a scan that lacks its underside has about 0.01."""
    needs_texture: bool = True
    """Whether a model without an image or colours is refused."""
    min_height_to_width: float = 0.2
    """Flattest vase: a plate on its foot."""
    max_height_to_width: float = 8.0
    """Slimmest vase: an alabastron or loutrophoros."""
    min_fill: float = 0.01
    """Least volume that the surface encloses, as a share of the bounding box: a sheet encloses none."""
    min_symmetry: float = 0.75
    """Least rotational symmetry; 1 is a perfect surface of revolution, handles hardly count."""
    min_iou: float = 0.8
    """Least agreement of the silhouette with the photograph's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateVerdict:
    """What the gate says of one model.

    Example: GateVerdict(accepted=False, reason="the surface is open: 31% of …", measures={"open_edges": 0.31, …})
    """

    accepted: bool
    """Whether the model goes on to the turntable."""
    reason: str
    """Empty when accepted, else the first requirement that failed, in words with its number."""
    measures: Mapping[str, float]
    """Everything measured before the verdict was clear, by name."""


def gate(
    mesh: trimesh.Trimesh, photo_mask: np.ndarray | None = None, thresholds: Thresholds | None = None
) -> GateVerdict:
    """Judges a model with Y up and its front towards +Z; the mesh isn't changed.

    `photo_mask` is bool [H, W], the vase in its photograph; without it the silhouette isn't judged.
    """
    limits = thresholds or Thresholds()
    measures: dict[str, float] = {"num_faces": float(len(mesh.faces))}

    def refuse(reason: str) -> GateVerdict:
        return GateVerdict(accepted=False, reason=reason, measures=measures)

    if len(mesh.faces) < limits.min_faces:
        return refuse(f"only {len(mesh.faces)} faces; a vase needs at least {limits.min_faces}")
    if not np.isfinite(mesh.vertices).all():
        return refuse("some vertices are not finite numbers")
    solid = _repaired(mesh)
    if not len(solid.faces):
        return refuse("all its faces are points or lines")
    width, height, depth = (float(extent) for extent in solid.extents)
    if min(width, height, depth) <= 1e-9:
        return refuse("the model is flat: it has no extent in at least one direction")

    shares = _component_shares(solid)
    measures |= {"num_components": float(len(shares)), "main_share": float(shares.max())}
    if len(shares) > limits.max_components:
        return refuse(f"falls into {len(shares)} pieces; at most {limits.max_components} are allowed")
    if shares.max() < limits.min_main_share:
        return refuse(f"the largest piece has only {shares.max():.0%} of the surface: there is no one body")

    measures["open_edges"] = open_edges = _open_edges(solid)
    measures["watertight"] = float(solid.is_watertight)
    if open_edges > limits.max_open_edges:
        return refuse(f"the surface is open: {open_edges:.1%} of its edges have a face on one side only")

    measures["height_to_width"] = ratio = height / max(width, depth)
    if not limits.min_height_to_width <= ratio <= limits.max_height_to_width:
        return refuse(f"{ratio:.2f} times as high as wide: no vase is built like that, or Y isn't up")
    measures["fill"] = fill = abs(float(solid.volume)) / (width * height * depth)
    if fill < limits.min_fill:
        return refuse(f"encloses only {fill:.2%} of its bounding box: a sheet, not a vessel")

    measures["textured"] = float(_is_textured(mesh))
    if limits.needs_texture and not measures["textured"]:
        return refuse("has neither a texture nor colours")

    measures["symmetry"] = symmetry = rotational_symmetry(solid)
    if symmetry < limits.min_symmetry:
        return refuse(f"not thrown on a wheel: rotational symmetry {symmetry:.2f}, wanted {limits.min_symmetry}")

    if photo_mask is not None:
        measures["silhouette_iou"] = iou = silhouette_iou(solid, photo_mask)
        if iou < limits.min_iou:
            return refuse(f"unlike its photograph: the silhouettes overlap by {iou:.2f}, wanted {limits.min_iou}")
    return GateVerdict(accepted=True, reason="", measures=measures)


def rotational_symmetry(mesh: trimesh.Trimesh) -> float:
    """1 minus the typical departure of the radius from its median around the axis, relative to that median.

    In each horizontal slice the outermost point of each direction is taken; medians over directions and slices make a
    handle, which fills few of them, count little. The axis is the vertical through the middle of the slices' own
    centres. 0 at worst.
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
        # a circle off the axis by d has the radius r + d cos(a - a0): its first harmonic is the offset
        middle = (np.arange(NUM_SECTORS) + 0.5) / NUM_SECTORS * 2 * np.pi - np.pi
        typical = np.median(radii, axis=1, keepdims=True)
        excess = np.clip(radii - typical, -0.5 * typical, 0.5 * typical)
        x += float(np.median(2 * (excess * np.sin(middle)).mean(axis=1)))
        z += float(np.median(2 * (excess * np.cos(middle)).mean(axis=1)))
    typical = np.median(radii, axis=1)
    departure = np.mean(np.abs(radii - typical[:, None]), axis=1) / np.maximum(typical, 1e-9)
    return float(np.clip(1 - np.median(departure), 0.0, 1.0))


def silhouette_iou(mesh: trimesh.Trimesh, photo_mask: np.ndarray) -> float:
    """Best agreement, over `ELEVATIONS_DEG`, of the front view with bool [H, W], both fitted into the same box.

    Only the scale and the place are fitted, and both sides' proportions are kept: a vase that is too slim stays so.
    """
    wanted = _fitted_mask(photo_mask)
    best = 0.0
    for elevation in np.radians(ELEVATIONS_DEG):
        x, y, z = mesh.vertices.T
        seen = np.stack([x, z * np.sin(elevation) - y * np.cos(elevation)], axis=1)
        seen -= (seen.min(axis=0) + seen.max(axis=0)) / 2
        seen *= (SILHOUETTE_SIDE - 1) / max(float(np.ptp(seen, axis=0).max()), 1e-9)
        corners = (seen + SILHOUETTE_SIDE)[mesh.faces]
        best = max(best, intersection_over_union(fill_triangles(corners, wanted.shape), wanted))
    return best


def _repaired(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """One unit large, because what counts as one place and as no area is absolute, and models come in any unit."""
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
    """float64 [C] each connected piece's share of the surface."""
    pairs = solid.edges_unique
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(solid.vertices),) * 2)
    _, labels = connected_components(graph, directed=False)
    areas = np.bincount(labels[solid.faces[:, 0]], weights=solid.area_faces)
    return areas / max(float(areas.sum()), 1e-12)


def _open_edges(solid: trimesh.Trimesh) -> float:
    """Share of the edges that don't have a face on either side."""
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
    """float64 [N, 3] points on the surface, by area: long thin triangles must not leave sectors empty."""
    points = trimesh.sample.sample_surface(mesh, num_points, seed=0)[0]
    return np.concatenate([np.asarray(points), mesh.vertices])


def _fitted_mask(mask: np.ndarray) -> np.ndarray:
    """bool [2 S, 2 S]: the mask scaled so that its longer extent measures S pixels, in the middle."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        raise ValueError("the photograph's mask is empty")
    cut = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = SILHOUETTE_SIDE / max(cut.shape)
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    small = np.asarray(Image.fromarray((cut * 255).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)) > 127
    canvas = np.zeros((2 * SILHOUETTE_SIDE, 2 * SILHOUETTE_SIDE), bool)
    top, left = SILHOUETTE_SIDE - size[1] // 2, SILHOUETTE_SIDE - size[0] // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas
