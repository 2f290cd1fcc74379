"""Tests the mesh generators with fake checkouts, and the steps from a generated surface to a finished mesh."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from skimage import measure

from tests.fakes.checkouts import make_hunyuan3d, make_triposg
from tests.fakes.curation_stages import over_batches
from tests.fakes.turned_vases import lit_photograph
from vaserl.curation.bodies.lift import Lift, build_generator, check_generator
from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.settings import LiftSettings
from vaserl.curation.stages.lift import LIFT
from vaserl.errors import UserError
from vaserl.meshes.colour_space import srgb_from_linear
from vaserl.meshes.cutout.cutout import Cutout
from vaserl.meshes.gate import gate
from vaserl.meshes.generators import LiftFailure
from vaserl.meshes.generators.checkout import import_from
from vaserl.meshes.generators.decimate import decimate
from vaserl.meshes.generators.finish import finish_mesh, largest_piece, upright
from vaserl.meshes.glb import load_mesh

ROWS = np.arange(400)
HALF_WIDTH = np.interp(ROWS, [40, 90, 220, 360], [50, 36, 90, 45]) * ((ROWS >= 40) & (ROWS <= 360))
"""Half width in pixels of each row of a pot 320 pixels high and 180 wide, with its belly at 44 % of the height."""


INSIDE = (np.abs(np.arange(400) - 200)[None] <= HALF_WIDTH[:, None]) & (HALF_WIDTH > 0)[:, None]


def pot_photo(path: Path) -> Path:
    pixels = lit_photograph(INSIDE, (40, 25, 20))
    pixels[150:180][INSIDE[150:180]] = (80, 40, 20)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def triposg(tmp_path_factory) -> Path:
    return make_triposg(tmp_path_factory.mktemp("triposg"))


def settings(folder: Path, **changes) -> LiftSettings:
    given = {"checkout": folder / "checkout", "weights": folder / "weights", "device": "cpu", "num_faces": 2000}
    return LiftSettings(generator="triposg", generator_args=given | changes)


def lifted(lift_settings: LiftSettings, photo: Path, out: Path) -> dict:
    row = {"photo": str(photo), "vase_id": "v", "rejected_by": "", "reason": "", "mesh": ""}
    return rows_of(over_batches(LIFT, Lift, lift_settings, photo.parent, out)(batch_of([row])))[0]


def test_triposg_makes_an_upright_coloured_model_of_the_photograph(triposg, tmp_path):
    (triposg / "checkout" / "calls.txt").unlink(missing_ok=True)
    photo = pot_photo(tmp_path / "photo.png")
    row = lifted(settings(triposg, num_steps=20, guidance=7.5, seed=3), photo, tmp_path)
    assert not row["rejected_by"], row["reason"]
    assert (triposg / "checkout" / "calls.txt").read_text() == "20 7.5 3 True\n"
    mesh = load_mesh(tmp_path / row["mesh"]).to_mesh()
    assert 1000 < len(mesh.faces) <= 2000
    width, height, depth = mesh.extents
    # 180 pixels wide and 320 high; the fragment beside it is removed; it stands upright although it was generated lying
    assert height == pytest.approx(1.0) and mesh.bounds[0][1] == pytest.approx(0.0, abs=1e-6)
    assert width == pytest.approx(180 / 320, rel=0.05) and depth == pytest.approx(width, rel=0.03)
    radius = np.hypot(mesh.vertices[:, 0], mesh.vertices[:, 2])
    assert mesh.vertices[np.argmax(radius), 1] == pytest.approx((360 - 220) / 320, abs=0.04), "not upside down"
    colours = 255 * srgb_from_linear(mesh.visual.vertex_colors / 255)
    band = np.abs(mesh.vertices[:, 1] - (360 - 165) / 320) < 0.02
    below = mesh.vertices[:, 1] < 0.4
    assert colours[band, 0].mean() > 60 > 50 > colours[below, 0].mean(), "the lighter band is where it was"
    assert gate(mesh).accepted


def test_triposg_uses_the_checkouts_remover_if_its_weights_are_given(triposg, tmp_path):
    photo = pot_photo(tmp_path / "photo.png")
    row = lifted(settings(triposg, rmbg=triposg / "rmbg"), photo, tmp_path)
    assert not row["rejected_by"], row["reason"]
    width, height, _ = load_mesh(tmp_path / row["mesh"]).to_mesh().extents
    assert width / height == pytest.approx(180 / 320, rel=0.05)
    Image.new("RGB", (64, 64)).save(tmp_path / "black.png")
    row = lifted(settings(triposg, rmbg=triposg / "rmbg"), tmp_path / "black.png", tmp_path)
    assert row["rejected_by"] == "lift" and row["reason"].endswith("remover found nothing in the photograph")


def test_triposg_uses_a_given_cutout_rather_than_the_remover(triposg, tmp_path):
    """Uses a bright vase with an alpha channel; the fake remover keeps only dark pixels."""
    bright = lit_photograph(INSIDE, (220, 190, 170))
    Image.fromarray(np.dstack([bright, INSIDE * np.uint8(255)])).save(tmp_path / "photo.png")
    row = lifted(settings(triposg, rmbg=triposg / "rmbg"), tmp_path / "photo.png", tmp_path)
    assert not row["rejected_by"], row["reason"]


@pytest.mark.parametrize("seed", [13, 14])
def test_triposg_without_a_surface_rejects_the_photograph(triposg, tmp_path, seed):
    """Uses the two ways in which the published pipeline fails on a field without a surface; see the fake checkout."""
    row = lifted(settings(triposg, seed=seed), pot_photo(tmp_path / "photo.png"), tmp_path)
    assert (row["rejected_by"], row["reason"]) == ("lift", "TripoSG found no surface")


def test_triposg_reads_the_errors_that_its_checkout_only_prints(triposg, tmp_path, capsys):
    """Uses the errors of a GPU without free memory and of a diso that was compiled for other GPUs."""
    photo = pot_photo(tmp_path / "photo.png")
    row = lifted(settings(triposg, seed=16), photo, tmp_path)
    assert (row["rejected_by"], row["reason"]) == ("lift", "TripoSG ran out of GPU memory")
    with pytest.raises(RuntimeError, match="TripoSG failed to extract the surface:\nCUDA error: no kernel image"):
        build_generator(settings(triposg, seed=17), tmp_path)(photo, "v", tmp_path / "v.glb")
    assert not capsys.readouterr().out


def test_a_generator_that_does_not_fit_on_its_gpu_names_the_settings(triposg, tmp_path):
    full = triposg / "checkout" / "full_gpu"
    full.touch()
    try:
        with pytest.raises(UserError, match=r"TripoSG doesn't fit .*allocate 2 GiB\).*raise pool\.lift\.num_gpus"):
            build_generator(settings(triposg), tmp_path)
    finally:
        full.unlink()


def test_triposg_other_errors_of_the_pipeline_end_the_run(triposg, tmp_path):
    """Checks that an IndexError of another function isn't taken for a photograph without a surface."""
    generate = build_generator(settings(triposg, seed=15), tmp_path)
    with pytest.raises(IndexError):
        generate(pot_photo(tmp_path / "photo.png"), "v", tmp_path / "v.glb")


