"""Tests every rejection of the mesh gate, each with a vase that has only one fault."""

from itertools import pairwise

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual.texture import SimpleMaterial, TextureVisuals

from vaserl.meshes.gate import Thresholds, gate, rotational_symmetry
from vaserl.meshes.silhouette import silhouette_iou

PROFILE = np.array([(0, 0), (0.2, 0), (0.32, 0.4), (0.3, 0.65), (0.12, 0.8), (0.18, 1.0), (0.15, 1.0), (0.1, 0.8),
                    (0.27, 0.62), (0.29, 0.4), (0.17, 0.05), (0, 0.05)])  # fmt: skip
"""Points (radius, height) of a vase's wall: up the outside and down the inside."""


def vase(*, textured: bool = True) -> trimesh.Trimesh:
    points = np.concatenate([np.linspace(a, b, 8, endpoint=False) for a, b in pairwise(PROFILE)])
    mesh = trimesh.creation.revolve(np.concatenate([points, PROFILE[-1:]]), sections=48)
    mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))  # revolve turns about z
    return dressed(mesh) if textured else mesh


def dressed(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    image = Image.new("RGB", (8, 8), (190, 90, 40))
    uv = np.zeros((len(mesh.vertices), 2))
    return trimesh.Trimesh(
        mesh.vertices, mesh.faces, visual=TextureVisuals(uv=uv, material=SimpleMaterial(image=image)), process=False
    )


def outline(height: int = 200, slimmer: float = 1.0) -> np.ndarray:
    """Returns the vase's mask from the side, filled row by row from its profile."""
    z = 1 - (np.arange(height) + 0.5) / height
    radius = np.interp(z, PROFILE[1:6, 1], PROFILE[1:6, 0]) * height * slimmer
    x = np.arange(300) - 149.5
    return np.pad(np.abs(x)[None] <= radius[:, None], ((20, 30), (0, 0)))


def photo_of(mask: np.ndarray) -> np.ndarray:
    """Returns a photograph of a dark vase before a pale backdrop with a faint gradient."""
    backdrop = np.linspace(215, 190, len(mask))[:, None, None]
    return np.where(mask[..., None], (90, 50, 30), backdrop).astype(np.uint8)


def test_gate_accepts_a_whole_vase_with_all_measures() -> None:
    result = gate(vase(), photo_of(outline()))
    assert result.accepted and result.reason == ""
    measures = result.measures
    assert measures["watertight"] == 1 and measures["open_edges"] == 0
    assert measures["num_components"] == 1 and measures["main_share"] == pytest.approx(1)
    assert measures["height_to_width"] == pytest.approx(1 / 0.64, rel=0.02)
    assert measures["symmetry"] > 0.98
    assert measures["silhouette_iou"] > 0.97 and measures["compared"] == 1
    assert 0.01 < measures["fill"] < 0.2


def test_gate_a_texture_seam_is_no_hole() -> None:
    mesh = vase()
    exploded = dressed(
        trimesh.Trimesh(mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), process=False)
    )
    assert not exploded.is_watertight
    num_vertices = len(exploded.vertices)
    assert gate(exploded).accepted
    assert len(exploded.vertices) == num_vertices, "the gate judges, it doesn't change the model"


def test_gate_accepts_two_handles_as_symmetric() -> None:
    rings = [trimesh.creation.torus(0.12, 0.02, major_sections=24, minor_sections=8) for _ in range(2)]
    for ring, side in zip(rings, (-1, 1), strict=True):
        ring.apply_translation([side * 0.31, 0.74, 0])  # in the plane of axis and picture
    result = gate(dressed(trimesh.util.concatenate([vase(textured=False), *rings])))
    assert result.accepted, result.reason
    assert result.measures["num_components"] == 3
    assert result.measures["symmetry"] > 0.9


