"""The turntable: a model, a fixed camera and fixed lights, filmed over one full turn.

Models follow glTF: Y is up, the front looks along +Z at the viewer. Every model is put on its axis and scaled to
unit height first, and the distance follows from its bounding sphere, so size and placement never leak into a clip.
Camera and lights stand still and the model turns, as on a museum's turntable.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import trimesh
from trimesh.visual.color import ColorVisuals

from vaserl.errors import UserError
from vaserl.files.clip import Clip
from vaserl.files.glb import check_glb
from vaserl.meshes.egl_device import card_of_this_process

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # must be set before pyrender is imported: no display needed
if not hasattr(np, "infty"):
    np.infty = np.inf  # type: ignore[attr-defined]  # pyrender 0.1.45 still asks for the name that numpy 2 dropped
with contextlib.suppress(ImportError):
    # Mesa's software renderer and triton each carry an LLVM: triton, which torch imports on its own at some later time,
    # crashes the process when it is loaded second. It is a quarter of a second when loaded first.
    import triton._C.libtriton  # noqa: F401  # pyright: ignore[reportMissingImports]
import pyrender

Model = trimesh.Trimesh | trimesh.Scene

MAX_COORDINATE = 1e9
"""Squares and volumes of anything larger are lost to rounding."""

SIX_VIEWS: dict[str, tuple[float, float]] = {
    "front": (0.0, 0.0),
    "back": (180.0, 0.0),
    "left": (90.0, 0.0),
    "right": (270.0, 0.0),
    "top": (0.0, 89.99),
    "bottom": (0.0, -89.99),
}
"""The canonical views: (turn of the model, elevation of the camera) in degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A perspective camera that looks at the centre of the model's bounding sphere."""

    elevation_deg: float = 12.0
    """Height above the horizon: enough to see the mouth, little enough to keep the profile."""
    field_of_view_deg: float = 24.0
    """Vertical and horizontal; narrow, as in catalogue photographs, so that lips and feet stay nearly flat."""
    margin: float = 1.02
    """Distance relative to the one at which the bounding sphere touches the frame; below 1 crops."""

    aim: tuple[float, float] = (0.0, 0.0)
    """How far the camera is moved right and up, parallel to the image, in radii of the bounding sphere."""

    def pose(self, radius: float) -> np.ndarray:
        """float64 [4, 4] camera-to-world matrix for a bounding sphere of this radius at the origin."""
        distance = self.margin * radius / np.sin(np.radians(self.field_of_view_deg) / 2)
        tilt = trimesh.transformations.rotation_matrix(-np.radians(self.elevation_deg), [1, 0, 0])
        right, up = self.aim
        return tilt @ trimesh.transformations.translation_matrix([right * radius, up * radius, distance])


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Ambient light, a key light and a weaker fill from the other side; both are fixed to the camera.

    Strong ambient light because black slip reflects a tenth of what clay does: with a single lamp, incised lines and
    added colours drown on the shadow side.
    """

    ambient: float = 0.58
    """Share of the surface colour that is seen without any lamp."""
    key: float = 1.8
    """Intensity of the key light."""
    key_direction_deg: tuple[float, float] = (-35.0, 30.0)
    """Where the key light stands, seen from the model: degrees to the right of the camera, degrees above it."""
    fill: float = 0.7
    """Intensity of the fill light, which stands mirrored to the key light."""


def load_mesh(path: Path) -> trimesh.Scene:
    """Read a GLB of anybody's; `UserError` names the file and what is wrong with it."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a GLB model")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic != b"glTF":
        raise UserError(f"{path}: not a GLB model, it starts with {magic!r}, not b'glTF'; export it as binary glTF")
    check_glb(path)
    try:
        scene = trimesh.load_scene(path, file_type="glb")
    except Exception as error:  # a damaged file surfaces as whatever the parser trips over
        raise UserError(f"{path}: damaged GLB model ({type(error).__name__}: {error}); export it again") from error
    if not any(isinstance(part, trimesh.Trimesh) and len(part.faces) for part in scene.geometry.values()):
        raise UserError(f"{path}: the GLB model holds no triangles")
    for part in scene.geometry.values():
        if not isinstance(part, trimesh.Trimesh):
            continue
        if not np.isfinite(part.vertices).all() or np.abs(part.vertices).max(initial=0.0) > MAX_COORDINATE:
            raise UserError(f"{path}: some vertices are not finite numbers, or beyond all size; export it again")
        if part.faces.max(initial=-1) >= len(part.vertices):
            raise UserError(f"{path}: damaged GLB model: faces name vertices that aren't there; export it again")
    if not sum(part.area for part in scene.geometry.values() if isinstance(part, trimesh.Trimesh)) > 0:
        raise UserError(f"{path}: the GLB model has no surface: all its triangles are points or lines")
    return scene


