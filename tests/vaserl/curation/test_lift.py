import json
import sys
import time
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import trimesh
from PIL import Image

from tests.fakes.curation_stages import over_batches
from tests.fakes.turned_vases import amphora, photograph, seen_mask, with_handles
from vaserl.curation.bodies.lift import Command, Lift, LiftFailure, build_generator
from vaserl.curation.bodies.mesh_gate import MeshGate
from vaserl.curation.bodies.turntable import Turntable
from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.settings import LiftSettings, MeshGateSettings, TurntableSettings
from vaserl.curation.stages.lift import LIFT, weights_of
from vaserl.curation.stages.mesh_gate import MESH_GATE
from vaserl.curation.stages.turntable import TURNTABLE
from vaserl.dataset import DataSet, mesh_name
from vaserl.errors import UserError
from vaserl.meshes import Candidate, Judgement, file_of_judge
from vaserl.meshes.generators import CommandSettings
from vaserl.meshes.turntable import SIX_VIEWS

WRITES_A_GLB = "import sys; open(sys.argv[2], 'wb').write(b'glTF' + open(sys.argv[1], 'rb').read())"


def rows(*vase_ids: str, photo: Path | str = "photo.png") -> list[dict]:
    return [
        {"photo": str(photo), "vase_id": vase_id, "rejected_by": "", "reason": "", "mesh": ""} for vase_id in vase_ids
    ]


def python(code: str, **options) -> LiftSettings:
    command = (sys.executable, "-c", code, "{photo}", "{glb}")
    return LiftSettings(generator="command", generator_args={"command": command, **options})


def test_lift_command_writes_the_model_under_the_vases_name(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"pixels")
    lift = over_batches(LIFT, Lift, python(WRITES_A_GLB), tmp_path, tmp_path / "out")
    (row,) = rows_of(lift(batch_of(rows("MS/12 b", photo=tmp_path / "photo.png"))))
    assert row["mesh"] == mesh_name("MS/12 b") == "models/MS%2F12 b.glb"
    assert (tmp_path / "out" / row["mesh"]).read_bytes() == b"glTFpixels"
    assert [path.name for path in (tmp_path / "out" / "models").iterdir()] == ["MS%2F12 b.glb"]


GREEK = "Κρατήρ ελικωτός με παράσταση Διονύσου και Μαινάδων"
"""A name of 50 letters, whose escaped form is too long for a file name."""


def test_lift_vase_whose_escaped_name_is_too_long_goes_through(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"pixels")
    lift = over_batches(LIFT, Lift, python(WRITES_A_GLB), tmp_path, tmp_path)
    lifted = rows_of(lift(batch_of(rows(GREEK, GREEK[:-1], photo=tmp_path / "photo.png"))))
    assert [row["rejected_by"] for row in lifted] == ["", ""] and len({row["mesh"] for row in lifted}) == 2
    for row in lifted:
        assert (tmp_path / row["mesh"]).read_bytes() == b"glTFpixels"
        assert row["mesh"].startswith("models/%CE%9A%CF%81") and row["mesh"] == mesh_name(row["vase_id"])


@hypothesis.given(st.sets(st.text(min_size=1, max_size=90), min_size=2, max_size=2))
@hypothesis.example({GREEK, mesh_name(GREEK).removeprefix("models/").removesuffix(".glb")})
@hypothesis.example({".lift-x", "%2Elift-x"})
def test_model_path_is_unique_visible_and_short_enough(ids):
    names = [mesh_name(vase_id).removeprefix("models/") for vase_id in ids]
    assert len(set(names)) == 2
    for name in names:
        assert name.isascii() and len(name) <= 255 and "/" not in name and not name.startswith(".")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit('out of memory')", "ended with code 1: out of memory"),
        ("import sys; raise SystemExit('no ' + sys.argv[2])", "ended with code 1: no …/model.glb"),
        ("raise SystemExit(f'bad input {object()}')", "ended with code 1: bad input <object object at 0x…>"),
        ("import tempfile; raise SystemExit('no ' + tempfile.mkdtemp() + '/a.bin')", "ended with code 1: no …"),
        ("pass", "the generator wrote no GLB"),
        ("import sys; open(sys.argv[2], 'w').write('nonsense')", "the generator wrote no GLB"),
        ("import os; os.abort()", "ended with code -6"),
    ],
)
def test_lift_command_that_fails_rejects_its_row(tmp_path, code, reason):
    (row,) = rows_of(over_batches(LIFT, Lift, python(code), tmp_path, tmp_path)(batch_of(rows("v"))))
    assert row["rejected_by"] == "lift" and reason in row["reason"]
    assert row["mesh"] == "" and not list((tmp_path / "models").iterdir())


