"""Tests one vase of the synthetic world: its vocabulary, its shape, its paint and its file."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.fakes.synthetic_vases import with_facts
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.turntable import TurntableRenderer
from vaserl.synthetic.figures import SUBJECTS, silhouette
from vaserl.synthetic.mesh import build_mesh, to_glb
from vaserl.synthetic.ornament import HANDS, band, motif
from vaserl.synthetic.paint import CLAY, HEIGHT, WIDTH, paint_vase
from vaserl.synthetic.pen import BODY, coverage
from vaserl.synthetic.shapes import SHAPES
from vaserl.synthetic.vase import DATES, FABRICS, SLIMNESS, TECHNIQUES, VaseTraits

BLANK = Image.new("RGB", (8, 8), (128, 128, 128))


@pytest.fixture(scope="module")
def turntable() -> Iterator[TurntableRenderer]:
    with TurntableRenderer(resolution=112) as table:
        yield table


def heights_above(mesh: trimesh.Trimesh, x: float, z: float) -> np.ndarray:
    """Returns the heights at which the vertical line through (x, z) meets the surface, highest first."""
    a, b, c = (mesh.triangles[:, k] for k in range(3))
    twice_area = (b[:, 0] - a[:, 0]) * (c[:, 2] - a[:, 2]) - (c[:, 0] - a[:, 0]) * (b[:, 2] - a[:, 2])
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = ((x - a[:, 0]) * (c[:, 2] - a[:, 2]) - (c[:, 0] - a[:, 0]) * (z - a[:, 2])) / twice_area
        gamma = ((b[:, 0] - a[:, 0]) * (z - a[:, 2]) - (x - a[:, 0]) * (b[:, 2] - a[:, 2])) / twice_area
        hit = (beta >= 0) & (gamma >= 0) & (beta + gamma <= 1)
        heights = a[:, 1] + beta * (b[:, 1] - a[:, 1]) + gamma * (c[:, 1] - a[:, 1])
    return np.sort(heights[hit])[::-1]


def test_vocabulary_is_as_large_as_documented() -> None:
    assert len(SHAPES) >= 10
    assert len(FABRICS) == 4
    assert len(TECHNIQUES) == 3
    assert len(SUBJECTS) == 12
    assert len(HANDS) == 6
    assert len(DATES) == len(SLIMNESS) >= 5


def test_dates_follow_each_other_without_gap_or_overlap() -> None:
    assert all(first[1] == second[0] for first, second in pairwise(DATES))


@pytest.mark.parametrize("first, second", list(combinations(CLAY, 2)))
def test_clay_colours_differ(first: str, second: str) -> None:
    """Checks that the colours differ by far more than the firing (standard deviation 5 levels) or a colour cast of 1.5
    % can change."""
    assert np.linalg.norm(np.subtract(CLAY[first], CLAY[second])) > 50


@pytest.mark.parametrize("first, second", list(combinations(SUBJECTS, 2)))
def test_silhouette_subjects_differ_in_mass(first: str, second: str) -> None:
    """Checks that any two silhouettes, reduced to 24 x 24 pixels, differ in at least a tenth of the pixels."""
    small = [coverage(silhouette(subject), 24, 24)[..., 1:].sum(axis=-1) for subject in (first, second)]
    assert np.abs(small[0].astype(int) - small[1]).mean() / 255 > 0.1


@pytest.mark.parametrize("first, second", list(combinations(HANDS, 2)))
def test_motif_hands_differ(first: str, second: str) -> None:
    bands = [band(hand, 16, 256, 20.0).astype(int) for hand in (first, second)]
    assert np.abs(bands[0] - bands[1]).mean() / 255 > 0.08


@given(hand=st.sampled_from(HANDS), width=st.integers(200, 800), around=st.floats(4.0, 60.0))
def test_band_covers_every_pixel_once(hand: str, width: int, around: float) -> None:
    covered = band(hand, 12, width, around)
    assert covered.shape == (12, width, 5)
    assert np.abs(covered.sum(axis=-1, dtype=int) - 255).max() <= 3  # shares of the layers add up to one


def test_motif_tiles_without_a_seam() -> None:
    """Checks that paint at the right edge continues at the left edge."""
    for hand in HANDS:
        canvas = motif(hand) == BODY
        assert (canvas[:, 0] == canvas[:, -1]).mean() > 0.9, hand


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_shape_profiles_rise_from_the_foot_to_the_lip(shape) -> None:
    outside = shape.outside()
    assert outside[0, 1] == 0.0
    assert outside[-1, 1] == 1.0
    assert (np.diff(outside[:, 1]) >= -1e-9).all()
    assert (outside[:, 0] > 0).all()
    assert 0 < shape.frieze[0] < shape.frieze[1] < shape.ornaments[0][1]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_build_mesh_is_closed_at_the_foot_and_open_at_the_mouth(shape, traits: VaseTraits) -> None:
    mesh = build_mesh(with_facts(traits, shape=shape.name), BLANK)
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces)  # merges the texture's seam
    assert solid.is_watertight
    assert solid.volume > 0
    hits = heights_above(solid, x=1e-4, z=2e-4)
    # a ray down the axis passes the mouth and meets only the floor and the underside
    assert len(hits) == 2
    assert hits[0] == pytest.approx(shape.floor * traits.slimness, abs=0.03)
    assert hits[1] == pytest.approx(0.012, abs=0.01)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_build_mesh_normals_agree_with_the_surface(shape, traits: VaseTraits) -> None:
    mesh = build_mesh(with_facts(traits, shape=shape.name), BLANK)
    at_faces = mesh.vertex_normals[mesh.faces].mean(axis=1)
    agreement = (at_faces * mesh.face_normals).sum(axis=1)
    assert np.average(agreement > 0.7, weights=mesh.area_faces) > 0.95


@pytest.mark.parametrize("first, second", list(combinations(range(len(SHAPES)), 2)))
def test_build_mesh_shapes_differ_in_silhouette(first: int, second: int, silhouettes: list[np.ndarray]) -> None:
    union = (silhouettes[first] | silhouettes[second]).sum()
    assert (silhouettes[first] ^ silhouettes[second]).sum() / union > 0.09


@pytest.fixture(scope="module")
def silhouettes(traits: VaseTraits, turntable: TurntableRenderer) -> list[np.ndarray]:
    """Returns the vases' silhouettes from the front with handles, at equal slimness, each bool [height, width]."""
    white = (1.0, 1.0, 1.0)
    meshes = [build_mesh(with_facts(replace(traits, slimness=1.0), shape=shape.name), BLANK) for shape in SHAPES]
    return [turntable.render_views(mesh, [(0.0, 5.0)], background=white)[0].min(axis=-1) < 250 for mesh in meshes]