def test_check_generator_names_what_is_missing_before_the_run(triposg, tmp_path):
    for changes, message in (
        ({"checkout": tmp_path / "no"}, r"lift\.generator_args\.checkout .*no such folder; clone"),
        ({"checkout": tmp_path}, r"lift\.generator_args\.checkout .*lacks triposg, scripts"),
        ({"weights": tmp_path}, r"lift\.generator_args\.weights .*lacks model_index\.json; download"),
        ({"rmbg": tmp_path}, r"lift\.generator_args\.rmbg .*lacks config\.json"),
        ({"flash_decoder": False}, r'flash_decoder = false: .* on CUDA devices only, not on "cpu"; leave'),
    ):
        for look in (check_generator, build_generator):
            with pytest.raises(UserError, match=message):
                look(settings(triposg, **changes), tmp_path)
    with pytest.raises(ValueError, match=r"checkout: Field required"):
        LiftSettings(generator="triposg")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_usable_device_names_a_missing_gpu_only_where_the_model_is_loaded(triposg, tmp_path):
    wants_gpu = settings(triposg, device="cuda")
    check_generator(wants_gpu, tmp_path)
    with pytest.raises(UserError, match=r'lift\.generator_args\.device "cuda": no CUDA device is visible'):
        build_generator(wants_gpu, tmp_path)