def test_command_that_hangs_is_killed_with_its_children(tmp_path):
    beat = tmp_path / "beat"
    child = f"import time\nwhile True: open({str(beat)!r}, 'a').write('.'); time.sleep(0.02)"
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    started = time.monotonic()
    with pytest.raises(LiftFailure, match=r"was killed after 4 s"):
        Command(CommandSettings(command=(sys.executable, "-c", code, "{photo}", "{glb}"), timeout_s=4))(
            Path("p"), "v", tmp_path / "g"
        )
    assert time.monotonic() - started < 30
    assert beat.exists(), "the child was running"
    size = beat.stat().st_size
    time.sleep(0.3)
    assert beat.stat().st_size == size, "the child outlived its parent"


def test_lift_retries_are_made_and_counted(tmp_path):
    code = (
        "import sys, pathlib; count = pathlib.Path(sys.argv[1]); n = len(count.read_text());"
        "count.write_text('x' * (n + 1));"
        "sys.exit('busy') if n < 2 else open(sys.argv[2], 'wb').write(b'glTF')"
    )
    count = tmp_path / "count"
    count.write_text("")
    (row,) = rows_of(
        over_batches(LIFT, Lift, python(code, num_retries=2), tmp_path, tmp_path)(batch_of(rows("v", photo=count)))
    )
    assert not row["rejected_by"] and count.read_text() == "xxx"
    count.write_text("")
    (row,) = rows_of(
        over_batches(LIFT, Lift, python(code, num_retries=1), tmp_path, tmp_path)(batch_of(rows("v", photo=count)))
    )
    assert row["reason"].endswith("ended with code 1: busy, 2 attempts")


def test_lift_model_of_a_failed_attempt_is_not_the_next_one_s(tmp_path):
    code = (
        "import sys, pathlib; count = pathlib.Path(sys.argv[1])\n"
        "if count.stat().st_size: sys.exit(0)\n"
        "count.write_text('x'); open(sys.argv[2], 'wb').write(b'glTF'); sys.exit('half done')"
    )
    (tmp_path / "count").write_text("")
    lift = over_batches(LIFT, Lift, python(code, num_retries=1), tmp_path, tmp_path)
    (row,) = rows_of(lift(batch_of(rows("v", photo=tmp_path / "count"))))
    assert row["reason"] == "the generator wrote no GLB"


def test_lift_rejected_vases_are_not_lifted(tmp_path):
    (tmp_path / "photo.png").write_bytes(b"pixels")
    out, still_in = rows("out", "in", photo=tmp_path / "photo.png")
    out |= {"rejected_by": "best_view", "reason": "another one"}
    lifted = rows_of(over_batches(LIFT, Lift, python(WRITES_A_GLB), tmp_path, tmp_path)(batch_of([out, still_in])))
    assert [(row["rejected_by"], row["mesh"]) for row in lifted] == [("best_view", ""), ("", "models/in.glb")]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["in.glb"]


def test_weights_of_lists_folders_and_their_parts(tmp_path):
    for part in ("weights/transformer", "weights/vae", "rmbg"):
        (tmp_path / part).mkdir(parents=True)
    triposg = {"checkout": tmp_path, "weights": tmp_path / "weights", "rmbg": tmp_path / "rmbg"}
    settings = LiftSettings.model_validate({"generator": "triposg", "generator_args": triposg})
    watched = [str(folder.relative_to(tmp_path)) for folder in weights_of(settings)]
    assert watched == ["weights", "weights/transformer", "weights/vae", "rmbg"]
    assert weights_of(LiftSettings()) == []


def test_build_generator_names_a_missing_program():
    with pytest.raises(UserError, match=r"lift\.generator_args\.command: no program 'no-such-generator'"):
        build_generator(
            LiftSettings(generator="command", generator_args={"command": ("no-such-generator", "{photo}", "{glb}")}),
            Path(),
        )