def test_build_mesh_dates_show_in_the_proportions(traits: VaseTraits) -> None:
    ratios = []
    for slimness in SLIMNESS:
        mesh = build_mesh(with_facts(replace(traits, slimness=slimness), shape="SKYPHOS"), BLANK)
        ratios.append(mesh.extents[1] / mesh.extents[2])
    steps = np.array(ratios[1:]) / np.array(ratios[:-1])
    assert (steps > 1.12).all()  # the random deviation is at most 5 % to either side, with a standard deviation of 2 %


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("fabric", FABRICS)
def test_paint_vase_fabric_and_technique_show_in_the_colours(fabric: str, technique: str, traits: VaseTraits) -> None:
    """Checks the frieze: black-figure is mostly clay, red-figure mostly slip, white-ground mostly white."""
    facts = {"fabric": fabric, "technique": technique, "shape": "AMPHORA, NECK", "decoration": "HORSE"}
    pixels = np.asarray(paint_vase(with_facts(traits, **facts)), float)
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    frieze = pixels[160:225].reshape(-1, 3)
    expected = {"BLACK-FIGURE": CLAY[fabric], "RED-FIGURE": (38, 30, 27), "WHITE-GROUND": (242, 236, 222)}[technique]
    assert (np.linalg.norm(frieze - expected, axis=1) < 60).mean() > 0.5


def test_paint_vase_has_no_seam(traits: VaseTraits) -> None:
    """Checks that the left and right edge, which meet at the back, differ no more than neighbouring columns."""
    pixels = np.asarray(paint_vase(traits), float)
    inner = np.abs(np.diff(pixels, axis=1)).mean(axis=(0, 2))
    assert np.abs(pixels[:, 0] - pixels[:, -1]).mean() <= inner.max()


def test_to_glb_loads_with_its_texture_and_stands_upright(traits: VaseTraits, tmp_path: Path) -> None:
    mesh = build_mesh(with_facts(traits, shape="LEKYTHOS"), paint_vase(traits))
    (tmp_path / "a.glb").write_bytes(to_glb(mesh))
    model = load_mesh(tmp_path / "a.glb")
    (part,) = model.parts
    assert part.paint.texture.pixels.shape == (HEIGHT, WIDTH, 3)
    assert part.uv.shape == (len(part.vertices), 2)
    assert model.extents[1] == pytest.approx(traits.slimness, rel=0.01)
    assert model.extents[1] > 1.5 * model.extents[0]  # a lekythos is tall: y is up
    assert part.vertices[:, 1].min() == pytest.approx(0.0, abs=1e-6)


def test_to_glb_same_traits_same_bytes(traits: VaseTraits) -> None:
    first, second = (to_glb(build_mesh(traits, paint_vase(traits))) for _ in range(2))
    assert first == second
    other = replace(traits, paint_seed=traits.paint_seed + 1)
    assert to_glb(build_mesh(other, paint_vase(other))) != first