def test_gate_measures_a_mug_without_its_handle() -> None:
    cup = trimesh.creation.cylinder(0.35, 0.8, sections=48)
    cup.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    ring = trimesh.creation.torus(0.28, 0.04, major_sections=48, minor_sections=8)
    ring.apply_translation([0.4, 0.0, 0.0])  # reaches from the top to the bottom, and as far out as the cup is wide
    assert rotational_symmetry(trimesh.util.concatenate([cup, ring])) > 0.98
    box = trimesh.creation.box([0.7, 0.8, 0.7])
    assert rotational_symmetry(box) < 0.95, "corners in four directions are no handle"


def test_gate_rejects_not_a_number() -> None:
    mesh = vase()
    mesh.vertices[5] = np.nan
    assert gate(mesh).reason == "some vertices are not finite numbers"


def test_gate_rejects_too_few_faces() -> None:
    result = gate(dressed(trimesh.creation.box((0.5, 1, 0.5))))
    assert not result.accepted and result.reason.startswith("only 12 faces")


@pytest.mark.parametrize("unit", [1e-7, 1e5])
def test_gate_does_not_depend_on_the_unit(unit: float) -> None:
    other = vase()
    other.apply_scale(unit)
    expected, found = (gate(mesh, photo_of(outline())) for mesh in (vase(), other))
    assert found.accepted and expected.accepted
    assert found.measures == pytest.approx(expected.measures, abs=1e-6)


@pytest.mark.parametrize("faces", [[0, 0, 1], [0, 0, 0]])
def test_gate_rejects_faces_without_any_area(faces: list[int]) -> None:
    points = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    result = gate(trimesh.Trimesh(points, [faces] * 300, process=False))
    assert (result.accepted, result.reason) == (False, "all its faces are points or lines")


def test_gate_rejects_flat() -> None:
    mesh = vase()
    mesh.vertices[:, 2] = 0.0
    assert gate(mesh).reason.startswith("the mesh is flat")


def test_gate_rejects_crumbs_and_no_main_body() -> None:
    rng = np.random.default_rng(0)
    crumbs = [trimesh.creation.icosphere(subdivisions=1, radius=0.01) for _ in range(45)]
    for crumb in crumbs:
        crumb.apply_translation(rng.uniform(-0.3, 0.3, 3))
    assert "consists of 46 pieces" in gate(dressed(trimesh.util.concatenate([vase(textured=False), *crumbs]))).reason
    parts = [vase(textured=False) for _ in range(3)]
    for offset, part in enumerate(parts):
        part.apply_translation([offset * 2.0, 0, 0])
    assert "no main body" in gate(dressed(trimesh.util.concatenate(parts))).reason


def test_gate_rejects_an_open_surface() -> None:
    mesh = vase(textured=False)
    mesh.update_faces(np.random.default_rng(0).random(len(mesh.faces)) > 0.2)
    result = gate(dressed(mesh))
    assert "the surface is open" in result.reason
    # removing a face with probability p opens an edge with 2 p (1 - p) of the (1 - p^2) that are left: a third
    assert result.measures["open_edges"] == pytest.approx(2 * 0.2 * 0.8 / (1 - 0.04), abs=0.03)


def test_gate_accepts_a_missing_underside_within_the_threshold() -> None:
    mesh = vase(textured=False)
    mesh.update_faces(mesh.triangles_center[:, 1] > 1e-6)
    result = gate(dressed(mesh))
    assert result.accepted, result.reason
    assert result.measures["watertight"] == 0
    assert 0 < result.measures["open_edges"] < 0.02
    assert "open" in gate(dressed(mesh), thresholds=Thresholds(max_open_edges=0.0)).reason


def test_gate_rejects_lying_proportions_and_sheets() -> None:
    mesh = vase()
    mesh.apply_scale([1, 0.1, 1])
    assert "as high as wide" in gate(mesh).reason
    mesh = vase(textured=False)
    outer = mesh.vertices.copy()
    thin = dressed(trimesh.Trimesh(outer * [1, 1, 1], mesh.faces, process=False))
    assert "sheet" in gate(thin, thresholds=Thresholds(min_fill=0.5)).reason
    double = trimesh.creation.revolve(
        [(0, 0), (0.3, 0), (0.3, 1), (0.2999, 1), (0.2999, 1e-4), (0, 1e-4)], sections=256
    )
    double.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
    assert "sheet" in gate(dressed(double)).reason


