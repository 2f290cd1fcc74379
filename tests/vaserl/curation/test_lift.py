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
from tests.fakes.curation_stages import unlifted_rows as rows
from tests.fakes.turned_vases import amphora, lit_photograph, seen_mask, with_handles
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
from vaserl.meshes.generators import CommandSettings
from vaserl.meshes.turntable import SIX_VIEWS

WRITES_A_GLB = "import sys; open(sys.argv[2], 'wb').write(b'glTF' + open(sys.argv[1], 'rb').read())"


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


def test_lift_model_of_a_later_attempt_leaves_that_of_the_first_alone(tmp_path):
    for name in ("front", "back"):
        (tmp_path / f"{name}.png").write_text(name)
    lift = over_batches(LIFT, Lift, python(WRITES_A_GLB), tmp_path, tmp_path)
    first = rows("a", photo=tmp_path / "front.png")
    second = rows("a", photo=tmp_path / "back.png")
    second[0]["instead_of"] = json.dumps([str(tmp_path / "front.png")])
    made = [rows_of(lift(batch_of(some)))[0]["mesh"] for some in (first, second)]
    assert made == ["models/a.glb", "models/a=2.glb"]
    assert [(tmp_path / name).read_bytes() for name in made] == [b"glTFfront", b"glTFback"]


@hypothesis.given(
    st.sets(st.tuples(st.text(min_size=1, max_size=90), st.integers(1, 3)), min_size=2, max_size=2),
)
@hypothesis.example({(GREEK, 1), (mesh_name(GREEK).removeprefix("models/").removesuffix(".glb"), 1)})
@hypothesis.example({(GREEK, 1), (GREEK, 2)})
@hypothesis.example({("a" * 250, 1), ("a" * 250, 2)})
@hypothesis.example({("a", 2), ("a=2", 1)})
@hypothesis.example({(".lift-x", 1), ("%2Elift-x", 1)})
def test_model_path_is_unique_visible_and_short_enough(models):
    names = [mesh_name(*model).removeprefix("models/") for model in models]
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
    # a pot 420 pixels high: mouth 150 wide, neck 108, belly 240, foot 120
    rows_y = np.arange(600)
    half = np.interp(rows_y, [90, 150, 330, 510], [75, 54, 120, 60]) * ((rows_y >= 90) & (rows_y <= 510))
    mask = (np.abs(np.arange(600) - 300) <= half[:, None]) & (half[:, None] > 0)
    Image.fromarray(lit_photograph(mask)).save(tmp_path / "pot.png")
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
        Image.fromarray(lit_photograph(mask)).save(folder / f"{side}.png")
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


def test_lift_passes_the_lathes_doubt_on(tmp_path):
    box = np.full((240, 240, 4), (235, 235, 235, 0), np.uint8)
    box[30:210, 60:180] = (150, 70, 30, 255)  # the view of what is cut out already is not looked for
    Image.fromarray(box).save(tmp_path / "box.png")
    lift = over_batches(LIFT, Lift, LiftSettings(), tmp_path, tmp_path)
    (row,) = rows_of(lift(batch_of(rows("box", photo=tmp_path / "box.png"))))
    assert not row["rejected_by"] and "is a rectangle" in row["model_fault"], row["reason"]


def test_lift_says_what_a_photograph_shows_that_is_no_whole_vase_from_the_side(tmp_path):
    lying = np.rot90(lit_photograph(with_handles(seen_mask())))
    Image.fromarray(lying).save(tmp_path / "lying.png")
    lift = over_batches(LIFT, Lift, LiftSettings(), tmp_path, tmp_path)
    (row,) = rows_of(lift(batch_of(rows("lying", photo=tmp_path / "lying.png"))))
    assert row["rejected_by"] == "lift" and "not a whole vase from the side: it seems to show" in row["reason"]
