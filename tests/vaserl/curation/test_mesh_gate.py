"""Tests the stage that checks 3D models: its own cut-out, what it says of models that it can't compare, and judges."""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.fakes.curation_stages import over_batches
from tests.fakes.curation_stages import unlifted_rows as rows
from vaserl.curation.bodies.mesh_gate import MeshGate
from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.settings import MeshGateSettings
from vaserl.curation.stages.mesh_gate import MESH_GATE
from vaserl.errors import UserError
from vaserl.meshes import Candidate, Judgement, file_of_judge


def write_pot(path: Path, radius: float, *, is_open: bool = True) -> None:
    """Writes the GLB of a straight pot, one high."""
    pot = trimesh.creation.annulus(radius - 0.03, radius, 1.0, sections=64)
    if not is_open:
        pot = trimesh.creation.cylinder(radius, 1.0, sections=64)
    pot.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))  # upright: Y is up
    pot.visual.vertex_colors = [200, 90, 40, 255]
    path.parent.mkdir(exist_ok=True)
    pot.export(path)


def test_mesh_gate_compares_with_its_own_cutout_and_says_what_is_uncompared(tmp_path):
    # a black disc is no cylinder's outline, whatever a generator measured against its own mask
    y, x = np.mgrid[:200, :200] - 100
    disc = np.where(x**2 + y**2 < 70**2, 20, 255).astype(np.uint8)
    Image.fromarray(np.repeat(disc[..., None], 3, axis=2)).save(tmp_path / "disc.png")
    Image.effect_noise((120, 120), 90).save(tmp_path / "noise.png")  # no vase can be segmented
    write_pot(tmp_path / "models" / "v.glb", 0.1)
    write_pot(tmp_path / "models" / "solid.glb", 0.1, is_open=False)
    (row,) = rows("v", photo=tmp_path / "disc.png")
    row |= {"mesh": "models/v.glb", "silhouette_iou": 0.99, "model_fault": ""}
    gate = over_batches(MESH_GATE, MeshGate, MeshGateSettings(), tmp_path)
    (judged,) = rows_of(gate(batch_of([row])))
    assert judged["rejected_by"] == "mesh_gate" and "silhouettes overlap" in judged["reason"]
    # best fit: a bar of 28 x 140 within a disc of diameter 140, so at most 28 * 140 / 15394 = 0.25 and a little less
    assert 0.2 < judged["silhouette_iou"] < 0.27 and judged["compared"] == 1
    lenient = over_batches(MESH_GATE, MeshGate, MeshGateSettings(min_iou=0.2), tmp_path)
    overrated, honest = rows_of(lenient(batch_of([row, row | {"silhouette_iou": 0.3}])))
    assert "its generator's own cut-out fits by 0.99, another one by only 0.2" in overrated["reason"]
    assert not honest["rejected_by"] and honest["silhouette_iou"] == judged["silhouette_iou"]
    unseen = row | {"photo": str(tmp_path / "noise.png")}
    open_pot, solid = rows_of(gate(batch_of([unseen, unseen | {"mesh": "models/solid.glb"}])))
    assert not open_pot["rejected_by"] and np.isnan(open_pot["silhouette_iou"]) and open_pot["compared"] == 0
    assert solid["rejected_by"] == "mesh_gate" and "can't be cut out" in solid["reason"] and solid["compared"] == 0
    assert open_pot["symmetry"] > 0.95


def test_mesh_gate_rejects_a_model_that_its_generator_does_not_believe(tmp_path):
    write_pot(tmp_path / "models" / "v.glb", 0.3)
    pot = np.full((200, 200, 3), 235, np.uint8)
    pot[20:180, 52:148] = (150, 70, 30)
    Image.fromarray(pot).save(tmp_path / "pot.png")
    (row,) = rows("v", photo=tmp_path / "pot.png")
    row |= {"mesh": "models/v.glb", "silhouette_iou": 0.99, "model_fault": "what was taken for the vase is a rectangle"}
    believed, doubted = rows_of(
        over_batches(MESH_GATE, MeshGate, MeshGateSettings(), tmp_path)(batch_of([row | {"model_fault": ""}, row]))
    )
    assert not believed["rejected_by"], believed["reason"]
    assert doubted["rejected_by"] == "mesh_gate" and doubted["reason"] == row["model_fault"]
    (ignored,) = rows_of(over_batches(MESH_GATE, MeshGate, MeshGateSettings(min_iou=0), tmp_path)(batch_of([row])))
    assert not ignored["rejected_by"] and np.isnan(ignored["compared"])