def test_gate_proportions_on_either_side_and_in_depth() -> None:
    for scale in ([1, 0.1, 1], [1, 6, 1], [1, 1, 9]):
        mesh = vase()
        mesh.apply_scale(scale)
        assert "as high as wide" in gate(mesh).reason, scale


def same_but_for_faces(mesh: trimesh.Trimesh, faces: np.ndarray) -> None:
    """Checks that a mesh with other faces on the same vertices counts as the same shape."""
    changed = gate(dressed(trimesh.Trimesh(mesh.vertices, faces, process=False)))
    assert changed.accepted, changed.reason
    plain = gate(mesh).measures
    assert {**changed.measures, "num_faces": 0} == pytest.approx({**plain, "num_faces": 0}, abs=1e-3)


def test_gate_repeated_empty_or_flipped_faces_change_no_measure() -> None:
    mesh = vase()
    same_but_for_faces(mesh, np.concatenate([mesh.faces, mesh.faces[::2, [1, 2, 0]]]))
    same_but_for_faces(mesh, np.concatenate([mesh.faces, mesh.faces[:, [0, 1, 1]]]))
    same_but_for_faces(mesh, np.where(np.arange(len(mesh.faces))[:, None] % 3 == 0, mesh.faces[:, ::-1], mesh.faces))
    same_but_for_faces(mesh, mesh.faces[:, ::-1])


def test_gate_an_edge_with_four_faces_is_not_open() -> None:
    mesh = vase(textured=False)
    a, b = mesh.vertices[mesh.edges_unique[100]]
    corners = np.add([a, b, a, b], [[0, 0, 0], [0, 0, 0], [0, 0.01, 0.02], [0.02, 0.01, 0]])
    fin = trimesh.Trimesh(corners, [[0, 1, 2], [1, 0, 3], [2, 1, 3], [0, 2, 3]])
    assert gate(dressed(trimesh.util.concatenate([mesh, fin]))).measures["open_edges"] == 0


def test_gate_weighs_pieces_by_area_not_by_faces() -> None:
    crumb = trimesh.creation.icosphere(subdivisions=4, radius=0.02)
    crumb.apply_translation([0.5, 0.5, 0])
    result = gate(dressed(trimesh.util.concatenate([vase(textured=False), crumb])))
    assert result.accepted and result.measures["main_share"] > 0.99, result.reason


def test_gate_accepts_exactly_the_minimum_of_faces() -> None:
    mesh = vase()
    assert gate(mesh, thresholds=Thresholds(min_faces=len(mesh.faces))).accepted


def test_gate_rejects_no_texture() -> None:
    assert gate(vase(textured=False)).reason == "has neither a texture nor colours"
    nowhere = vase(textured=False)  # an image without texture coordinates
    nowhere.visual = TextureVisuals(material=SimpleMaterial(image=Image.new("RGB", (8, 8))))
    assert gate(nowhere).reason == "has neither a texture nor colours"
    assert gate(vase(textured=False), thresholds=Thresholds(needs_texture=False)).accepted


def test_gate_rejects_not_round() -> None:
    mesh = vase()
    mesh.apply_scale([1, 1, 0.25])
    result = gate(mesh)
    assert "not wheel-thrown" in result.reason
    assert result.measures["symmetry"] < 0.7


def test_rotational_symmetry_does_not_depend_on_the_place() -> None:
    mesh = vase()
    there = mesh.copy()
    there.apply_translation([3.0, -1.0, 0.7])
    assert rotational_symmetry(there) == pytest.approx(rotational_symmetry(mesh), abs=0.01)


def test_rotational_symmetry_needs_neither_even_faces_nor_two_handles() -> None:
    fine = vase(textured=False)
    for _ in range(2):  # more points on the right must not count more
        fine = fine.subdivide(face_index=np.nonzero(fine.triangles_center[:, 0] > 0.1)[0])
    assert rotational_symmetry(fine) > 0.99
    ring = trimesh.creation.torus(0.25, 0.03, major_sections=32, minor_sections=8)
    ring.apply_translation([0.5, 0.5, 0])
    # as broad as the vase; the axis stays where the body has it
    assert rotational_symmetry(trimesh.util.concatenate([vase(textured=False), ring])) > 0.78