def in_two_colours(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Paints the mesh red on the right and black on the left, because films of one colour are rejected."""
    mesh.visual.vertex_colors = np.where(mesh.vertices[:, :1] > 0, (150, 30, 10, 255), (5, 5, 5, 255)).astype(np.uint8)
    return mesh


def test_turntable_stills_are_the_six_views_and_their_normals(tmp_path):
    model = in_two_colours(trimesh.creation.cylinder(radius=0.3, segment=([0.0, 0.0, 0.0], [0.0, 1.0, 0.0])))
    (tmp_path / "models").mkdir()
    mesh = mesh_name(GREEK)
    model.export(tmp_path / mesh)
    film = over_batches(
        TURNTABLE, Turntable, TurntableSettings(num_frames=2, fps=2.0, resolution=64, stills=True), tmp_path
    )
    film(batch_of([{"mesh": mesh, "rejected_by": "", "reason": ""}]))
    names = {f"{view}{kind}.png" for view in SIX_VIEWS for kind in ("", "_normals")}
    views = tmp_path / "views" / Path(mesh).stem
    assert {path.name for path in views.iterdir()} == names

    def still(name: str) -> np.ndarray:
        return np.asarray(Image.open(views / name)).astype(int)

    # (n + 1) / 2 as colour: what faces the camera is blue
    for view in ("front", "top"):
        red, green, blue = still(f"{view}_normals.png")[32, 32]
        assert abs(red - 128) < 12 and abs(green - 128) < 12 and blue > 200
    # 1.0 high and 0.6 wide, seen from the side, and 0.6 by 0.6 from above: in both pictures of a view
    for view in SIX_VIEWS:
        for name in (f"{view}.png", f"{view}_normals.png"):
            pixels = still(name)
            seen = np.abs(pixels - pixels[0, 0]).max(axis=2) > 24
            slim = seen.any(axis=1).sum() > 1.3 * seen.any(axis=0).sum()
            assert slim == (view not in ("top", "bottom")), name


def test_turntable_renders_given_models_and_rejects_damaged_ones(tmp_path):
    (tmp_path / "scans").mkdir()
    in_two_colours(trimesh.creation.cylinder(radius=0.3, height=1.0)).export(tmp_path / "scans" / "a.glb")
    (tmp_path / "scans" / "torn.glb").write_bytes(b"glTF but no more")
    lift = over_batches(
        LIFT,
        Lift,
        LiftSettings(generator="given", generator_args={"path": "scans/{vase_id}.glb"}),
        tmp_path,
        tmp_path / "out",
    )
    film = over_batches(TURNTABLE, Turntable, TurntableSettings(num_frames=4, fps=2.0, resolution=32), tmp_path / "out")
    lifted = {row["vase_id"]: row for row in rows_of(film(lift(batch_of(rows("a", "torn", "absent")))))}
    assert lifted["absent"]["rejected_by"] == "lift" and "no model given" in lifted["absent"]["reason"]
    assert lifted["torn"]["rejected_by"] == "turntable"
    assert lifted["torn"]["reason"].startswith("damaged GLB model: "), "wherever the data set lies"
    gate = over_batches(MESH_GATE, MeshGate, MeshGateSettings(needs_texture=False), tmp_path / "out")
    (judged,) = rows_of(gate(lift(batch_of(rows("torn")))))
    assert (judged["rejected_by"], judged["reason"]) == ("mesh_gate", lifted["torn"]["reason"])
    clip = DataSet(tmp_path / "out").clips.load(lifted["a"]["clip"])
    assert clip.frames.shape == (4, 32, 32, 3) and clip.fps == 2.0
    assert clip.frames.std() > 10, "something is seen"
    assert not (tmp_path / "out" / "views").exists(), "stills are made for those who ask"


def test_lift_lathe_rejects_what_is_no_vase(tmp_path):
    Image.effect_noise((120, 120), 90).save(tmp_path / "noise.png")
    (row,) = rows_of(
        over_batches(LIFT, Lift, LiftSettings(), tmp_path, tmp_path)(batch_of(rows("v", photo=tmp_path / "noise.png")))
    )
    assert row["rejected_by"] == "lift" and row["reason"]


def test_lift_lathe_lifts_a_drawn_pot(tmp_path):
    # a white square with a black pot, 420 pixels high: mouth 150 wide, neck 108, belly 240, foot 120
    rows_y = np.arange(600)
    half = np.interp(rows_y, [90, 150, 330, 510], [75, 54, 120, 60]) * ((rows_y >= 90) & (rows_y <= 510))
    across = np.abs(np.arange(600) - 300)
    pixels = np.where((across[None, :] <= half[:, None]) & (half[:, None] > 0), 20, 255).astype(np.uint8)
    Image.fromarray(np.repeat(pixels[..., None], 3, axis=2)).save(tmp_path / "pot.png")
    (row,) = rows_of(
        over_batches(LIFT, Lift, LiftSettings(), tmp_path, tmp_path)(batch_of(rows("pot", photo=tmp_path / "pot.png")))
    )
    assert not row["rejected_by"], row["reason"]
    mesh = trimesh.load_scene(tmp_path / row["mesh"]).to_mesh()
    width, height, depth = mesh.extents
    assert width == pytest.approx(depth, rel=0.02), "round"
    assert width / height == pytest.approx(240 / 420, rel=0.1)


def striped_views(folder: Path) -> list[dict]:
    """Writes photographs of a vase with two handles, front and back, and returns the rows' further view and the row."""
    masks = {"front": with_handles(seen_mask()), "back": with_handles(seen_mask())}
    masks |= {"right": seen_mask(), "left": seen_mask(lambda z: amphora(z) * 1.5)}  # the left one of another vase
    others = []
    for side, mask in masks.items():
        Image.fromarray(photograph(mask)).save(folder / f"{side}.png")
        others.append({"photo": str(folder / f"{side}.png"), "photo_sha256": side, "side": side})
    (row,) = rows("v", photo=folder / "front.png")
    return [row, *others[1:]]


def test_lift_lathe_uses_the_other_views_that_agree_and_says_which(tmp_path):
    row, _, right, left = striped_views(tmp_path)
    lift = over_batches(LIFT, Lift, LiftSettings(), tmp_path, tmp_path / "out")

    def lifted(*others: dict) -> tuple[dict, bytes]:
        (result,) = rows_of(lift(batch_of([row | {"other_views": json.dumps(others) if others else ""}])))
        assert not result["rejected_by"], result["reason"]
        return result, (tmp_path / "out" / result["mesh"]).read_bytes()

    (alone, content), (two, joined), (contradicted, same) = lifted(), lifted(right), lifted(left)
    assert alone["other_photos"] == "" and np.isnan(alone["seen_share"])
    assert json.loads(two["other_photos"]) == [right["photo"]] and joined != content
    assert two["seen_share"] > 0.5 and two["silhouette_iou"] > 0.95
    assert contradicted["other_photos"] == "" and same == content, "the left one shows another shape"


def test_lift_of_an_unusable_photograph_fails_whatever_its_other_views(tmp_path):
    row, back, *_ = striped_views(tmp_path)
    Image.effect_noise((120, 120), 90).save(tmp_path / "noise.png")
    lift = over_batches(LIFT, Lift, LiftSettings(), tmp_path, tmp_path)
    noisy = row | {"photo": str(tmp_path / "noise.png")}
    reasons = [rows_of(lift(batch_of([noisy | {"other_views": v}])))[0]["reason"] for v in ("", json.dumps([back]))]
    assert reasons[0] and reasons[0] == reasons[1]


def test_lift_generators_of_one_photograph_get_the_best(tmp_path):
    row, *others = striped_views(tmp_path)
    lift = over_batches(LIFT, Lift, python(WRITES_A_GLB), tmp_path, tmp_path)
    (lifted,) = rows_of(lift(batch_of([row | {"other_views": json.dumps(others)}])))
    assert not lifted["rejected_by"] and lifted["other_photos"] == "" and np.isnan(lifted["seen_share"])
    assert (tmp_path / lifted["mesh"]).read_bytes() == b"glTF" + (tmp_path / "front.png").read_bytes()


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


def test_lift_passes_the_lathes_doubt_on(tmp_path):
    page = np.full((240, 240, 3), 235, np.uint8)
    page[30:210, 60:180] = (150, 70, 30)
    Image.fromarray(page).save(tmp_path / "page.png")
    lift = over_batches(LIFT, Lift, LiftSettings(), tmp_path, tmp_path)
    (row,) = rows_of(lift(batch_of(rows("page", photo=tmp_path / "page.png"))))
    assert not row["rejected_by"] and "is a rectangle" in row["model_fault"]


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
