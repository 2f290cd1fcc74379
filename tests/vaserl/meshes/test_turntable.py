import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual.color import ColorVisuals
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from vaserl.errors import UserError
from vaserl.meshes.film import empty_frames
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.turntable import Camera, Light, TurntableRenderer, normalising_transform, parts_of


@pytest.fixture(scope="module")
def turntable() -> Iterator[TurntableRenderer]:
    with TurntableRenderer(resolution=64) as table:
        yield table


def flagged_column() -> trimesh.Trimesh:
    """Returns a tall box whose sides have different colours: front red, right green, back blue, left white; y is up."""
    box = trimesh.creation.box((1.0, 2.0, 1.0))
    box.unmerge_vertices()
    colours = np.full((12, 4), 255, np.uint8)
    for normal, colour in (([0, 0, 1], (220, 0, 0)), ([1, 0, 0], (0, 220, 0)), ([0, 0, -1], (0, 0, 220))):
        colours[box.face_normals @ normal > 0.5, :3] = colour
    box.visual = ColorVisuals(box, face_colors=colours)
    return box


def centre_colour(image: np.ndarray) -> int:
    """Returns the colour in the middle of the image: 0, 1, 2 for red, green, blue; 3 if no channel dominates."""
    pixel = image[image.shape[0] // 2, image.shape[1] // 2].astype(int)
    return int(pixel.argmax()) if pixel.max() - pixel.min() > 60 else 3


def test_render_clip_shows_front_left_back_right(turntable: TurntableRenderer) -> None:
    # the mesh turns anticlockwise seen from above: after a quarter turn its left side (-x) faces the camera
    clip = turntable.render_clip(flagged_column(), num_frames=4, fps=2.0)
    assert [centre_colour(frame) for frame in clip.frames] == [0, 3, 2, 1]
    assert (clip.fps, clip.frame_indices, clip.num_source_frames) == (2.0, (0, 1, 2, 3), 4)


def test_render_clip_frame_k_is_the_model_turned_by_k_steps(turntable: TurntableRenderer) -> None:
    clip = turntable.render_clip(flagged_column(), num_frames=5, fps=4.0)
    for k in (1, 3):
        turned = flagged_column()
        turned.apply_transform(trimesh.transformations.rotation_matrix(2 * np.pi * k / 5, [0, 1, 0]))
        still = turntable.render_clip(turned, num_frames=1, fps=4.0).frames[0]
        differing = np.abs(still.astype(int) - clip.frames[k]).max(axis=-1) > 8
        assert differing.mean() < 0.01  # a few edge pixels may round the other way
        assert (np.abs(still.astype(int) - clip.frames[0]).max(axis=-1) > 8).mean() > 0.05


def test_render_six_views_look_where_their_names_say(turntable: TurntableRenderer) -> None:
    column = flagged_column()
    views = turntable.render_six_views(column)
    assert list(views) == ["front", "back", "left", "right", "top", "bottom"]
    assert [centre_colour(views[name]) for name in ("front", "back", "left", "right")] == [0, 2, 3, 1]
    # a 1 x 2 x 1 column is twice as high as wide from the side, and square from above
    for name, ratio in (("front", 2.0), ("top", 1.0), ("bottom", 1.0)):
        rows, columns = np.nonzero(np.abs(views[name].astype(int) - 219).max(axis=-1) > 12)
        assert np.ptp(rows) / np.ptp(columns) == pytest.approx(ratio, rel=0.08)


def test_render_clip_does_not_depend_on_size_and_place(turntable: TurntableRenderer) -> None:
    moved = flagged_column()
    moved.apply_transform(trimesh.transformations.translation_matrix([7.0, -3.0, 2.0]))
    moved.apply_scale(40.0)
    at_home, elsewhere = (turntable.render_clip(model, num_frames=2).frames for model in (flagged_column(), moved))
    assert (np.abs(at_home.astype(int) - elsewhere).max(axis=-1) > 8).mean() < 0.01


def test_normalising_transform_ignores_a_handle() -> None:
    body = trimesh.creation.cylinder(radius=1.0, height=3.0, sections=64)
    body.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    handle = trimesh.creation.box((0.6, 1.0, 0.2))
    handle.apply_translation([1.2, 0.0, 0.0])
    transform, radius = normalising_transform([body, handle])
    centre = trimesh.transform_points(np.array([[0.0, 0.0, 0.0]]), transform)[0]
    # areas: cylinder 2 pi 3 + 2 pi = 25.1, handle 1.84 at 1.2, so the centroid is off by 0.082, in heights 0.027;
    # the bounding box's centre would be off by 0.25 / 3 = 0.083
    assert np.abs(centre) == pytest.approx(np.array([0.027, 0.0, 0.0]), abs=0.002)
    # the farthest point is the body's rim at (1, 1.5), both divided by the height of 3
    assert radius == pytest.approx(np.hypot(1.0, 1.5) / 3, rel=0.05)


def test_render_views_shows_a_sheet_without_height(turntable: TurntableRenderer) -> None:
    sheet = trimesh.Trimesh([[-1, 0, 1], [1, 0, 1], [0, 0, -1]], [[0, 1, 2]], process=False)
    views = turntable.render_views(sheet, [(0.0, 60.0)])
    assert not len(empty_frames(views))


def test_render_clip_keeps_the_model_in_the_frame(turntable: TurntableRenderer) -> None:
    for extents in ((1.0, 2.0, 1.0), (3.0, 0.5, 3.0), (0.2, 2.0, 0.2)):
        frames = turntable.render_clip(trimesh.creation.box(extents), num_frames=8).frames.astype(int)
        border = np.concatenate([frames[:, 0], frames[:, -1], frames[:, :, 0], frames[:, :, -1]], axis=1)
        assert np.ptp(border) == 0


def test_parts_of_turns_inside_out_models() -> None:
    sphere = trimesh.creation.icosphere()
    sphere.invert()
    (part,) = parts_of(sphere)
    assert sphere.volume < 0 < trimesh.Trimesh(part.vertices, part.faces).volume
    assert sphere.volume < 0  # the caller's mesh isn't changed


def test_render_normal_maps_show_directions_as_colours(turntable: TurntableRenderer) -> None:
    front, top = turntable.render_normal_maps(trimesh.creation.icosphere(subdivisions=4), [(0.0, 0.0), (0.0, 89.99)])
    for image in (front, top):
        assert image[32, 32].astype(int) == pytest.approx(np.array([127, 127, 255]), abs=8)  # towards the camera
        assert image[0, 0].astype(int) == pytest.approx(np.array([127, 127, 127]), abs=1)
        assert image[32, 50, 0] > 180 > 80 > image[32, 14, 0]  # right is red
        assert image[14, 32, 1] > 180 > 80 > image[50, 32, 1]  # up is green


def test_render_clip_black_slip_is_not_lost_in_the_dark(turntable: TurntableRenderer) -> None:
    """Checks that slip of (28, 24, 24) and an incised line of clay on it stay distinct even where the key light doesn't
    reach."""
    texture = np.full((64, 64, 3), (28, 24, 24), np.uint8)
    texture[:, np.arange(64) % 8 < 3] = (204, 102, 48)
    ball = trimesh.creation.uv_sphere(radius=1.0, count=[32, 64])
    uv = np.stack(
        [np.arctan2(ball.vertices[:, 0], ball.vertices[:, 2]) / 6.2832 + 0.5, ball.vertices[:, 1] / 2 + 0.5], 1
    )
    material = PBRMaterial(baseColorTexture=Image.fromarray(texture), metallicFactor=0.0, roughnessFactor=0.55)
    ball.visual = TextureVisuals(uv=uv, material=material)
    row = turntable.render_clip(ball, num_frames=1).frames[0, 32, 6:58, 0].astype(int)
    for part in np.array_split(row, 3):
        assert np.ptp(part) > 60
    assert row.max() < 255


def test_render_views_light_and_camera_can_be_replaced(turntable: TurntableRenderer) -> None:
    box = flagged_column()
    bright = turntable.render_views(box, [(0.0, 0.0)], light=Light(ambient=0.9))[0]
    dark = turntable.render_views(box, [(0.0, 0.0)], light=Light(ambient=0.1, key=0.0, fill=0.0))[0]
    assert bright[32, 32, 0] > 2 * dark[32, 32, 0]
    black = turntable.render_views(box, [(0.0, 0.0)], background=(0.0, 0.0, 0.0))[0]
    assert black[0, 0].max() == 0
    near = turntable.render_views(box, [(0.0, 0.0)], camera=Camera(margin=0.5))[0]
    assert abs(int(near[0, 32, 0]) - 219) > 12  # the box fills the frame to its edge


def test_turntable_renderers_share_a_process() -> None:
    box = flagged_column()
    with TurntableRenderer(resolution=32) as small:
        first = small.render_clip(box, num_frames=2).frames
        with TurntableRenderer(resolution=48) as large:
            assert large.render_clip(box, num_frames=1).frames.shape == (1, 48, 48, 3)
        large.close()  # a second time
        assert (small.render_clip(box, num_frames=2).frames == first).all()
    with pytest.raises(ValueError, match="closed"):
        small.render_clip(box)


def test_load_mesh_round_trip(tmp_path: Path) -> None:
    trimesh.Scene([trimesh.creation.box((1, 2, 3))]).export(str(tmp_path / "a.glb"))
    (part,) = parts_of(load_mesh(tmp_path / "a.glb"))
    assert np.ptp(part.vertices, axis=0) == pytest.approx([1, 2, 3])


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"PNG and more", "not a GLB model"), (b"", "not a GLB model"), (b"glTF\x02\x00\x00\x00 cut off", "damaged")],
)
def test_load_mesh_names_a_file_that_is_no_glb_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "vase.glb"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"vase\.glb: {reason}"):
        load_mesh(path)


def test_load_mesh_names_a_missing_glb(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"vase\.glb: no such file"):
        load_mesh(tmp_path / "vase.glb")


def test_load_mesh_rejects_a_glb_without_triangles(tmp_path: Path) -> None:
    trimesh.Scene([trimesh.PointCloud(np.eye(3))]).export(str(tmp_path / "cloud.glb"))
    with pytest.raises(UserError, match=r"cloud\.glb: .*no triangles"):
        load_mesh(tmp_path / "cloud.glb")


@pytest.mark.slow
def test_turntable_renderer_torch_compilers_load_after_rendering():
    """Loads torch's compilers after rendering. Mesa and triton each contain an LLVM; in the wrong order, the second one
    crashes the process."""
    script = (
        "import trimesh\n"
        "from vaserl.meshes.turntable import TurntableRenderer\n"
        "with TurntableRenderer(resolution=32) as turntable:\n"
        "    turntable.render_clip(trimesh.creation.cylinder(radius=1, height=2), num_frames=1)\n"
        "import torch._dynamo\n"
        "print('alive')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout == "alive\n", done.stderr