def parts_of(model: Model) -> list[trimesh.Trimesh]:
    """Copies of the model's meshes with every node's placement applied; empty ones are left out.

    A mesh of negative volume is wound inside out, as some scans are; its faces are reversed, or it would be lit from
    behind.
    """
    parts = [model.copy()] if isinstance(model, trimesh.Trimesh) else model.dump()
    parts = [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    for part in parts:
        if part.volume < 0:
            part.invert()
    return parts


def normalising_transform(parts: Sequence[trimesh.Trimesh]) -> tuple[np.ndarray, float]:
    """float64 [4, 4] that puts a model upright on its axis at unit height, and its bounding radius thereafter.

    The axis runs through the surface's centroid: a single handle shifts the bounding box but hardly the centroid, so
    a jug turns about its body and doesn't wobble. The radius is that of the smallest sphere about
    the centre of the axis which holds the model in every turn.
    """
    vertices = np.concatenate([part.vertices for part in parts])
    low, high = vertices[:, 1].min(), vertices[:, 1].max()
    centres = np.concatenate([part.triangles_center for part in parts])
    areas = np.concatenate([part.area_faces for part in parts])
    centroid = areas @ centres / areas.sum()
    centre = np.array([centroid[0], (low + high) / 2, centroid[2]])
    scale = 1 / max(high - low, 1e-9)
    transform = trimesh.transformations.scale_matrix(scale) @ trimesh.transformations.translation_matrix(-centre)
    return transform, float(scale * np.linalg.norm(vertices - centre, axis=1).max())


class TurntableRenderer:
    """Films models off screen; a context manager, because the graphics context must be given back.

    Example: with Turntable(resolution=112) as turntable: clip = turntable.spin(load_mesh(path), num_frames=8, fps=4.0)
    """

    background: tuple[float, float, float] = (0.86, 0.86, 0.86)
    """Light grey: white ground and black slip both stand out against it."""

    def __init__(self, resolution: int, camera: Camera | None = None, light: Light | None = None) -> None:
        self.resolution = resolution
        self.camera = camera or Camera()
        self.light = light or Light()
        self._renderer = _borrowed_renderer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the graphics context back; closing twice does no harm."""
        if self._renderer is not None:
            self._renderer = None
            _return_renderer()

    def spin(self, model: Model, num_frames: int = 8, fps: float = 4.0) -> Clip:
        """One full turn: frame k shows the model turned by k * 360 / num_frames degrees about its axis."""
        frames = self.shoot(model, [(360.0 * k / num_frames, self.camera.elevation_deg) for k in range(num_frames)])
        return Clip(frames=frames, fps=fps, frame_indices=tuple(range(num_frames)), num_source_frames=num_frames)

    def six_views(self, model: Model) -> dict[str, np.ndarray]:
        """uint8 [H, W, 3] for front, back, left, right, top and bottom."""
        return dict(zip(SIX_VIEWS, self.shoot(model, list(SIX_VIEWS.values())), strict=True))

    def normal_maps(self, model: Model, views: Sequence[tuple[float, float]] | None = None) -> np.ndarray:
        """uint8 [N, H, W, 3]: surface normals in the camera's frame, (n + 1) / 2 as colour; default: the six views.

        Shape without paint: x to the right is red, y up is green, towards the camera is blue; the background is the
        colour of no direction (128, 128, 128).
        """
        merged = [_without_seams(part) for part in parts_of(model)]
        transform, radius = normalising_transform(merged)
        images = []
        for turn_deg, elevation_deg in views or list(SIX_VIEWS.values()):
            camera_pose = replace(self.camera, elevation_deg=elevation_deg).pose(radius)
            turned = _turn(turn_deg) @ transform
            to_camera = camera_pose[:3, :3].T @ _turn(turn_deg)[:3, :3]
            scene = pyrender.Scene(bg_color=(0.5, 0.5, 0.5, 1.0))
            for part in merged:
                scene.add(pyrender.Mesh.from_trimesh(_coloured_by_normal(part, to_camera), smooth=True), pose=turned)
            scene.add(_lens(self.camera), pose=camera_pose)
            images.append(self._render(scene, pyrender.RenderFlags.FLAT | pyrender.RenderFlags.SKIP_CULL_FACES))
        return np.stack(images)

    def shoot(
        self,
        model: Model,
        views: Sequence[tuple[float, float]],
        *,
        camera: Camera | None = None,
        light: Light | None = None,
        background: tuple[float, float, float] | None = None,
        framed_by: Model | None = None,
    ) -> np.ndarray:
        """uint8 [N, H, W, 3]: the model from each view, given as (turn of the model, elevation) in degrees.

        What isn't given is the turntable's own. The view's elevation replaces the camera's. The model's own size and
        place set the camera, or those of `framed_by`, so that two models are seen by the very same one.
        """
        light, camera = light or self.light, camera or self.camera
        parts = parts_of(model)
        transform, radius = normalising_transform(parts if framed_by is None else parts_of(framed_by))
        scene = pyrender.Scene(bg_color=(*(background or self.background), 1.0), ambient_light=[light.ambient] * 3)
        nodes = [scene.add(_uploaded(part)) for part in parts]
        lens = scene.add(_lens(camera))
        right, up = light.key_direction_deg
        key = scene.add(pyrender.DirectionalLight(intensity=light.key))
        fill = scene.add(pyrender.DirectionalLight(intensity=light.fill))
        images = []
        for turn_deg, elevation_deg in views:
            pose = replace(camera, elevation_deg=elevation_deg).pose(radius)
            scene.set_pose(lens, pose)
            scene.set_pose(key, pose @ _lamp(right, up))
            scene.set_pose(fill, pose @ _lamp(-right, up / 2))
            for node in nodes:
                scene.set_pose(node, _turn(turn_deg) @ transform)
            images.append(self._render(scene, pyrender.RenderFlags.NONE))
        scene.clear()
        return np.stack(images)

    def _render(self, scene: pyrender.Scene, flags: int) -> np.ndarray:
        if self._renderer is None:
            raise ValueError("this turntable is closed")
        self._renderer.viewport_width = self._renderer.viewport_height = self.resolution
        colour, _ = self._renderer.render(scene, flags=flags)  # type: ignore[misc]
        return np.array(colour[..., :3], dtype=np.uint8)


_renderer: pyrender.OffscreenRenderer | None = None
_num_borrowers = 0


def _borrowed_renderer() -> pyrender.OffscreenRenderer:
    """The process's one renderer: deleting one of several would end the EGL display under all others."""
    global _renderer, _num_borrowers
    if _renderer is None:
        with _told_the_card():
            _renderer = pyrender.OffscreenRenderer(64, 64)
    _num_borrowers += 1
    return _renderer


@contextlib.contextmanager
def _told_the_card() -> Iterator[None]:
    """pyrender reads the card from the environment; processes that are started later must not, theirs is another."""
    if "EGL_DEVICE_ID" in os.environ:
        yield
        return
    os.environ["EGL_DEVICE_ID"] = str(card_of_this_process())
    try:
        yield
    finally:
        del os.environ["EGL_DEVICE_ID"]


def _return_renderer() -> None:
    global _renderer, _num_borrowers
    _num_borrowers -= 1
    if _num_borrowers == 0 and _renderer is not None:
        _renderer.delete()
        _renderer = None


def _lens(camera: Camera) -> pyrender.PerspectiveCamera:
    return pyrender.PerspectiveCamera(yfov=np.radians(camera.field_of_view_deg), aspectRatio=1.0)


def _uploaded(part: trimesh.Trimesh) -> pyrender.Mesh:
    """Smoothly shaded, unless colours are given face by face, which pyrender can only draw flat."""
    return pyrender.Mesh.from_trimesh(part, smooth=part.visual.kind != "face")  # type: ignore[union-attr]


def _turn(degrees: float) -> np.ndarray:
    return np.asarray(trimesh.transformations.rotation_matrix(np.radians(degrees), [0, 1, 0]))


def _lamp(right_deg: float, up_deg: float) -> np.ndarray:
    """Pose of a lamp relative to the camera; a directional light shines along its own -z."""
    about_y = trimesh.transformations.rotation_matrix(np.radians(right_deg), [0, 1, 0])
    return about_y @ trimesh.transformations.rotation_matrix(-np.radians(up_deg), [1, 0, 0])


def _without_seams(part: trimesh.Trimesh) -> trimesh.Trimesh:
    """The bare surface, vertices that a texture seam had split joined again, so that normals run across it."""
    bare = trimesh.Trimesh(part.vertices, part.faces, process=False)
    bare.merge_vertices()
    return bare


def _coloured_by_normal(bare: trimesh.Trimesh, to_camera: np.ndarray) -> trimesh.Trimesh:
    normals = bare.vertex_normals @ to_camera.T
    coloured = trimesh.Trimesh(bare.vertices, bare.faces, process=False)
    colours = np.round((normals + 1) * 127.5).astype(np.uint8)
    coloured.visual = ColorVisuals(coloured, vertex_colors=colours)
    return coloured
