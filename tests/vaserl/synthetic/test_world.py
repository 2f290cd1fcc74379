"""Tests the synthetic world: sampled traits, records, and the folder."""

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.fakes.synthetic_vases import with_facts
from vaserl.errors import UserError
from vaserl.synthetic.figures import SUBJECTS
from vaserl.synthetic.ornament import HANDS
from vaserl.synthetic.photograph import FLAWED
from vaserl.synthetic.record import SIDES, beazley_record
from vaserl.synthetic.shapes import SHAPES
from vaserl.synthetic.vase import DATES, PaintedFacts, VaseTraits, sample_traits
from vaserl.synthetic.world import P_OF_SERIES, build_world, kinds_of, series_of, traits_of


@pytest.fixture(scope="module")
def worlds(world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Returns two folders of one world, written by this process alone and by two other processes."""
    there = tmp_path_factory.mktemp("worlds") / "there"
    build_world(there, num_vases=6, seed=3, num_workers=2)
    return world, there


def painted_facts(record: dict[str, str]) -> PaintedFacts:
    """Reads the facts back from a record."""
    first, last = record["Date"].split(" to ")
    return PaintedFacts(
        fabric=record["Fabric"],
        technique=record["Technique"],
        shape=record["Shape Name"],
        dating=(int(first), int(last)),
        decoration=record["Decoration"].removeprefix(SIDES),
        attribution=record["Attributed To"].removesuffix(" by BEAZLEY"),
    )


@given(seed=st.integers(0, 2**32))
def test_beazley_record_states_the_facts_of_the_vase(seed: int) -> None:
    traits = sample_traits(np.random.default_rng(seed))
    record = beazley_record("v00042", 42, traits)
    assert painted_facts(json.loads(json.dumps(record))) == traits.facts
    assert record["id"] == "v00042"
    assert all(isinstance(value, str) and value for value in record.values())


def test_beazley_record_has_the_form_of_the_archive(traits: VaseTraits) -> None:
    facts = {
        "fabric": "ATHENIAN",
        "technique": "BLACK-FIGURE",
        "shape": "AMPHORA, NECK",
        "dating": (-525, -500),
        "decoration": "HORSE",
        "attribution": "ANTIMENES P",
    }
    record = beazley_record("v00042", 42, replace(with_facts(traits, **facts), provenance=None, height_cm=31.5))
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


def test_sample_traits_is_skewed_and_correlated() -> None:
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


@pytest.mark.slow
def test_build_world_same_seed_same_files(worlds: tuple[Path, Path]) -> None:
    here, there = ({p.relative_to(w): p.read_bytes() for p in w.rglob("*") if p.is_file()} for w in worlds)
    assert here == there


def test_build_world_a_vase_does_not_depend_on_their_number(worlds: tuple[Path, Path], tmp_path: Path) -> None:
    build_world(tmp_path / "small", num_vases=2, seed=3, num_workers=1)
    for path in (tmp_path / "small" / "models").iterdir():
        assert path.read_bytes() == (worlds[0] / "models" / path.name).read_bytes()


def test_build_world_another_seed_makes_another_world(worlds: tuple[Path, Path], tmp_path: Path) -> None:
    other = build_world(tmp_path / "other", num_vases=1, seed=4, num_workers=1)
    assert other.content_hash != json.loads((worlds[0] / "world.json").read_text())["content_hash"]
    assert (tmp_path / "other/models/v00000.glb").read_bytes() != (worlds[0] / "models/v00000.glb").read_bytes()


def test_build_world_lists_and_files_agree(worlds: tuple[Path, Path]) -> None:
    world = worlds[0]
    records = [json.loads(line) for line in (world / "records.jsonl").read_text().splitlines()]
    lines = [json.loads(line) for line in (world / "photographs.jsonl").read_text().splitlines()]
    summary = json.loads((world / "world.json").read_text())
    assert [record["id"] for record in records] == [f"v{k:05d}" for k in range(6)]
    assert [painted_facts(record) for record in records] == [traits_of(3, k).facts for k in range(6)]
    assert {line["file"] for line in lines} == {str(p.relative_to(world)) for p in world.glob("photographs/*.png")}
    assert {p.stem for p in world.glob("models/*.glb")} == {record["id"] for record in records}
    assert summary["num_photographs"] == len(lines) == sum(summary["num_by_kind"].values())
    for line in lines:
        assert line["label_intact"] == (0 if line["kind"] == "fragment" else 1)
        assert line["label_quality"] == (1 if line["kind"] in ("intact", "above", "fragment") else 0)
        with Image.open(io.BytesIO((world / line["file"]).read_bytes())) as image:
            assert (image.size, image.mode) == ((224, 224), "RGB")


def test_kinds_of_most_vases_have_a_good_photograph_and_one_flawed() -> None:
    kinds = [kinds_of(np.random.default_rng(seed)) for seed in range(3000)]
    good = np.array([k.count("intact") for k in kinds])
    flawed = np.array([len(k) for k in kinds]) - good
    assert min(len(k) for k in kinds) == 1
    assert np.mean(good > 0) == pytest.approx(0.97, abs=0.012)
    assert good.max() == 3
    # 0.3 * 0 + 0.4 * 1 + 0.3 * 2 = 1, and the 3 % without a good one never have none: 1 + 0.03 * 0.3
    assert flawed.mean() == pytest.approx(1.009, abs=0.05)
    assert set(Counter(kind for k in kinds for kind in k)) == {"intact", *FLAWED}


def test_series_of_has_the_number_of_views_and_the_stated_kinds(tmp_path: Path) -> None:
    drawn = Counter(kind for seed in range(1000) for kind in series_of(5, np.random.default_rng(seed)))
    for kind, share in P_OF_SERIES.items():
        # binomial over 5,000: at most 0.007, so four standard deviations
        assert drawn[kind] / 5000 == pytest.approx(share, abs=0.028)
    summary = build_world(tmp_path / "w", num_vases=2, seed=0, num_workers=1, num_views=5)
    assert summary.num_photographs == 10 and summary.num_views == 5
    assert len(list((tmp_path / "w" / "photographs").glob("v00001_*.png"))) == 5
    with pytest.raises(UserError, match=r"num_views 5, seed 0.*num_views None"):
        build_world(tmp_path / "w", num_vases=2, seed=0)
    with pytest.raises(UserError, match="num_views must be at least 1, got 0"):
        build_world(tmp_path / "v", num_vases=2, seed=0, num_views=0)


def test_build_world_keeps_an_existing_world_and_overwrites_no_other(worlds: tuple[Path, Path], tmp_path: Path) -> None:
    before = (worlds[0] / "world.json").stat().st_mtime_ns
    summary = build_world(worlds[0], num_vases=6, seed=3)
    assert summary.num_vases == 6
    assert (worlds[0] / "world.json").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="seed 3"):
        build_world(worlds[0], num_vases=6, seed=4)
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="not a complete collection"):
        build_world(tmp_path, num_vases=1, seed=0)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_build_world_reports_progress_and_leaves_no_world_when_interrupted(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def stop_at_two(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_world(tmp_path / "w", num_vases=3, seed=0, num_workers=1, progress=stop_at_two)
    assert seen == [(1, 3), (2, 3)]
    assert not (tmp_path / "w").exists()
    build_world(tmp_path / "w", num_vases=1, seed=0, num_workers=1)  # starts over and removes the partial folder
    assert (tmp_path / "w" / "world.json").is_file()
    assert not (tmp_path / "w.partial").exists()


def test_build_world_rejects_a_world_without_vases(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="num_vases must be at least 1, got 0"):
        build_world(tmp_path / "w", num_vases=0, seed=0)