@pytest.mark.parametrize(
    "statement", ["import no_such_requirement", "raise RuntimeError('Failed to import no_such_requirement')"]
)
def test_import_from_names_a_checkout_without_its_requirements(tmp_path, statement):
    """Uses an ImportError, and the RuntimeError that diffusers raises in its place."""
    (tmp_path / "checkout" / "hy3dgen").mkdir(parents=True)
    (tmp_path / "checkout" / "hy3dgen" / "__init__.py").write_text("")
    (tmp_path / "checkout" / "hy3dgen" / "shapegen.py").write_text(statement)
    (tmp_path / "weights" / "hunyuan3d-dit-v2-0").mkdir(parents=True)
    for name in ("config.yaml", "model.fp16.safetensors"):
        (tmp_path / "weights" / "hunyuan3d-dit-v2-0" / name).touch()
    try:
        with pytest.raises(UserError, match=r"can't import hy3dgen\.shapegen .*no_such_requirement.*requirements"):
            build_generator(hunyuan(tmp_path), tmp_path)
    finally:
        _forget("hy3dgen", tmp_path / "checkout")


def test_import_from_rejects_a_module_of_another_place(tmp_path):
    with pytest.raises(
        UserError, match=r"lift\.x\.checkout .*: json was imported from .*json/__init__\.py, not from the checkout"
    ):
        import_from(tmp_path, ("",), "json", "lift.x")


def hunyuan(folder: Path, **changes) -> LiftSettings:
    given = {"checkout": folder / "checkout", "weights": folder / "weights", "device": "cpu", "num_faces": 2000}
    return LiftSettings(generator="hunyuan3d", generator_args=given | changes)


@pytest.mark.parametrize(
    ("newer", "subfolder"),
    [(False, "hunyuan3d-dit-v2-0"), (True, "hunyuan3d-dit-v2-1"), (False, "hunyuan3d-dit-v2-mv")],
)
def test_hunyuan3d_in_both_layouts(tmp_path, newer, subfolder):
    folder = make_hunyuan3d(tmp_path, newer=newer, subfolder=subfolder)
    stated = {"num_steps": 20, "guidance": 4.5, "seed": 3, "octree_resolution": 64, "subfolder": subfolder}
    try:
        row = lifted(hunyuan(folder, **stated), pot_photo(tmp_path / "photo.png"), tmp_path)
        assert not row["rejected_by"], row["reason"]
        assert (folder / "calls.txt").read_text() == "20 4.5 3 64\n"
        width, height, _ = load_mesh(tmp_path / row["mesh"]).to_mesh().extents
        assert width / height == pytest.approx(180 / 320, rel=0.05)
        with pytest.raises(UserError, match=rf"lift\.generator_args\.weights .*lacks other; set .*{subfolder}"):
            check_generator(hunyuan(folder, subfolder="other"), tmp_path)
        [weights] = (folder / "weights" / subfolder).glob("model*")
        weights.unlink()
        with pytest.raises(UserError, match=rf"lacks {weights.name.replace('.', '[.]')}; download"):
            check_generator(hunyuan(folder, subfolder=subfolder), tmp_path)
    finally:
        _forget("hy3dshape" if newer else "hy3dgen", folder / "checkout")


def _forget(package: str, checkout: Path) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        del sys.modules[name]
    sys.path[:] = [path for path in sys.path if not path.startswith(str(checkout))]


