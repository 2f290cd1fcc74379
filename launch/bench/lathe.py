"""Measures the accuracy of the lathe, which reconstructs a vase from one photograph, on synthetic vases of known shape.

Each vase is rendered from the front with random light, backdrop and elevation, and reconstructed from this photograph.
The same is done without the vase's handles, which gives the accuracy of the wall alone. The two meshes, reconstructed
and true, are compared with the same axis, the same body height and the rotation that the vase has in the photograph.

Three things are compared:
* silhouettes, in two ways: the reconstruction's, seen by the camera that the lathe estimated, with the vase's true mask
  in the photograph; and those of both meshes, seen horizontally;
* surfaces, by Chamfer distance: the mean distance of points on each surface from the other surface, averaged over both
  directions, in percent of the body's height;
* profiles: the radius at 199 equally spaced heights, for a vase 300 mm high. A trefoil lip isn't round; its true radius
  is that of the generated profile.
"""

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import trimesh
from PIL import Image
from scipy.spatial import KDTree

from launch.bench.timing import circumstances
from vaserl.errors import UserError
from vaserl.meshes.cutout.cutout import CutoutError
from vaserl.meshes.cutout.method import NETWORK, CutoutMethod, cut_out_whole_vase, load_method
from vaserl.meshes.lathe import LatheError, LatheResult, lathe
from vaserl.meshes.silhouette import fill_triangles, intersection_over_union
from vaserl.meshes.turntable import Camera, Light, Model, TurntableRenderer
from vaserl.synthetic.mesh import build_mesh
from vaserl.synthetic.paint import paint_vase
from vaserl.synthetic.photograph import RESOLUTION, take_photograph
from vaserl.synthetic.vase import VaseTraits, shape_of
from vaserl.synthetic.world import traits_of