def test_silhouette_iou_keeps_the_proportions_of_a_bowl() -> None:
    bowl = vase()
    bowl.apply_scale([2.5, 1, 2.5])
    assert silhouette_iou(bowl, outline(height=100, slimmer=2.5)) > 0.95


def test_gate_rejects_unlike_its_photograph() -> None:
    result = gate(vase(), photo_of(outline(slimmer=0.55)))
    assert "unlike its photograph" in result.reason
    assert result.measures["silhouette_iou"] < 0.8
    assert silhouette_iou(vase(), np.pad(outline(), ((0, 0), (90, 0)))) > 0.97, "where it stands in the picture is free"
    with pytest.raises(ValueError, match="empty"):
        silhouette_iou(vase(), np.zeros((50, 50), bool))


def noise() -> np.ndarray:
    """Returns a photograph that can't be cut out."""
    return np.random.default_rng(0).integers(0, 256, (120, 120, 3)).astype(np.uint8)


def test_gate_an_uncompared_vase_passes_by_its_shape() -> None:
    result = gate(vase(), noise())
    assert result.accepted, result.reason
    assert result.measures["compared"] == 0 and "silhouette_iou" not in result.measures
    # from the lip at 1.0 down to the inside's floor at 0.05
    assert result.measures["mouth_depth"] == pytest.approx(0.95, abs=0.01)


def test_gate_rejects_an_uncompared_ball_and_a_lopsided_vase() -> None:
    ball = gate(dressed(trimesh.creation.icosphere(subdivisions=3)), noise())
    assert "can't be cut out" in ball.reason and ball.measures["mouth_depth"] == pytest.approx(0.0, abs=0.01)
    assert gate(dressed(trimesh.creation.icosphere(subdivisions=3))).accepted, "without a photograph nothing is known"
    oval = vase()
    oval.apply_scale([1, 1, 0.7])
    result = gate(oval, noise())
    assert 0.75 < result.measures["symmetry"] < 0.95 and "can't be cut out" in result.reason


def test_gate_rejects_a_lump_that_is_roughly_as_large_as_its_vase() -> None:
    """An ellipsoid that fills the vase's outline well, and a slimmer one that doesn't."""
    lump = trimesh.creation.icosphere(subdivisions=3)
    lump.apply_scale([0.32, 0.5, 0.32])
    result = gate(dressed(lump), photo_of(outline()))
    assert 0.8 < result.measures["silhouette_iou"] < 0.92 and "fits its photograph only roughly" in result.reason
    lump.apply_scale([0.7, 1, 0.7])
    assert "unlike its photograph: the silhouettes" in gate(dressed(lump), photo_of(outline())).reason


def with_handles(mask: np.ndarray) -> np.ndarray:
    """Returns the mask with a ring on each side of the neck, through which the backdrop shows."""
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    for side in (-1, 1):
        distance = np.hypot(y - 70, x - (149.5 + side * 38))
        mask = (mask | (distance < 24)) & ~(distance < 15)
    return mask


def test_gate_rejects_clay_where_the_photograph_shows_backdrop_under_handles() -> None:
    mask = with_handles(outline())
    rings = [trimesh.creation.torus(19.5 / 200, 4.5 / 200, major_sections=32, minor_sections=8) for _ in range(2)]
    lids = [trimesh.creation.cylinder(19.5 / 200, 0.01) for _ in range(2)]
    for parts in (rings, lids):
        for part, side in zip(parts, (-1, 1), strict=True):
            part.apply_translation([side * 38 / 200, (220 - 70) / 200, 0])
    right = dressed(trimesh.util.concatenate([vase(textured=False), *rings]))
    wrong = dressed(trimesh.util.concatenate([vase(textured=False), *rings, *lids]))
    assert gate(right, photo_of(mask)).accepted
    result = gate(wrong, photo_of(mask))
    assert result.measures["silhouette_iou"] > 0.92 and "where the model has clay" in result.reason
