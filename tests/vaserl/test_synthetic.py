import io
import json
from collections import Counter
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

from vaserl.errors import UserError
from vaserl.synthetic import photograph as photograph_module
from vaserl.synthetic.figures import SUBJECTS, silhouette
from vaserl.synthetic.mesh import build_mesh, to_glb
from vaserl.synthetic.ornament import HANDS, band, motif
from vaserl.synthetic.paint import CLAY, HEIGHT, WIDTH, paint
from vaserl.synthetic.pen import BODY, coverage
from vaserl.synthetic.photograph import FLAWED, KINDS, photograph, shard_of
from vaserl.synthetic.record import facts_from, record_of
from vaserl.synthetic.shapes import SHAPES
from vaserl.synthetic.vase import DATES, FABRICS, SLIMNESS, TECHNIQUES, VaseTraits, sample_traits
from vaserl.synthetic.world import P_OF_SERIES, build_world, kinds_of, series_of, traits_of
from vaserl.turntable import Turntable, load_mesh

BLANK = Image.new("RGB", (8, 8), (128, 128, 128))


@pytest.fixture(scope="module")
def turntable() -> Iterator[Turntable]:
    with Turntable(resolution=112) as table:
        yield table


@pytest.fixture(scope="module")
def traits() -> VaseTraits:
    return sample_traits(np.random.default_rng(7))


