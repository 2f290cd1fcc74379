"""Tests the declarations of stages: a stage of the tests passes the whole job, and rules for every declaration."""

import ast
import json
import logging
import tomllib
from pathlib import Path

import pydantic
import pytest
from PIL import Image

from tests.fakes.curation_here import curated
from tests.fakes.glaze_stage import GLAZE
from vaserl.curation.job.batch import batch_of
from vaserl.curation.job.journal import Journal, key_after
from vaserl.curation.job.shards import source_shards
from vaserl.curation.outcome.why import why
from vaserl.curation.pipeline import PIPELINE, Pipeline
from vaserl.curation.settings import CurateSettings
from vaserl.curation.source import read_photograph_source
from vaserl.curation.stage import StageContext
from vaserl.curation.stages.best_view import BEST_VIEW
from vaserl.curation.stages.questions import QUESTIONS
from vaserl.curation.stages.source import SOURCE
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.settings.section import Section, extra_class, load_config, section_class

ROOT = Path(__file__).parents[3]
WITH_GLAZE = Pipeline(filters=((SOURCE,), (GLAZE,)), choice=BEST_VIEW, lift=((QUESTIONS,),))


@pytest.fixture
def museum(tmp_path: Path) -> Path:
    folder = tmp_path / "museum"
    folder.mkdir()
    for name, colour in {"bright_1": "white", "bright_2": "black", "dark_1": "black"}.items():
        Image.new("RGB", (8, 8), colour).save(folder / f"{name}.png")
    records = [{"id": name, "Fabric": "ATHENIAN"} for name in ("bright", "dark")]
    (folder / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def settings(source: Path, dataset: Path, **sections) -> CurateSettings:
    fixed = {"dataset": dataset, "source": {"path": source}, "journal": {"num_rows": 2}, "card": {"num_pictured": 0}}
    return CurateSettings.model_validate(fixed | sections)


def test_pipeline_stage_of_the_tests_own_shows_in_retention_why_and_card(museum, tmp_path, caplog):
    dataset = tmp_path / "vases"
    summary = curated(settings(museum, dataset, split={"test_share": 0.0}), WITH_GLAZE)
    counts = {entry["stage"]: (entry["in"], entry["out"]) for entry in summary.retention}
    assert counts == {"source": (3, 3), "glaze": (3, 1), "best_view": (1, 1), "questions": (1, 1)}
    story = why(DataSet(dataset), "bright", WITH_GLAZE)
    assert "glaze      passed: gloss 1.000\n" in story
    assert "glaze      rejected it: a gloss of 0.000, needed 0.5" in story
    assert "questions  asked for fabric" in story
    card = (dataset / "DATASET.md").read_text()
    assert "| glaze | 3 | 1 | 33.3% | | | |" in card and "| glaze | a gloss of …, needed … | 2 |" in card
    assert sorted(path.name for path in (dataset / ".work").iterdir()) == ["glaze", "input", "questions", "source"]
    (museum / "bright_1.png").unlink()
    with caplog.at_level(logging.WARNING):
        curated(settings(museum, dataset), WITH_GLAZE)
    assert "glaze rejected all 2 photographs that reached it, the best of them for" in caplog.text
    assert "Look at the light of the photographs" in caplog.text


def test_pipeline_check_names_a_pool_that_does_not_exist(tmp_path):
    for name, message in (("turntable", "turntable runs in the pool of an earlier stage"), ("lifts", "unknown pool")):
        chosen = settings(tmp_path, tmp_path, pool={name: {"num_workers": 2}})
        with pytest.raises(
            UserError, match=rf"pool\.{name}: .*{message}.*known pools: source, quality, intact, shown, lift"
        ):
            PIPELINE.check(StageContext(settings=chosen))


def test_pipeline_pools_take_their_own_values_over_those_of_all_over_the_defaults(tmp_path):
    chosen = settings(tmp_path, tmp_path, pool={"batch_size": 7, "lift": {"batch_size": 3}}, quality={"enabled": False})
    context = StageContext(settings=chosen)
    (source, intact), (lift,) = PIPELINE.filter_pools(context), PIPELINE.lift_pools(context)
    assert [pool.settings.batch_size for pool in (source, intact, lift)] == [7, 7, 3]
    assert (lift.settings.num_workers, lift.settings.timeout_s) == (2, 1800)
    assert [stage.name for stage in lift.stages] == ["lift", "mesh_gate", "turntable", "describe", "questions"]


def test_pipeline_network_looks_where_no_clip_model_does(tmp_path):
    def filters(**sections) -> list[str]:
        chosen = settings(tmp_path, tmp_path, quality={"enabled": False}, **sections)
        return [pool.stages[0].name for pool in PIPELINE.filter_pools(StageContext(settings=chosen))]

    assert filters() == ["source", "intact"]
    assert filters(intact={"enabled": False}) == ["source", "shown"]


def test_stages_declare_what_the_others_read():
    earlier: set[str] = set()
    for stage in PIPELINE.stages:
        assert {column.name for column in stage.reads} <= earlier, stage.name
        earlier |= {column.name for column in stage.columns}
    for stage in PIPELINE.stages:
        section = CurateSettings.model_fields[stage.section].annotation if stage.section else None
        fields = section.model_fields if isinstance(section, type) and issubclass(section, Section) else {}
        assert ("enabled" in fields) == stage.can_be_off, stage.name
        assert all(measure.limit in fields for measure in stage.measures), stage.name
    names = [column.name for stage in PIPELINE.stages for column in stage.columns]
    assert {name for name in names if names.count(name) > 1} == {"silhouette_iou"}, "the mesh gate completes it"


SPELLED_ELSEWHERE = {
    "launch/bench/filters.py": {"*": "columns of a labelled list, and keys of the measurement"},
    "launch/bench/judge.py": {"intact": "a kind of photograph"},
    "launch/bench/lathe.py": {"intact": "a kind of photograph"},
    "launch/bench/subject.py": {"questions": "a column of the manifest"},
    "vaserl/runs/quickstart_folder.py": {"quality": "a folder of the quick start's models"},
    "vaserl/commands/import_published.py": {"source": "an argument of the command"},
    "vaserl/curation": {"questions": "a column of the manifest"},
    "vaserl/curation/finish.py": {"lift": "a pass, in curation.json"},
    "vaserl/curation/outcome/summary.py": {"best_view": "a key of curation.json"},
    "vaserl/curation/settings/filters.py": {"intact": "a key of the section of that name"},
    "vaserl/curation/stages/best_view.py": {"intact": "a kind of photograph"},
    "vaserl/dataset": {"questions": "a column of the manifest"},
    "vaserl/meshes/gltf/pictures.py": {"source": "a key of glTF"},
    "vaserl/report": {"*": "the paper's stages, and keys of the page; the room may not import curation"},
    "vaserl/rewards/vase/lexicon.py": {"source": "a column of the lexicons"},
    "vaserl/synthetic": {"intact": "a kind of photograph"},
}
"""Other things with the name of a stage: by file or folder, the word and what it means there."""


def strings_of(path: Path) -> set[str]:
    """Returns all string constants of a module; settings' keys given as keyword arguments are none."""
    return {
        n.value
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }


def is_excused(path: str, word: str) -> bool:
    """Tells whether SPELLED_ELSEWHERE lists the word for that file or its folder."""
    return any(path.startswith(place) and {word, "*"} & words.keys() for place, words in SPELLED_ELSEWHERE.items())


def test_stage_names_are_spelled_in_their_own_file_only():
    found = {}
    for layer in ("vaserl", "actors", "launch"):
        for path in sorted((ROOT / layer).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            own = Path(name).stem if name.startswith("vaserl/curation/stages/") else ""
            words = {w for w in strings_of(path) & set(PIPELINE.names) if w != own and not is_excused(name, w)}
            if words:
                found[name] = sorted(words)
    assert not found


def leaf_keys(kind: type[Section]) -> int:
    """Returns the keys of a config; a mapping counts as one key."""
    count = int(extra_class(kind) is not None)
    for field in kind.model_fields.values():
        section = section_class(field.annotation)
        count += leaf_keys(section) if section is not None else 1
    return count


def test_curate_settings_have_at_most_80_keys():
    assert leaf_keys(CurateSettings) <= 80


OLD_CONFIG = """
dataset = "/nowhere"
[source]
path = "/nowhere"
pool = { num_workers = 2 }
[clip]
path = "models/clip"
[quality]
threshold = 0.5
pool = { num_workers = 2 }
[lift]
command = ["x", "{photo}", "{glb}"]
[describe.llm]
path = "x"
pool = { num_gpus = 1 }
"""


def test_old_layout_config_names_the_new_keys(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text(OLD_CONFIG)
    with pytest.raises(UserError) as caught:
        load_config(CurateSettings, path)
    for old, new in {
        "clip": "[open_clip]",
        "source.pool": "[pool.source]",
        "quality.pool": "[pool.quality]",
        "lift.command": "lift.generator_args.command",
        "describe.llm.pool": "[pool.describe]",
    }.items():
        assert f"key {old!r} is of an earlier version; use {new} instead" in str(caught.value)
    assert "config.toml:6: key 'clip'" in str(caught.value)


def test_old_layout_finished_shards_are_counted_and_never_reused(museum, tmp_path):
    """Uses a data set of the previous version: settings with old keys, and shards with keys of that version."""
    dataset = tmp_path / "vases"
    journal, chosen = Journal(dataset), settings(museum, dataset)
    (shard, _) = source_shards(read_photograph_source(chosen.source), journal, 2)
    row = {"photo": "a", "rejected_by": "source", "reason": "of an earlier version"}
    journal.write("source", "0" * 32, batch_of([row]))
    (dataset / "config.toml").write_text(OLD_CONFIG)
    assert journal.adopt() == 3, "two of the input, one of a stage"
    assert journal.adopt() == 0
    (source, *_) = WITH_GLAZE.filter_pools(StageContext(settings=chosen))
    assert not journal.has("source", key_after(shard.key, source.stages))
    curated(chosen, WITH_GLAZE)
    assert "an earlier version" not in why(DataSet(dataset), "bright", WITH_GLAZE)
    config = tomllib.loads((dataset / "config.toml").read_text())
    assert "open_clip" in config and "clip" not in config


def test_lift_settings_validate_the_generators_options(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = {"dataset": "/nowhere", "source": {"path": "/nowhere"}}
    lift = {"generator": "triposg", "generator_args": {"checkout": "x", "weights": "/y", "num_steps": 20}}
    assert CurateSettings.model_validate({**base, "lift": lift}).lift.generator_args == {
        "checkout": str(tmp_path / "x"),
        "weights": "/y",
        "num_steps": 20,
    }
    for generator, wrong, message in (
        ("triposg", {"checkout": "x", "weights": "y", "steps": 1}, "steps: Extra inputs"),
        ("command", {"command": ["x"]}, r"must contain \{photo\} and \{glb\}"),
        ("given", {"path": "models/v.glb"}, r"must contain \{vase_id\}"),
        ("given", {}, "path: Field required"),
        ("lathe", {"path": "x"}, 'options of generator = "lathe": cutout'),
    ):
        lift = {"generator": generator, "generator_args": wrong}
        with pytest.raises(pydantic.ValidationError, match=message):
            CurateSettings.model_validate({**base, "lift": lift})
