"""Turntable renderer: renders a mesh over one full turn with a fixed camera and fixed lights; the frames form a clip.

Meshes have the orientation of glTF: Y is up and the front faces +Z. Every mesh is first centred on its axis and scaled
to unit height. The camera's distance is computed from the mesh's bounding sphere, so a mesh's size and position aren't
visible in a clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import numpy as np
import trimesh

from vaserl.files.clip import Clip
from vaserl.meshes.offscreen import Drawing, acquire_renderer, pyrender, release_renderer
from vaserl.meshes.orientation import facing_outwards
from vaserl.meshes.part import Paint, Part
from vaserl.meshes.trimesh_parts import Model, painted_parts

SIX_VIEWS: dict[str, tuple[float, float]] = {
    "front": (0.0, 0.0),
    "back": (180.0, 0.0),
    "left": (90.0, 0.0),
    "right": (270.0, 0.0),
    "top": (0.0, 89.99),
    "bottom": (0.0, -89.99),
}
"""The six views by name; each is (turn of the mesh about its axis, elevation of the camera) in degrees."""
MIN_HEIGHT = 0.001
"""Smallest height of a mesh, as a share of its bounding box's diagonal, that is scaled to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A perspective camera that looks at the centre of the mesh's bounding sphere."""

    elevation_deg: float = 12.0
    """Elevation of the camera in degrees above the horizontal: high enough to show the vase's mouth, low enough to show
    its profile."""
    field_of_view_deg: float = 24.0
    """Horizontal and vertical field of view in degrees; narrow, as in catalogue photographs, so that lips and feet look
    nearly flat."""
    margin: float = 1.02
    """Distance of the camera, as a multiple of the distance at which the bounding sphere just fits the image; below 1,
    the image crops the sphere."""
    aim: tuple[float, float] = (0.0, 0.0)
    """Shift of the camera to the right and upwards, parallel to the image, in radii of the bounding sphere."""

    def pose(self, radius: float) -> np.ndarray:
        """Returns the camera-to-world matrix, float64 [4, 4], for a bounding sphere with this radius, centred at the
        origin."""
        distance = self.margin * radius / np.sin(np.radians(self.field_of_view_deg) / 2)
        tilt = trimesh.transformations.rotation_matrix(-np.radians(self.elevation_deg), [1, 0, 0])
        right, up = self.aim
        return tilt @ trimesh.transformations.translation_matrix([right * radius, up * radius, distance])


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """Lighting that is fixed to the camera: ambient light, a key light and a weaker fill light from the other side.

    The ambient light is strong because black slip, the vases' paint, reflects only a tenth as much light as clay. With
    a single light, incised lines and added colours couldn't be seen on the shadow side.
    """

    ambient: float = 0.58
    """Intensity of the ambient light: the share of the surface colour that is visible without key and fill light."""
    key: float = 1.8
    """Intensity of the key light."""
    key_direction_deg: tuple[float, float] = (-35.0, 30.0)
    """Direction from the mesh to the key light: degrees to the right of the camera (negative: left) and above it."""
    fill: float = 0.7
    """Intensity of the fill light, which is on the other side of the camera and half as many degrees above it as the
    key light."""


def parts_of(model: Model) -> list[Part]:
    """Returns the parts of a mesh, scene or painted model that have faces, in the world's coordinates.

    A surface that is wound inside out, as in some scans, is reversed, since it would otherwise be lit from behind.
    """
    return facing_outwards(painted_parts(model))


def normalising_transform(parts: Sequence[Part | trimesh.Trimesh]) -> tuple[np.ndarray, float]:
    """Returns the transform, float64 [4, 4], that centres a mesh on its vertical axis and scales it to unit height, and
    the mesh's radius after the transform.

    The axis runs through the surface's centroid. A single handle shifts the bounding box but hardly the centroid, so a
    jug turns about its body and doesn't wobble. The radius is that of the smallest sphere that contains the mesh and is
    centred on the middle of the axis.

    A mesh that is flatter than `MIN_HEIGHT` is scaled as if it had this height: the camera would otherwise be so far
    away that the renderer's depths couldn't tell the mesh from the background.
    """
    vertices = np.concatenate([part.vertices for part in parts])
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    corners = np.concatenate([part.vertices[part.faces] for part in parts]) - low
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    centroid = low + areas @ corners.mean(axis=1) / areas.sum()
    centre = np.array([centroid[0], (low[1] + high[1]) / 2, centroid[2]])
    scale = 1 / max(high[1] - low[1], MIN_HEIGHT * np.linalg.norm(high - low), 1e-9)
    transform = trimesh.transformations.scale_matrix(scale) @ trimesh.transformations.translation_matrix(-centre)
    return transform, float(scale * np.linalg.norm(vertices - centre, axis=1).max())


class TurntableRenderer:
    """An off-screen renderer of meshes; use it as a context manager, because the graphics context must be released.

    Example:
        with TurntableRenderer(resolution=112) as turntable:
            clip = turntable.render_clip(load_mesh(path), num_frames=8, fps=4.0)
    """

    background: tuple[float, float, float] = (0.86, 0.86, 0.86)
    """Background colour, RGB from 0 to 1: light grey, which contrasts with both white-ground vases and black slip."""

    def __init__(self, resolution: int, camera: Camera | None = None, light: Light | None = None) -> None:
        self.resolution = resolution
        self.camera = camera or Camera()
        self.light = light or Light()
        self._renderer = acquire_renderer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Releases the graphics context; may be called twice."""
        if self._renderer is not None:
            self._renderer = None
            release_renderer()

    def render_clip(self, model: Model, num_frames: int = 8, fps: float = 4.0) -> Clip:
        """Renders one full turn: frame k shows the mesh turned by k * 360 / num_frames degrees about its axis."""
        frames = self.render_views(
            model, [(360.0 * k / num_frames, self.camera.elevation_deg) for k in range(num_frames)]
        )
        return Clip(frames=frames, fps=fps, frame_indices=tuple(range(num_frames)), num_source_frames=num_frames)

    def render_six_views(self, model: Model) -> dict[str, np.ndarray]:
        """Renders the views of `SIX_VIEWS` and returns the image of each by name, uint8 [H, W, 3]."""
        return dict(zip(SIX_VIEWS, self.render_views(model, list(SIX_VIEWS.values())), strict=True))

    def render_normal_maps(self, model: Model, views: Sequence[tuple[float, float]] | None = None) -> np.ndarray:
        """Renders the surface normals n in the camera's frame as colours (n + 1) / 2; returns uint8 [N, H, W, 3].

        Normal maps show the shape without the painted decoration: red is x (to the right), green y (up) and blue z
        (towards the camera). The background is (128, 128, 128), which stands for a normal of zero. `views` are N pairs
        (turn of the mesh, elevation of the camera) in degrees, by default those of `SIX_VIEWS`.
        """
        parts = parts_of(model)
        transform, radius = normalising_transform(parts)
        parts = [part.transformed(transform) for part in parts]
        images = []
        for turn_deg, elevation_deg in views or list(SIX_VIEWS.values()):
            camera_pose = replace(self.camera, elevation_deg=elevation_deg).pose(radius)
            to_camera = camera_pose[:3, :3].T @ _turn(turn_deg)[:3, :3]
            scene = pyrender.Scene(bg_color=(0.5, 0.5, 0.5, 1.0))
            drawing = Drawing()
            for part in parts:
                scene.add(drawing.mesh(_coloured_by_normal(part, to_camera)), pose=_turn(turn_deg))
            scene.add(_camera_node(self.camera), pose=camera_pose)
            images.append(self._render(scene, pyrender.RenderFlags.FLAT | pyrender.RenderFlags.SKIP_CULL_FACES))
        return np.stack(images)

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
        """Renders the mesh from N views and returns the images, uint8 [N, H, W, 3].

        A view is (turn of the mesh about its axis, elevation of the camera) in degrees. The view's elevation replaces
        `camera.elevation_deg`. Camera, light and background default to those of the renderer. The camera is placed so
        that the mesh's bounding sphere fits the image. If `framed_by` is given, its bounding sphere is used instead, so
        that two meshes can be rendered by the same camera.
        """
        light, camera = light or self.light, camera or self.camera
        parts = parts_of(model)
        transform, radius = normalising_transform(parts if framed_by is None else parts_of(framed_by))
        scene = pyrender.Scene(bg_color=(*(background or self.background), 1.0), ambient_light=[light.ambient] * 3)
        drawing = Drawing()
        # in float64: a model far from the origin would lose its shape in the renderer's single precision
        nodes = [scene.add(drawing.mesh(part.transformed(transform))) for part in parts]
        camera_node = scene.add(_camera_node(camera))
        right, up = light.key_direction_deg
        key = scene.add(pyrender.DirectionalLight(intensity=light.key))
        fill = scene.add(pyrender.DirectionalLight(intensity=light.fill))
        images = []
        for turn_deg, elevation_deg in views:
            pose = replace(camera, elevation_deg=elevation_deg).pose(radius)
            scene.set_pose(camera_node, pose)
            scene.set_pose(key, pose @ _light_pose(right, up))
            scene.set_pose(fill, pose @ _light_pose(-right, up / 2))
            for node in nodes:
                scene.set_pose(node, _turn(turn_deg))
            images.append(self._render(scene, pyrender.RenderFlags.NONE))
        scene.clear()
        return np.stack(images)

    def _render(self, scene: pyrender.Scene, flags: int) -> np.ndarray:
        if self._renderer is None:
            raise ValueError("this TurntableRenderer is closed")
        self._renderer.viewport_width = self._renderer.viewport_height = self.resolution
        colour, _ = self._renderer.render(scene, flags=flags)  # type: ignore[misc]
        return np.array(colour[..., :3], dtype=np.uint8)


def _camera_node(camera: Camera) -> pyrender.PerspectiveCamera:
    return pyrender.PerspectiveCamera(yfov=np.radians(camera.field_of_view_deg), aspectRatio=1.0)


def _turn(degrees: float) -> np.ndarray:
    return np.asarray(trimesh.transformations.rotation_matrix(np.radians(degrees), [0, 1, 0]))


def _light_pose(right_deg: float, up_deg: float) -> np.ndarray:
    """Returns a light's pose relative to the camera, float64 [4, 4]; a directional light shines along its own -z."""
    about_y = trimesh.transformations.rotation_matrix(np.radians(right_deg), [0, 1, 0])
    return about_y @ trimesh.transformations.rotation_matrix(-np.radians(up_deg), [1, 0, 0])


def _coloured_by_normal(part: Part, to_camera: np.ndarray) -> Part:
    colours = np.ones((len(part.vertices), 4), np.float32)
    colours[:, :3] = np.round((part.normals @ to_camera.T + 1) * 127.5) / 255
    return replace(part, uv=None, colours=colours, paint=Paint())