HEIGHT_MM = 300.0
NUM_HEIGHTS = 199
_NUM_POINTS = 20_000
_SIDE = 300
"""Height of a vase's body in the silhouettes that are seen horizontally, in pixels."""
_MEASURES = ("iou_photo", "iou_level", "chamfer_percent", "profile_mean_mm", "profile_p95_mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """Accuracy of the lathe's reconstruction of one vase."""

    index: int
    """Number of the vase in the synthetic world."""
    shape: str
    """Shape of the vase as written in its museum record."""
    technique: str
    """Painting technique as written in the vase's museum record. White-ground vases are hard to segment on a pale
    backdrop."""
    failure: str
    """Reason why the lathe rejected the photograph; all measures are NaN then. Empty if there was no rejection."""
    iou_photo: float
    """Intersection over union of the reconstruction's silhouette and the vase's true mask, both in the photograph."""
    iou_mask: float
    """Intersection over union of the network's cut-out of the photograph and the vase's true mask."""
    iou_level: float
    """Intersection over union of the silhouettes of the reconstructed and the true mesh, seen horizontally."""
    chamfer_percent: float
    """Chamfer distance between the reconstructed and the true mesh, in percent of the body's height."""
    profile_mean_mm: float
    """Mean absolute error of the radius over 199 heights, in mm for a vase 300 mm high."""
    profile_p95_mm: float
    """95th percentile of the absolute error of the radius over 199 heights, in mm for a vase 300 mm high."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set the number and the seed of the vases."""
    parser.add_argument("--num-vases", type=int, default=120, help="vases, each with and without handles (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the vases and their photographs (%(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures the lathe's accuracy on each vase, with and without handles.

    Returns: the medians over all vases, by shape and by technique; the number of rejections and their reasons; and the
    ten worst vases.
    """
    if arguments.num_vases < 1:
        raise UserError("--num-vases must be at least 1")
    with _RecordingRenderer(RESOLUTION) as turntable:
        whole, bare = zip(*_lifted(arguments.seed, arguments.num_vases, turntable), strict=True)
    return {
        "num_vases": arguments.num_vases,
        "as_thrown": lathe_summary(whole),
        "without_handles": lathe_summary(bare),
        "worst": [asdict(row) for row in sorted(whole, key=lambda row: (not row.failure, row.iou_level))[:10]],
        **circumstances(),
    }


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = []
    for name in ("as_thrown", "without_handles"):
        lines.append(f"{name.replace('_', ' ')}, {measured['num_vases']} vases, medians:")
        groups = {"all": measured[name]["all"], **measured[name]["by_shape"], **measured[name]["by_technique"]}
        lines += [
            f"  {group:16} n {row['num']:4} rejected {row['num_failed']:3}  photo IoU {row['iou_photo']:.3f}"
            f"  level IoU {row['iou_level']:.3f}  Chamfer {row['chamfer_percent']:5.2f} %"
            f"  profile {row['profile_mean_mm']:5.2f} mm, p95 {row['profile_p95_mm']:5.2f} mm"
            for group, row in groups.items()
        ]
        lines += [f"  rejected: {reason}" for reason in measured[name]["failures"]]
    return "\n".join(lines)


def lathe_summary(rows: Sequence[Lifted]) -> dict[str, Any]:
    """Returns the medians of all measures: over all vases, by shape and by technique. Rejected vases are counted and
    listed, but are not part of the medians."""
    return {
        "all": _medians(rows),
        "by_shape": _grouped(rows, "shape"),
        "by_technique": _grouped(rows, "technique"),
        "failures": [f"{row.shape} {row.index}: {row.failure}" for row in rows if row.failure],
    }


def compare_model(
    result: LatheResult, truth: trimesh.Trimesh, profile: np.ndarray, mask: np.ndarray
) -> dict[str, float]:
    """Compares one reconstruction with the true mesh. Returns: the measures, by their field name in `Lifted`.

    `truth` is the true mesh, rotated as the vase is in the photograph, with a body one unit high along the y axis (up).
    `profile` is the true outer profile: N points (radius, height), float64 [N, 2]. `mask` is True at the vase's pixels
    in the photograph, bool [height, width].
    """
    heights = np.linspace(0.0, 1.0, NUM_HEIGHTS + 2)[1:-1]
    radius = np.interp(heights, result.profile[:, 1], result.profile[:, 0])
    error_mm = np.abs(radius - np.interp(heights, profile[:, 1], profile[:, 0])) * HEIGHT_MM
    return {
        "iou_photo": intersection_over_union(result.silhouette, mask),
        "iou_mask": intersection_over_union(result.mask, mask),
        "iou_level": intersection_over_union(level_silhouette(result.mesh), level_silhouette(truth)),
        "chamfer_percent": 100 * chamfer(result.mesh, truth),
        "profile_mean_mm": float(error_mm.mean()),
        "profile_p95_mm": float(np.percentile(error_mm, 95)),
    }


def chamfer(one: trimesh.Trimesh, other: trimesh.Trimesh) -> float:
    """Returns the mean distance of points on each mesh's surface from the other mesh's surface, averaged over both
    directions, in the meshes' unit."""
    first, second = (np.asarray(trimesh.sample.sample_surface(mesh, _NUM_POINTS, seed=0)[0]) for mesh in (one, other))
    there, back = KDTree(second).query(first)[0], KDTree(first).query(second)[0]
    return float(there.mean() + back.mean()) / 2


def level_silhouette(mesh: trimesh.Trimesh) -> np.ndarray:
    """Returns the mesh's silhouette, seen horizontally from the front: bool [height, width], `_SIDE` pixels per
    unit."""
    x, y = mesh.vertices[:, 0], mesh.vertices[:, 1]
    corners = np.stack([x * _SIDE + 1.5 * _SIDE, 1.75 * _SIDE - y * _SIDE], axis=1)[mesh.faces]
    return fill_triangles(corners, (2 * _SIDE, 3 * _SIDE))


def _lifted(seed: int, num_vases: int, turntable: "_RecordingRenderer") -> Iterator[tuple[Lifted, Lifted]]:
    method = load_method(NETWORK)
    for index in range(num_vases):
        traits = traits_of(seed, index)
        mesh = build_mesh(traits, paint_vase(traits))
        yield (
            _measured(index, traits, mesh, turntable, method, np.random.default_rng([seed, index])),
            _measured(index, traits, _bare(mesh), turntable, method, np.random.default_rng([seed, index])),
        )


def _measured(
    index: int,
    traits: VaseTraits,
    mesh: trimesh.Trimesh,
    turntable: "_RecordingRenderer",
    method: CutoutMethod,
    rng: np.random.Generator,
) -> Lifted:
    photo = take_photograph(turntable, mesh, "intact", rng)
    named: dict[str, Any] = {"index": index, "shape": traits.facts.shape, "technique": traits.facts.technique}
    try:
        result = lathe(photo, cut_out_whole_vase(Image.fromarray(photo), method).mask)
    except (CutoutError, LatheError) as failure:
        nan: dict[str, Any] = dict.fromkeys((*_MEASURES, "iou_mask"), float("nan"))
        return Lifted(**named, failure=str(failure), **nan)
    truth = mesh.copy()
    truth.apply_transform(trimesh.transformations.rotation_matrix(np.radians(turntable.turn_deg), [0, 1, 0]))
    truth.apply_scale(1 / traits.slimness)
    profile = shape_of(traits.facts).outside() / [traits.slimness, 1.0]
    compared: dict[str, Any] = dict(compare_model(result, truth, profile, turntable.mask(mesh)))
    return Lifted(**named, failure="", **compared)


def _bare(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Returns the mesh of the vase's wall alone, which is the first connected component of a synthetic vase."""
    labels = trimesh.graph.connected_component_labels(mesh.face_adjacency, node_count=len(mesh.faces))
    bare = mesh.copy()
    bare.update_faces(labels == labels[0])
    bare.remove_unreferenced_vertices()
    return bare


class _RecordingRenderer(TurntableRenderer):
    """A renderer that records the arguments of the last `render_views` call, to render a mask for the same view."""

    turn_deg: float = 0.0

    def render_views(
        self,
        model: Model,
        views: Sequence[tuple[float, float]],
        *,
        camera: Camera | None = None,
        light: Light | None = None,
        background: tuple[float, float, float] | None = None,
        framed_by: Model | None = None,
    ) -> np.ndarray:
        self._views, self._used, self.turn_deg = views, camera, views[0][0]
        return super().render_views(
            model, views, camera=camera, light=light, background=background, framed_by=framed_by
        )

    def mask(self, model: Model) -> np.ndarray:
        """Returns the vase's mask in the first view of the last `render_views` call, bool [height, width].

        The view is rendered on two backdrops: the vase's pixels are those whose colour stays the same.
        """
        blue, green = (
            super(_RecordingRenderer, self).render_views(model, self._views, camera=self._used, background=colour)[0]
            for colour in ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0))
        )
        return np.abs(blue.astype(int) - green).max(axis=2) < 128


def _medians(rows: Sequence[Lifted]) -> dict[str, float]:
    measured = [row for row in rows if not row.failure]
    medians = {
        name: float(np.median([getattr(row, name) for row in measured])) if measured else float("nan")
        for name in (*_MEASURES, "iou_mask")
    }
    return {"num": len(rows), "num_failed": len(rows) - len(measured), **medians}


def _grouped(rows: Sequence[Lifted], field: str) -> dict[str, dict[str, float]]:
    ordered = sorted(rows, key=lambda row: getattr(row, field))
    return {name: _medians(list(group)) for name, group in itertools.groupby(ordered, lambda row: getattr(row, field))}