@pytest.mark.parametrize(("euler_number", "solid"), [
    (2, trimesh.creation.icosphere(4)),
    (0, trimesh.creation.torus(1.0, 0.3, major_sections=64, minor_sections=32)),
])  # fmt: skip
def test_decimate_keeps_topology_and_shape(euler_number, solid):
    slim = decimate(solid, 800)
    assert len(slim.faces) in (799, 800)
    assert slim.is_watertight and slim.is_winding_consistent and slim.euler_number == euler_number
    assert slim.volume == pytest.approx(solid.volume, rel=0.01)
    assert len(decimate(slim, 10_000).faces) == len(slim.faces)


def test_decimate_reaches_its_target_on_a_rough_surface():
    """When each collapsed edge had to be exactly the cheapest nearby, a sphere with noise kept half as many faces again
    as it should."""
    sphere = trimesh.creation.icosphere(subdivisions=4)
    noise = 1 + 0.02 * np.random.default_rng(0).standard_normal((len(sphere.vertices), 1))
    slim = decimate(trimesh.Trimesh(sphere.vertices * noise, sphere.faces, process=False), 750)
    assert len(slim.faces) <= 790 and slim.is_watertight


def test_decimate_pinches_nothing_off_and_flips_no_face():
    """Uses a thin ring. The three vertices around it form no face, so an edge between two of them must stay."""
    ring = trimesh.creation.torus(1.0, 0.02, major_sections=64, minor_sections=3)
    slim = decimate(ring, 100)
    assert len(slim.faces) < len(ring.faces) / 3
    assert slim.is_watertight and slim.euler_number == 0 and slim.volume == pytest.approx(ring.volume, rel=0.15)
    # flat with deep notches: a vertex that moves across a notch flips faces
    around = np.arange(24) * np.pi / 12
    corners = np.where(np.arange(24) % 2, 1.0, 0.45)[:, None] * np.stack([np.cos(around), np.sin(around)], axis=1)
    faces = [[0, k + 1, (k + 1) % 24 + 1] for k in range(24)]
    star = trimesh.creation.extrude_triangulation(np.concatenate([[[0.0, 0.0]], corners]), np.array(faces), 0.3)
    star.merge_vertices()
    star = star.subdivide().subdivide()
    assert decimate(star, 800).area == pytest.approx(star.area, rel=1e-3)


def test_decimate_reaches_its_target_on_a_surface_of_marching_cubes():
    """Edges that can't be collapsed are often the cheapest of all. When they stayed candidates in each round, the edges
    around them were blocked and a third of such a surface was left, whatever the target."""
    height, across = np.linspace(-1, 1, 64), np.linspace(-1, 1, 64)
    wall = np.interp(height, [-0.9, -0.5, 0.2, 0.6, 0.9], [0.3, 0.5, 0.8, 0.4, 0.5])
    field = wall[None, :, None] ** 2 - (across**2)[:, None, None] - (across**2)[None, None, :]
    field[:, np.abs(height) > 0.9] = -1
    vertices, faces, _, _ = measure.marching_cubes(field, 0.0)
    rough = trimesh.Trimesh(vertices, faces)
    slim = decimate(rough, 1000)
    assert len(rough.faces) > 20_000 and len(slim.faces) == 1000
    assert slim.is_watertight and slim.volume == pytest.approx(rough.volume, rel=0.01)


def test_decimate_keeps_edges_of_holes_and_flat_surfaces():
    sheet = trimesh.creation.box((1, 1, 1)).subdivide().subdivide().subdivide()
    sheet.update_faces(sheet.triangles_center[:, 1] < 0.499)
    open_edges = sheet.edges_unique[np.bincount(sheet.edges_unique_inverse) == 1]
    length = np.linalg.norm(np.diff(sheet.vertices[open_edges], axis=1), axis=2).sum()
    slim = decimate(sheet, 300)
    assert len(slim.faces) <= 300
    left = slim.edges_unique[np.bincount(slim.edges_unique_inverse) == 1]
    assert np.linalg.norm(np.diff(slim.vertices[left], axis=1), axis=2).sum() == pytest.approx(length)
    assert slim.area == pytest.approx(5.0, rel=1e-3), "five sides of a cube, still flat"