@pytest.fixture(scope="module")
def worlds(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same world made twice, in this process and by two others."""
    there = tmp_path_factory.mktemp("worlds") / "there"
    build_world(there, num_vases=6, seed=3, num_workers=2)
    return world, there


def with_facts(traits: VaseTraits, **facts: object) -> VaseTraits:
    return replace(traits, facts=replace(traits.facts, **facts))  # type: ignore[arg-type]


def heights_above(mesh: trimesh.Trimesh, x: float, z: float) -> np.ndarray:
    """Where the vertical line through (x, z) pierces the surface, highest first: barycentric, in the ground plane."""
    a, b, c = (mesh.triangles[:, k] for k in range(3))
    twice_area = (b[:, 0] - a[:, 0]) * (c[:, 2] - a[:, 2]) - (c[:, 0] - a[:, 0]) * (b[:, 2] - a[:, 2])
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = ((x - a[:, 0]) * (c[:, 2] - a[:, 2]) - (c[:, 0] - a[:, 0]) * (z - a[:, 2])) / twice_area
        gamma = ((b[:, 0] - a[:, 0]) * (z - a[:, 2]) - (x - a[:, 0]) * (b[:, 2] - a[:, 2])) / twice_area
        hit = (beta >= 0) & (gamma >= 0) & (beta + gamma <= 1)
        heights = a[:, 1] + beta * (b[:, 1] - a[:, 1]) + gamma * (c[:, 1] - a[:, 1])
    return np.sort(heights[hit])[::-1]


# ---- the vocabulary


def test_the_world_is_as_large_as_promised() -> None:
    assert len(SHAPES) >= 10
    assert len(FABRICS) == 4
    assert len(TECHNIQUES) == 3
    assert len(SUBJECTS) == 12
    assert len(HANDS) == 6
    assert len(DATES) == len(SLIMNESS) >= 5


def test_dates_follow_each_other_without_gap_or_overlap() -> None:
    assert all(first[1] == second[0] for first, second in pairwise(DATES))


@pytest.mark.parametrize("first, second", list(combinations(CLAY, 2)))
def test_clays_are_told_apart(first: str, second: str) -> None:
    """Far beyond what the firing (a standard deviation of 5 levels) or a colour cast of 1.5 % can blur."""
    assert np.linalg.norm(np.subtract(CLAY[first], CLAY[second])) > 50


@pytest.mark.parametrize("first, second", list(combinations(SUBJECTS, 2)))
def test_subjects_differ_in_mass(first: str, second: str) -> None:
    """Reduced to 24 x 24, as in a small picture, any two silhouettes differ on a tenth of the pixels and more."""
    small = [coverage(silhouette(subject), 24, 24)[..., 1:].sum(axis=-1) for subject in (first, second)]
    assert np.abs(small[0].astype(int) - small[1]).mean() / 255 > 0.1


@pytest.mark.parametrize("first, second", list(combinations(HANDS, 2)))
def test_ornaments_differ(first: str, second: str) -> None:
    bands = [band(hand, 16, 256, 20.0).astype(int) for hand in (first, second)]
    assert np.abs(bands[0] - bands[1]).mean() / 255 > 0.08


@given(hand=st.sampled_from(HANDS), width=st.integers(200, 800), around=st.floats(4.0, 60.0))
def test_ornament_covers_every_pixel_once(hand: str, width: int, around: float) -> None:
    covered = band(hand, 12, width, around)
    assert covered.shape == (12, width, 5)
    assert np.abs(covered.sum(axis=-1, dtype=int) - 255).max() <= 3  # shares of the layers add up to one


def test_motifs_tile_without_a_seam() -> None:
    """Where paint touches the right edge it goes on at the left edge."""
    for hand in HANDS:
        canvas = motif(hand) == BODY
        assert (canvas[:, 0] == canvas[:, -1]).mean() > 0.9, hand


# ---- shapes


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_profiles_rise_from_the_foot_to_the_lip(shape) -> None:
    outside = shape.outside()
    assert outside[0, 1] == 0.0
    assert outside[-1, 1] == 1.0
    assert (np.diff(outside[:, 1]) >= -1e-9).all()
    assert (outside[:, 0] > 0).all()
    assert 0 < shape.frieze[0] < shape.frieze[1] < shape.ornaments[0][1]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_closed_at_the_foot_and_open_at_the_mouth(shape, traits: VaseTraits) -> None:
    mesh = build_mesh(with_facts(traits, shape=shape.name), BLANK)
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces)  # merges the texture's seam
    assert solid.is_watertight
    assert solid.volume > 0
    hits = heights_above(solid, x=1e-4, z=2e-4)
    # looking down the axis we pass the mouth, meet the floor, and leave through the underside: nothing else
    assert len(hits) == 2
    assert hits[0] == pytest.approx(shape.floor * traits.slimness, abs=0.03)
    assert hits[1] == pytest.approx(0.012, abs=0.01)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_stored_normals_agree_with_the_surface(shape, traits: VaseTraits) -> None:
    mesh = build_mesh(with_facts(traits, shape=shape.name), BLANK)
    at_faces = mesh.vertex_normals[mesh.faces].mean(axis=1)
    agreement = (at_faces * mesh.face_normals).sum(axis=1)
    assert np.average(agreement > 0.7, weights=mesh.area_faces) > 0.95


@pytest.mark.parametrize("first, second", list(combinations(range(len(SHAPES)), 2)))
def test_shapes_differ_in_silhouette(first: int, second: int, silhouettes: list[np.ndarray]) -> None:
    union = (silhouettes[first] | silhouettes[second]).sum()
    assert (silhouettes[first] ^ silhouettes[second]).sum() / union > 0.09


@pytest.fixture(scope="module")
def silhouettes(traits: VaseTraits, turntable: Turntable) -> list[np.ndarray]:
    """bool [H, W] from the front, handles and all, at equal slimness."""
    white = (1.0, 1.0, 1.0)
    meshes = [build_mesh(with_facts(replace(traits, slimness=1.0), shape=shape.name), BLANK) for shape in SHAPES]
    return [turntable.shoot(mesh, [(0.0, 5.0)], background=white)[0].min(axis=-1) < 250 for mesh in meshes]


def test_dates_show_in_the_proportions(traits: VaseTraits) -> None:
    ratios = []
    for slimness in SLIMNESS:
        mesh = build_mesh(with_facts(replace(traits, slimness=slimness), shape="SKYPHOS"), BLANK)
        ratios.append(mesh.extents[1] / mesh.extents[2])
    steps = np.array(ratios[1:]) / np.array(ratios[:-1])
    assert (steps > 1.12).all()  # the potter's own tremor is at most 5 % to either side, 2 % as a rule


# ---- paint and files


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("fabric", FABRICS)
def test_fabric_and_technique_show_in_the_colours(fabric: str, technique: str, traits: VaseTraits) -> None:
    """In the frieze black-figure is mostly clay, red-figure mostly slip, white-ground mostly white."""
    facts = {"fabric": fabric, "technique": technique, "shape": "AMPHORA, NECK", "decoration": "HORSE"}
    pixels = np.asarray(paint(with_facts(traits, **facts)), float)
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    frieze = pixels[160:225].reshape(-1, 3)
    expected = {"BLACK-FIGURE": CLAY[fabric], "RED-FIGURE": (38, 30, 27), "WHITE-GROUND": (242, 236, 222)}[technique]
    assert (np.linalg.norm(frieze - expected, axis=1) < 60).mean() > 0.5


def test_texture_has_no_seam(traits: VaseTraits) -> None:
    """Left and right edge meet at the back: they differ no more than neighbouring columns do."""
    pixels = np.asarray(paint(traits), float)
    inner = np.abs(np.diff(pixels, axis=1)).mean(axis=(0, 2))
    assert np.abs(pixels[:, 0] - pixels[:, -1]).mean() <= inner.max()


def test_glb_loads_with_its_texture_and_stands_upright(traits: VaseTraits, tmp_path: Path) -> None:
    mesh = build_mesh(with_facts(traits, shape="LEKYTHOS"), paint(traits))
    (tmp_path / "a.glb").write_bytes(to_glb(mesh))
    scene = load_mesh(tmp_path / "a.glb")
    (part,) = scene.geometry.values()
    assert part.visual.material.baseColorTexture.size == (WIDTH, HEIGHT)
    assert part.visual.uv.shape == (len(part.vertices), 2)
    assert scene.extents[1] == pytest.approx(traits.slimness, rel=0.01)
    assert scene.extents[1] > 1.5 * scene.extents[0]  # a lekythos is tall: y is up
    assert scene.bounds[0, 1] == pytest.approx(0.0, abs=1e-6)


def test_same_traits_same_bytes(traits: VaseTraits) -> None:
    first, second = (to_glb(build_mesh(traits, paint(traits))) for _ in range(2))
    assert first == second
    other = replace(traits, paint_seed=traits.paint_seed + 1)
    assert to_glb(build_mesh(other, paint(other))) != first


# ---- records and distribution


@given(seed=st.integers(0, 2**32))
def test_a_record_says_what_the_vase_is(seed: int) -> None:
    traits = sample_traits(np.random.default_rng(seed))
    record = record_of("v00042", 42, traits)
    assert facts_from(json.loads(json.dumps(record))) == traits.facts
    assert record["id"] == "v00042"
    assert all(isinstance(value, str) and value for value in record.values())


def test_record_has_the_form_of_the_archive(traits: VaseTraits) -> None:
    facts = {
        "fabric": "ATHENIAN",
        "technique": "BLACK-FIGURE",
        "shape": "AMPHORA, NECK",
        "dating": (-525, -500),
        "decoration": "HORSE",
        "attribution": "ANTIMENES P",
    }
    record = record_of("v00042", 42, replace(with_facts(traits, **facts), provenance=None, height_cm=31.5))
    assert {name: record[name] for name in record if name not in ("URI", "Collection Record")} == {
        "id": "v00042",
        "Vase Number": "9000042",
        "Fabric": "ATHENIAN",
        "Technique": "BLACK-FIGURE",
        "Shape Name": "AMPHORA, NECK",
        "Date": "-525 to -500",
        "Attributed To": "ANTIMENES P by BEAZLEY",
        "Decoration": "A,B: HORSE",
        "Measurements": "HEIGHT 31.5 CM",
    }


@pytest.mark.parametrize("field, value", [("Fabric", "MARTIAN"), ("Date", "last week"), ("Decoration", "TEAPOT")])
def test_records_from_elsewhere_are_refused(traits: VaseTraits, field: str, value: str) -> None:
    with pytest.raises(ValueError, match=value):
        facts_from(record_of("v0", 0, traits) | {field: value})


def test_distribution_is_skewed_and_correlated() -> None:
    sample = [traits_of(0, index) for index in range(2000)]
    facts = [traits.facts for traits in sample]
    fabrics = Counter(fact.fabric for fact in facts)
    assert 0.5 < fabrics["ATHENIAN"] / 2000 < 0.66
    for values, name in ((SHAPES, "shape"), (SUBJECTS, "decoration"), (HANDS, "attribution"), (DATES, "dating")):
        counts = Counter(getattr(fact, name) for fact in facts)
        assert len(counts) == len(values)  # everything occurs
        assert max(counts.values()) > 1.4 * 2000 / len(values)  # nothing is uniform
        assert min(counts.values()) >= 20  # and nothing too rare to be learned
    early, late = ([f for f in facts if f.dating == date and f.fabric == "ATHENIAN"] for date in (DATES[0], DATES[-1]))
    shares = [np.mean([f.technique == "BLACK-FIGURE" for f in part]) for part in (early, late)]
    assert shares[0] > 0.9
    assert shares[1] < 0.3
    eyes = [fact.decoration == "EYES" for fact in facts if fact.shape == "KYLIX"]
    assert np.mean(eyes) > 2 * np.mean([fact.decoration == "EYES" for fact in facts])
    assert 0.35 < np.mean([traits.provenance is not None for traits in sample]) < 0.45


# ---- photographs


def test_kinds_of_photographs_look_their_part(traits: VaseTraits, monkeypatch: pytest.MonkeyPatch) -> None:
    traits = with_facts(traits, shape="AMPHORA, NECK")
    mesh = build_mesh(traits, paint(traits))
    to_glb(mesh)
    with Turntable(photograph_module.RESOLUTION) as camera:
        images = {kind: photograph(camera, mesh, kind, np.random.default_rng(5)) for kind in KINDS}
        again = photograph(camera, mesh, "intact", np.random.default_rng(5))
    assert all(image.shape == (224, 224, 3) and image.dtype == np.uint8 for image in images.values())
    assert (again == images["intact"]).all()

    def sharpness(kind: str) -> float:
        grey = images[kind].astype(float).mean(axis=-1)
        return float(np.abs(np.diff(grey, axis=1)).mean() / grey.std())

    def touches_the_frame(kind: str) -> bool:
        image = images[kind].astype(int)
        border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        return bool(np.abs(border - np.median(border, axis=0)).max() > 40)

    assert sharpness("blur") < 0.6 * sharpness("intact")
    assert touches_the_frame("crop")
    assert not any(touches_the_frame(kind) for kind in ("intact", "above", "fragment", "blur"))

    def height(kind: str) -> int:
        image = images[kind].astype(int)
        rows = np.flatnonzero(np.abs(image - image[0, 0]).max(axis=(1, 2)) > 40)
        return int(rows[-1] - rows[0])

    assert height("above") < 0.93 * height("intact"), "a body seen from above is foreshortened"
    colourful = {kind: np.ptp(images[kind].astype(int), axis=-1).max() for kind in KINDS}
    assert colourful["sketch"] < 40 < colourful["intact"]


def test_a_shard_is_a_small_part_of_the_vase(traits: VaseTraits) -> None:
    mesh = build_mesh(traits, paint(traits))
    for seed in range(8):
        shard = shard_of(mesh, np.random.default_rng(seed))
        assert 0.005 < shard.area / mesh.area < 0.45
        assert shard.visual.uv.shape == (len(shard.vertices), 2)  # type: ignore[union-attr]


# ---- the whole world


def test_the_same_seed_makes_the_same_files(worlds: tuple[Path, Path]) -> None:
    here, there = ({p.relative_to(w): p.read_bytes() for p in w.rglob("*") if p.is_file()} for w in worlds)
    assert here == there


def test_a_vase_does_not_depend_on_how_many_there_are(worlds: tuple[Path, Path], tmp_path: Path) -> None:
    build_world(tmp_path / "small", num_vases=2, seed=3, num_workers=1)
    for path in (tmp_path / "small" / "models").iterdir():
        assert path.read_bytes() == (worlds[0] / "models" / path.name).read_bytes()


def test_another_seed_makes_another_world(worlds: tuple[Path, Path], tmp_path: Path) -> None:
    other = build_world(tmp_path / "other", num_vases=1, seed=4, num_workers=1)
    assert other.content_hash != json.loads((worlds[0] / "world.json").read_text())["content_hash"]
    assert (tmp_path / "other/models/v00000.glb").read_bytes() != (worlds[0] / "models/v00000.glb").read_bytes()


def test_lists_and_files_agree(worlds: tuple[Path, Path]) -> None:
    world = worlds[0]
    records = [json.loads(line) for line in (world / "records.jsonl").read_text().splitlines()]
    lines = [json.loads(line) for line in (world / "photographs.jsonl").read_text().splitlines()]
    summary = json.loads((world / "world.json").read_text())
    assert [record["id"] for record in records] == [f"v{k:05d}" for k in range(6)]
    assert [facts_from(record) for record in records] == [traits_of(3, k).facts for k in range(6)]
    assert {line["file"] for line in lines} == {str(p.relative_to(world)) for p in world.glob("photographs/*.png")}
    assert {p.stem for p in world.glob("models/*.glb")} == {record["id"] for record in records}
    assert summary["num_photographs"] == len(lines) == sum(summary["num_by_kind"].values())
    for line in lines:
        assert line["label_intact"] == (0 if line["kind"] == "fragment" else 1)
        assert line["label_quality"] == (1 if line["kind"] in ("intact", "above", "fragment") else 0)
        with Image.open(io.BytesIO((world / line["file"]).read_bytes())) as image:
            assert (image.size, image.mode) == ((224, 224), "RGB")


def test_most_vases_have_a_good_photograph_and_one_flawed() -> None:
    kinds = [kinds_of(np.random.default_rng(seed)) for seed in range(3000)]
    good = np.array([k.count("intact") for k in kinds])
    flawed = np.array([len(k) for k in kinds]) - good
    assert min(len(k) for k in kinds) == 1
    assert np.mean(good > 0) == pytest.approx(0.97, abs=0.012)
    assert good.max() == 3
    # 0.3 * 0 + 0.4 * 1 + 0.3 * 2 = 1, and the 3 % without a good one never have none: 1 + 0.03 * 0.3
    assert flawed.mean() == pytest.approx(1.009, abs=0.05)
    assert set(Counter(kind for k in kinds for kind in k)) == {"intact", *FLAWED}


def test_a_series_has_so_many_views_of_the_stated_kinds(tmp_path: Path) -> None:
    drawn = Counter(kind for seed in range(1000) for kind in series_of(5, np.random.default_rng(seed)))
    for kind, share in P_OF_SERIES.items():
        # binomial over 5,000: at most 0.007, so four standard deviations
        assert drawn[kind] / 5000 == pytest.approx(share, abs=0.028)
    summary = build_world(tmp_path / "w", num_vases=2, seed=0, num_workers=1, num_views=5)
    assert summary.num_photographs == 10 and summary.num_views == 5
    assert len(list((tmp_path / "w" / "photographs").glob("v00001_*.png"))) == 5
    with pytest.raises(UserError, match=r"num_views 5, seed 0.*num_views None"):
        build_world(tmp_path / "w", num_vases=2, seed=0)
    with pytest.raises(UserError, match="num_views is 0"):
        build_world(tmp_path / "v", num_vases=2, seed=0, num_views=0)


def test_an_existing_world_is_kept_and_another_is_not_overwritten(worlds: tuple[Path, Path], tmp_path: Path) -> None:
    before = (worlds[0] / "world.json").stat().st_mtime_ns
    summary = build_world(worlds[0], num_vases=6, seed=3)
    assert summary.num_vases == 6
    assert (worlds[0] / "world.json").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="seed 3"):
        build_world(worlds[0], num_vases=6, seed=4)
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="no complete world"):
        build_world(tmp_path, num_vases=1, seed=0)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_progress_is_told_and_an_interrupted_build_leaves_no_world(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def stop_at_two(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_world(tmp_path / "w", num_vases=3, seed=0, num_workers=1, progress=stop_at_two)
    assert seen == [(1, 3), (2, 3)]
    assert not (tmp_path / "w").exists()
    build_world(tmp_path / "w", num_vases=3, seed=0, num_workers=1)  # starts over without a word about the remains
    assert (tmp_path / "w" / "world.json").is_file()
    assert not (tmp_path / "w.partial").exists()


def test_a_world_of_no_vases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="num_vases is 0"):
        build_world(tmp_path / "w", num_vases=0, seed=0)
