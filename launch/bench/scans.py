"""Measures the lathe on scans of real vessels, and VaseEval's alignment on copies of these scans.

Photographs are rendered from each scan, from all sides and with random light, backdrop and elevation. The lathe
reconstructs a mesh from each photograph, and VaseEval compares it with the scan. Scans aren't part of the repository:
give a folder of GLBs, Y up.

Each scan is also compared with two copies of itself: one that is turned, leaning, scaled and moved, and one that is
turned and reduced to few faces, which have no colours. They show what the alignment alone costs, and what it loses
without paint.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from PIL import Image

from launch.bench.timing import circumstances
from vaserl.errors import UserError
from vaserl.meshes.compare import VaseEvalSettings
from vaserl.meshes.compare.evaluate import PairMeter
from vaserl.meshes.compare.names import glbs_of
from vaserl.meshes.cutout.cutout import CutoutError
from vaserl.meshes.cutout.method import NETWORK, cut_out, load_method
from vaserl.meshes.generators.decimate import decimate
from vaserl.meshes.glb import load_mesh, write_glb
from vaserl.meshes.lathe import LatheError, lathe
from vaserl.meshes.silhouette import intersection_over_union
from vaserl.meshes.turntable import Camera, Light, TurntableRenderer
from vaserl.synthetic.photograph import BACKDROPS

_SIDE = 448
"""Width and height of a photograph in pixels, the size at which the lathe works."""
_TURN_DEG, _LEAN_DEG, _SCALE = 137.0, 3.0, 7.3
_FEW_FACES = 4000
_MEASURES = ("iou_mask", "iou_photo", "iou_own", "chamfer", "normal_consistency", "psnr", "ssim", "turn_error_deg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set the scans and the number of photographs of each."""
    parser.add_argument("--scans", type=Path, required=True, help="folder with the scans, GLBs with Y up")
    parser.add_argument("--num-photographs", type=int, default=6, help="photographs of each scan (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the photographs (%(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures the lathe on each photograph, and the alignment on two copies of each scan.

    Returns: the medians by scan and over all photographs, all photographs, and the copies.
    """
    if arguments.num_photographs < 1:
        raise UserError("--num-photographs must be at least 1")
    scans, other = glbs_of(arguments.scans, "--scans")
    photographs: list[dict[str, Any]] = []
    copies: list[dict[str, Any]] = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        TurntableRenderer(resolution=_SIDE) as camera,
        TurntableRenderer(resolution=256) as turntable,
    ):
        folder = Path(scratch)
        settings = VaseEvalSettings(run_dir=folder, generated={"lathe": folder}, true=folder, num_views=4)
        meter = PairMeter(settings, turntable)
        for index, (name, path) in enumerate(scans.items()):
            rng = np.random.default_rng([arguments.seed, index])
            photographs += _lathed(name, path, meter, camera, rng, arguments.num_photographs, folder / "lathe.glb")
            copies += _copied(name, path, meter, folder / "copy.glb")
    return {
        "num_scans": len(scans),
        "other_files": list(other),
        "all": _scan_medians(photographs),
        "by_scan": {name: _scan_medians([row for row in photographs if row["scan"] == name]) for name in scans},
        "photographs": photographs,
        "copies": copies,
        **circumstances(),
    }


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = []
    for name, row in {"all": measured["all"], **measured["by_scan"]}.items():
        numbers = "  ".join(f"{measure} {row[measure]:.4g}" for measure in _MEASURES)
        lines.append(f"{name:12} n {row['num']:3} rejected {row['num_failed']:3}  {numbers}")
    for row in measured["copies"]:
        numbers = f"Chamfer {row['chamfer']:.4f}  turn error {row['turn_error_deg']:.1f} degrees"
        lines.append(f"{row['scan']:12} copy, {row['copy']:9} {numbers}")
    lines += [f"{row['scan']}, rejected: {row['failure']}" for row in measured["photographs"] if row["failure"]]
    return "\n".join(lines)


def turn_error(found_deg: float, expected_deg: float) -> float:
    """Returns the angle between two turns, in degrees from 0 to 180."""
    return abs((found_deg - expected_deg + 180.0) % 360.0 - 180.0)


def _lathed(
    name: str, path: Path, meter: PairMeter, camera: TurntableRenderer, rng: np.random.Generator, num: int, glb: Path
) -> Iterator[dict[str, Any]]:
    scan, method = load_mesh(path), load_method(NETWORK)
    for index in range(num):
        azimuth = float((360.0 * index / num + rng.uniform(-10, 10)) % 360)
        view, frame = (azimuth, float(rng.uniform(1, 14))), Camera(margin=float(rng.uniform(1.04, 1.2)))
        light = Light(
            ambient=float(rng.uniform(0.42, 0.62)),
            key=float(rng.uniform(1.2, 2.4)),
            key_direction_deg=(float(rng.uniform(-60, 60)), float(rng.uniform(10, 55))),
            fill=float(rng.uniform(0.2, 0.9)),
        )
        backdrop = BACKDROPS[index % len(BACKDROPS)]
        photo = camera.render_views(scan, [view], camera=frame, light=light, background=backdrop)[0]
        on_white, on_black = (
            camera.render_views(scan, [view], camera=frame, background=ground)[0].astype(int)
            for ground in ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
        )
        row = {"scan": name, "azimuth_deg": azimuth, "elevation_deg": view[1], "backdrop": list(backdrop)}
        try:
            result = lathe(photo, cut_out(Image.fromarray(photo), method).mask)
        except (CutoutError, LatheError) as failure:
            yield {**row, "failure": str(failure), "warnings": [], **dict.fromkeys(_MEASURES, float("nan"))}
            continue
        mask = np.abs(on_white - on_black).max(axis=2) < 128
        write_glb(glb, result.mesh)
        pair = meter(name, glb, path)
        yield {
            **row,
            "failure": "",
            "warnings": list(result.warnings),
            "iou_mask": intersection_over_union(result.mask, mask),
            "iou_photo": intersection_over_union(result.silhouette, mask),
            "iou_own": result.silhouette_iou,
            "turn_error_deg": turn_error(pair.turn_deg, -azimuth),
            **pair.scores,
        }


def _copied(name: str, path: Path, meter: PairMeter, glb: Path) -> Iterator[dict[str, Any]]:
    turn = trimesh.transformations.rotation_matrix(np.radians(_TURN_DEG), [0, 1, 0])
    lean = trimesh.transformations.rotation_matrix(np.radians(_LEAN_DEG), [0.6, 0, 0.8])
    moved = load_mesh(path).to_mesh()
    moved.apply_transform(trimesh.transformations.scale_matrix(_SCALE) @ lean @ turn)
    moved.apply_translation([4.0, -2.0, 11.0])
    bare = trimesh.Trimesh(moved.vertices, moved.faces, process=False)
    bare.merge_vertices()
    for kind, mesh in (("moved", moved), ("decimated", decimate(bare, _FEW_FACES))):
        write_glb(glb, mesh)
        pair = meter(name, glb, path)
        error = turn_error(pair.turn_deg, -_TURN_DEG)
        yield {"scan": name, "copy": kind, "num_faces": len(mesh.faces), "turn_error_deg": error, **pair.scores}


def _scan_medians(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    done = [row for row in rows if not row["failure"]]
    medians = {name: float(np.median([row[name] for row in done])) if done else float("nan") for name in _MEASURES}
    warned = sum(bool(row["warnings"]) for row in done)
    return {"num": len(rows), "num_failed": len(rows) - len(done), "num_warned": warned, **medians}