def test_largest_piece_is_that_of_the_largest_area():
    ball, dust = trimesh.creation.icosphere(1, radius=1.0), trimesh.creation.icosphere(4, radius=0.1)
    dust.apply_translation([3, 0, 0])
    assert len(dust.faces) > len(ball.faces)
    piece = largest_piece(trimesh.util.concatenate([ball, dust]))
    assert piece.extents == pytest.approx([2, 2, 2], abs=0.3)


ROUND = Cutout(
    photo=Image.new("RGB", (100, 100), (200, 90, 40)), mask=np.hypot(*np.mgrid[-50:50, -50:50]) < 45
)  # fmt: skip


def test_finish_mesh_closes_small_holes_and_turns_inside_out_surfaces() -> None:
    holed = trimesh.creation.icosphere(4)
    holed.update_faces(np.arange(len(holed.faces)) != 100)
    holed.invert()
    assert not holed.is_watertight
    done = finish_mesh(holed, ROUND, 5000)
    assert done.is_watertight
    assert done.volume == pytest.approx(4 / 3 * np.pi / 8, rel=0.02)  # of a ball one unit high


def test_finish_mesh_keeps_open_mouths() -> None:
    """Checks that a bowl stays hollow, and that a bowl without thickness stays open."""
    angle = np.linspace(0, np.pi / 2, 30)
    outside = np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)
    inside = np.stack([0.9 * np.sin(angle), 1 - 0.9 * np.cos(angle)], axis=1)[::-1]
    bowl, sheet = (trimesh.creation.revolve(line, sections=48) for line in (np.concatenate([outside, inside]), outside))
    for mesh in (bowl, sheet):
        mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
    done = finish_mesh(bowl, bowl_cutout(), 5000)
    # a half ball of radius 1 less one of radius 0.9, one unit high
    assert done.is_watertight and done.volume == pytest.approx(2 / 3 * np.pi * (1 - 0.9**3), rel=0.03)
    assert not finish_mesh(sheet, bowl_cutout(), 5000).is_watertight


def test_cutout_on_white_shows_the_vase_alone_in_the_middle():
    pixels = np.full((60, 80, 3), 90, np.uint8)
    mask = np.zeros((60, 80), bool)
    mask[5:45, 50:70] = True
    alone = np.asarray(Cutout(photo=Image.fromarray(pixels), mask=mask).on_white())
    assert alone.shape == (48, 48, 3)  # 40 high, a tenth of that around it
    wanted = np.full((48, 48, 3), 255)
    wanted[4:44, 14:34] = 90
    assert np.array_equal(alone, wanted)


def bowl_cutout() -> Cutout:
    """Returns the cut-out photograph of a half disc with the flat side up."""
    rows, columns = np.mgrid[-50:50, -50:50]
    return Cutout(photo=Image.new("RGB", (100, 100)), mask=(np.hypot(rows + 20, columns) < 45) & (rows > -20))


def test_upright_another_turn_must_be_clearly_better() -> None:
    """Uses a box one percent higher than wide, and a photograph in which it is half a percent wider than high."""
    mask = np.zeros((260, 260), bool)
    mask[30:230, 30:231] = True
    assert np.array_equal(upright(trimesh.creation.box((1.0, 1.01, 1.0)), mask), np.eye(4))
    mask[:] = False
    mask[30:230, 80:180] = True
    turn = upright(trimesh.creation.box((1.0, 0.5, 0.5)), mask)
    assert np.abs(turn @ [1, 0, 0, 0]) == pytest.approx([0, 1, 0, 0])


def test_finish_mesh_rejects_an_unusable_surface():
    mask = np.ones((10, 10), bool)
    cutout = Cutout(photo=Image.new("RGB", (10, 10)), mask=mask)
    broken = trimesh.creation.icosphere(1)
    broken.vertices[0] = np.nan
    for surface in (trimesh.Trimesh(), broken):
        with pytest.raises(LiftFailure, match="unusable surface"):
            finish_mesh(surface, cutout, 1000)