def test_mesh_gate_calls_a_model_overrated_only_where_its_two_cutouts_agree(tmp_path):
    write_pot(tmp_path / "models" / "v.glb", 0.25)  # of a pot with radius 0.3: silhouettes overlap by 0.25 / 0.3 = 0.83
    pot = np.full((200, 200, 3), 235, np.uint8)
    pot[20:180, 52:148] = (150, 70, 30)
    Image.fromarray(pot).save(tmp_path / "plain.png")
    pot[20:70, 52:148] = 215  # pale upper part: one of the gate's cut-outs loses it
    Image.fromarray(pot).save(tmp_path / "pale.png")
    made = {"mesh": "models/v.glb", "silhouette_iou": 0.99, "model_fault": ""}
    plain, pale = (rows("v", photo=tmp_path / name)[0] | made for name in ("plain.png", "pale.png"))
    plain, pale = rows_of(over_batches(MESH_GATE, MeshGate, MeshGateSettings(), tmp_path)(batch_of([plain, pale])))
    assert "another one by only 0.8" in plain["reason"]
    assert not pale["rejected_by"], pale["reason"]


def slender_only(candidate: Candidate) -> Judgement:
    """Judges a mesh by its proportions: it loads the mesh and measures it."""
    width, height, _ = trimesh.load_scene(candidate.mesh).to_mesh().extents
    assert candidate.photo.endswith("photo.png")
    return Judgement(accepted=height > 3 * width, score=float(height / width), reason=f"{candidate.vase_id} is squat")


class Counting:
    """A judge that counts its calls; it is constructed once for all meshes."""

    def __init__(self) -> None:
        self.num_seen = 0

    def __call__(self, candidate: Candidate) -> Judgement:
        self.num_seen += 1
        return Judgement(accepted=True, score=float(self.num_seen), reason="")


def test_mesh_gate_judge_by_name_decides_after_the_measures(tmp_path):
    (tmp_path / "models").mkdir()
    for name, radius in (("slim", 0.1), ("squat", 0.4)):
        pot = trimesh.creation.cylinder(radius=radius, height=1.0, sections=64)
        pot.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
        pot.visual.vertex_colors = [200, 90, 40, 255]
        pot.export(tmp_path / "models" / f"{name}.glb")
    trimesh.creation.box().export(tmp_path / "models" / "box.glb")
    batch = batch_of(
        [row | {"mesh": f"models/{row['vase_id']}.glb", "silhouette_iou": 0.9} for row in rows("slim", "squat", "box")]
    )
    gate = over_batches(MESH_GATE, MeshGate, MeshGateSettings(min_iou=0, judge=f"{__name__}:slender_only"), tmp_path)
    slim, squat, box = rows_of(gate(batch))
    assert not slim["rejected_by"] and slim["judge"] == pytest.approx(5.0, rel=0.01)
    assert squat["rejected_by"] == "mesh_gate" and squat["reason"] == "the mesh judge rejects it: squat is squat"
    assert squat["judge"] == pytest.approx(1.25, rel=0.01)
    assert "faces" in box["reason"] and np.isnan(box["judge"]), "geometry has refused it already"
    counted = rows_of(
        over_batches(MESH_GATE, MeshGate, MeshGateSettings(min_iou=0, judge=f"{__name__}:Counting"), tmp_path)(batch)
    )
    assert [row["judge"] for row in counted[:2]] == [1.0, 2.0]
    without = rows_of(over_batches(MESH_GATE, MeshGate, MeshGateSettings(min_iou=0), tmp_path)(batch))
    assert all(np.isnan(row["judge"]) for row in without)


def test_file_of_judge_is_known():
    assert file_of_judge(f"{__name__}:slender_only") == Path(__file__)
    assert file_of_judge("builtins:print") is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("slender", "expected package"),
        ("nobody.at.home:f", "No module"),
        ("math:nothing", "nothing"),
        ("math:pi", "float"),
        ("pathlib:Path", "got Path"),
    ],
)
def test_mesh_gate_names_a_wrong_judge_when_it_is_made(tmp_path, name, reason):
    with pytest.raises(UserError, match=rf"mesh_gate\.judge '{name}': .*{reason}"):
        over_batches(MESH_GATE, MeshGate, MeshGateSettings(judge=name), tmp_path)
