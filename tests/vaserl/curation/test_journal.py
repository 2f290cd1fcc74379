"""Tests finished shards: their keys, and when they are valid."""

import importlib
import json
import os
import shutil
import sys

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest

from tests.fakes.curation_stages import KeepAll, over_batches
from tests.fakes.curation_stages import prepared as stage_of
from vaserl.curation.job import prepared, views
from vaserl.curation.job.batch import INPUT_COLUMNS, batch_of, rejecting, rows_of, with_column
from vaserl.curation.job.isolated import Effort, Limits
from vaserl.curation.job.journal import Journal, key_after
from vaserl.curation.job.shard_worker import ShardWorker
from vaserl.curation.job.shards import Choice, Shard, lift_shards, source_shards
from vaserl.curation.job.views import choose_views
from vaserl.curation.outcome.outcomes import Outcomes
from vaserl.curation.settings import CurateSettings, DescribeSettings, LiftSettings
from vaserl.curation.stage import StageContext
from vaserl.curation.stages.best_view import BEST_VIEW, BestView
from vaserl.curation.stages.lift import LIFT, MESH, place_of_given
from vaserl.curation.stages.questions import QUESTIONS_COLUMN, Questions
from vaserl.curation.stages.turntable import CLIP
from vaserl.curation.stamps import file_stamps
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.files import UNFINISHED


def rows(*photos: str, **columns) -> list[dict]:
    record = json.dumps({"Fabric": "ATHENIAN"})
    blank = dict.fromkeys(INPUT_COLUMNS, "") | {"record": record, "view": "1"}
    return [blank | {"photo": photo, "vase_id": photo.split("_")[0]} | columns for photo in photos]


def passed(journal: Journal, some: list[dict], num_rows: int, step: str = "intact") -> list[Shard]:
    """Writes rows as the finished shards of a pass. Returns: the shards."""
    shards = []
    for number, start in enumerate(range(0, len(some), num_rows)):
        part = some[start : start + num_rows]
        journal.write(step, f"{number:032x}", batch_of(part))
        shards.append(
            Shard(number=number, file="", rows=None, columns=None, num_rows=len(part), key=f"{number:032x}", step=step)
        )
    return shards


def test_journal_returns_a_shard_as_it_was(tmp_path):
    journal = Journal(tmp_path)
    whole = {"photo": "a", "score": 0.5, "rejected_by": ""}
    batch = batch_of([whole, {"photo": "ü", "score": float("nan"), "rejected_by": "x"}])
    assert not journal.has("quality", "k")
    journal.write("quality", "k", batch)
    assert journal.has("quality", "k")
    back = journal.read("quality", "k")
    assert back["score"].dtype == np.float64 and np.isnan(back["score"][1]) and back["score"][0] == 0.5
    assert list(back["photo"]) == ["a", "ü"] and list(back["rejected_by"]) == ["", "x"]
    assert not list(journal.path("quality", "k").parent.glob(".*"))
    assert journal.path("quality", "k").stat().st_mode & 0o777 == 0o644, "other users' jobs may go on from it"


def test_journal_shard_holds_while_its_models_and_clips_are_unchanged(tmp_path):
    journal, mesh, clip = Journal(tmp_path), tmp_path / "models/a.glb", tmp_path / "clips/c1.mp4"
    for file in (mesh, clip):
        file.parent.mkdir()
        file.write_bytes(b"12345")
    files = {column.name: column.file for column in (MESH, CLIP)}
    journal.write("turntable", "k", batch_of([{"mesh": "models/a.glb", "clip": "c1"}, {"mesh": "", "clip": ""}]), files)
    assert journal.has("turntable", "k")
    mesh.write_bytes(b"54321")  # as a run with another generator would write it
    os.utime(mesh, ns=(1, 1))
    assert not journal.has("turntable", "k")
    journal.write("turntable", "k", journal.read("turntable", "k"), files)
    assert journal.has("turntable", "k")
    os.utime(clip, ns=(5, 5))  # its name is the hash of its content: another run wrote the same
    assert journal.has("turntable", "k")
    clip.unlink()
    assert not journal.has("turntable", "k")


@pytest.mark.parametrize("content", [b"", b"PAR1 torn"])
def test_journal_file_that_lost_its_content_is_not_finished(tmp_path, content):
    journal = Journal(tmp_path)
    journal.write("lift", "k", batch_of([{"photo": "a"}]))
    journal.path("lift", "k").write_bytes(content)
    assert not journal.has("lift", "k")


def test_prepare_digest_changes_with_settings_and_weights(tmp_path):
    def digest(settings=None, **depends) -> str:
        return stage_of("lift", Questions, (settings or LiftSettings(),), **depends).digest

    command = ("x", "{photo}", "{glb}")
    some, others = (
        LiftSettings(generator="command", generator_args={"command": command, "timeout_s": timeout_s})
        for timeout_s in (5.0, 6.0)
    )
    assert digest() != digest(some) != digest(others)
    models = [
        DescribeSettings.model_validate({"writer": "llm", "llm": {"path": "x", "temperature": temperature}})
        for temperature in (0.0, 1.0)
    ]
    assert digest(models[0]) != digest(models[1])
    assert digest(seed=1) != digest(seed=2)
    weights = tmp_path / "weights"
    weights.write_bytes(b"1")
    before = file_stamps(weights)
    weights.write_bytes(b"2")
    os.utime(weights, ns=(1, 1))
    assert before != file_stamps(weights) and file_stamps(None) == {}
    assert list(file_stamps(tmp_path)) == ["weights"]


def test_prepare_digest_changes_with_code_and_lexicons(tmp_path, monkeypatch):
    package = tmp_path / "vaserl"
    package.mkdir()
    for name in prepared.CODE:
        source = prepared.PACKAGE / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, package / name)
    monkeypatch.setattr(prepared, "PACKAGE", package)

    def digest() -> str:
        prepared.code_of.cache_clear()  # it is read once per process
        return stage_of("questions", Questions).digest

    seen = [digest()]
    (package / "curation" / "notes.md").write_text("says nothing of a row")
    assert digest() == seen[0]
    for name in (
        "rewards/vase/lexicon/shapes.tsv",
        "rewards/vase/lexicon/stop_words.txt",
        "files/glb.py",
        "curation/bodies/turntable.py",
    ):
        (package / name).write_text((package / name).read_text() + "\n")
        seen.append(digest())
    assert len(set(seen)) == 5


def test_prepare_digest_changes_with_code_of_a_stage_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "stage_from_elsewhere.py"
    file.write_text("def make():\n    return dict\n")
    make = importlib.import_module("stage_from_elsewhere").make
    before = stage_of("elsewhere", make).digest
    assert stage_of("elsewhere", make).digest == before
    file.write_text("def make():\n    return list\n")
    assert stage_of("elsewhere", make).digest != before


def test_shard_worker_change_of_a_later_stage_leaves_the_earlier_ones_finished(tmp_path):
    (shard,) = source_shards(pa.Table.from_pylist(rows("a_1", "b_1")), Journal(tmp_path), 8)
    limits = Limits(batch_size=8, timeout_s=60)
    first, second = stage_of("questions", Questions, columns=(QUESTIONS_COLUMN,)), stage_of("again", KeepAll, seed=1)
    worker = ShardWorker(tmp_path, [first, second], limits)
    done, efforts = worker(shard)
    worker.close()
    assert {name: effort.rows for name, effort in efforts.items()} == {"questions": 2, "again": 2}
    assert done.key == key_after(shard.key, [first, second]) != key_after("of other rows", [first, second])
    assert Journal(tmp_path).has("again", done.key)
    changed = ShardWorker(tmp_path, [first, stage_of("again", KeepAll, seed=2)], limits)
    other, efforts = changed(shard)
    changed.close()
    assert {name: effort.rows for name, effort in efforts.items()} == {"questions": 0, "again": 2}
    assert other.key != done.key
    assert len(Journal(tmp_path).stale({Journal(tmp_path).path("again", other.key)})) == 3  # input, questions, again
    assert worker(shard)[1] == {"questions": Effort(), "again": Effort()}  # and nothing was started for it


class Marking:
    """Replaces the process of the stages: each stage adds a column of its name."""

    def __init__(self, stages, limits) -> None:
        self._names = [stage.name for stage in stages]

    def run(self, index, batch, effort):
        effort.rows += 1
        return with_column(batch, self._names[index], {}, 1.0)


def test_shard_worker_goes_on_from_the_last_finished_stage(tmp_path, monkeypatch):
    monkeypatch.setattr("vaserl.curation.job.shard_worker.Isolated", Marking)
    (shard,) = source_shards(pa.Table.from_pylist(rows("a_1")), Journal(tmp_path), 8)
    stages = [stage_of(name, KeepAll) for name in ("one", "two", "three")]
    worker = ShardWorker(tmp_path, stages, Limits(batch_size=8, timeout_s=60))
    done, _ = worker(shard)
    for number in (1, 3):  # as a manual edit may leave it
        Journal(tmp_path).path(stages[number - 1].name, key_after(shard.key, stages[:number])).unlink()
    _, efforts = worker(shard)
    assert {name: effort.rows for name, effort in efforts.items()} == {"one": 1, "two": 0, "three": 1}
    (row,) = rows_of(Journal(tmp_path).read("three", done.key))
    assert [row[name] for name in ("one", "two", "three")] == [1.0, 1.0, 1.0]


def test_source_shards_added_or_changed_photographs_leave_other_shards_alone(tmp_path):
    photo = tmp_path / "c_1"
    photo.write_bytes(b"x")
    names = [str(tmp_path / name) for name in ("a_1", "b_1", "c_1", "d_1")]

    def keys(*photos: str) -> list[str]:
        return [s.key for s in source_shards(pa.Table.from_pylist(rows(*photos)), Journal(tmp_path), 2)]

    before = keys(*names)
    assert len(set(before)) == 2
    assert keys(*names, "e_1")[:2] == before
    os.utime(photo, ns=(5, 5))
    assert [new == old for new, old in zip(keys(*names), before, strict=True)] == [True, False]


def choice_without(
    journal: Journal,
    filtered: list[Shard],
    losers: dict[int, dict[int, str]],
    values: dict[int, dict[str, str]] | None = None,
) -> Choice:
    """Returns the choice of all rows that neither a filter nor the choice rejected. `values`: columns of the choice in
    the first shard's rows, by row."""
    chosen: dict[int, dict[int, dict[str, str]]] = {}
    for shard in filtered:
        for row, by in enumerate(shard.read(journal)["rejected_by"]):
            if not by and row not in losers.get(shard.number, {}):
                chosen.setdefault(shard.number, {})[row] = (values or {}).get(row, {}) if not shard.number else {}
    return Choice(losers=losers, chosen=chosen)


def test_lift_shards_hold_survivors_without_their_scores(tmp_path):
    journal = Journal(tmp_path)
    some = rows("a_1", "b_1", "c_1", "d_1", "e_1", front=0.5)
    some[1] |= {"rejected_by": "quality", "reason": "blurred"}
    filtered = passed(journal, some, 3)
    shards = lift_shards(filtered, choice_without(journal, filtered, {1: {1: "another view"}}), journal, 1)
    photos = [list(shard.read(journal)["photo"]) for shard in shards]
    assert photos == [["a_1"], ["c_1"], ["d_1"]] and [shard.number for shard in shards] == [0, 1, 2]
    assert all(set(shard.read(journal)) == set(INPUT_COLUMNS) for shard in shards)
    other = passed(journal, [row | {"front": 0.7} for row in some], 3)
    assert [s.key for s in lift_shards(other, choice_without(journal, other, {}), journal, 1)][:3] == [
        s.key for s in shards
    ]


def test_lift_shards_have_the_columns_of_the_choice_and_their_keys_depend_on_them(tmp_path):
    journal = Journal(tmp_path)
    filtered = passed(journal, rows("a_1", "b_1", "c_1"), 3)

    def shards(**added: str) -> list[Shard]:
        values = {row: {"other_views": added[name]} for row, name in enumerate("abc") if name in added}
        return lift_shards(filtered, choice_without(journal, filtered, {0: {2: "another"}}, values), journal, 2)

    (alone,), (one,), (another,) = shards(), shards(b="[1]"), shards(b="[2]")
    assert len({alone.key, one.key, another.key}) == 3
    assert set(alone.read(journal)) == set(INPUT_COLUMNS)
    assert list(one.read(journal)["other_views"]) == ["", "[1]"]
    assert shards(c="[1]")[0].key == alone.key, "of a view that was not chosen"


def test_lift_shards_change_with_a_given_model(tmp_path):
    journal = Journal(tmp_path)
    filtered = passed(journal, rows("a_1", "b_1"), 2)
    place = place_of_given(LiftSettings(generator="given", generator_args={"path": "scans/{vase_id}.glb"}), tmp_path)
    assert place is not None and place("b") == f"{tmp_path}/scans/b.glb"
    assert place_of_given(LiftSettings(), tmp_path) is None

    def keys() -> list[str]:
        return [shard.key for shard in lift_shards(filtered, choice_without(journal, filtered, {}), journal, 1, place)]

    absent = keys()
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "b.glb").write_bytes(b"glTF")
    there = keys()
    os.utime(tmp_path / "scans" / "b.glb", ns=(5, 5))
    exchanged = keys()
    assert absent[0] == there[0] == exchanged[0] and len({absent[1], there[1], exchanged[1]}) == 3
    behind_urls = [
        lift_shards(
            filtered,
            choice_without(journal, filtered, {}),
            journal,
            1,
            "memory://scans/{}.glb".format,
            {"memory://scans/b.glb": version},
        )
        for version in (["etag=1"], ["etag=2"])
    ]
    (a, b), (same_a, other_b) = ([shard.key for shard in shards] for shards in behind_urls)
    assert a == same_a and b != other_b


SIDES = ("front", "back", "left")


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=20)
def test_choose_views_chooses_as_if_all_lay_together(tmp_path_factory, data):
    journal = Journal(tmp_path_factory.mktemp("views"))
    names = [f"{vase}_{view}" for vase in "abcd" for view in range(3)]
    scores = data.draw(st.lists(st.sampled_from([0.1, 0.2, float("nan")]), min_size=12, max_size=12))
    rejected = data.draw(st.lists(st.sampled_from(["", "intact"]), min_size=12, max_size=12))
    some = [
        row | {"view": SIDES[int(row["photo"][-1])], "front": score, "rejected_by": by, "reason": by}
        for row, score, by in zip(rows(*names), scores, rejected, strict=True)
    ]
    num_rows = data.draw(st.integers(1, 12))
    with pytest.MonkeyPatch.context() as patch:
        # few rows at once, but the photographs of a vase stay together
        patch.setattr(views, "NUM_AT_ONCE", data.draw(st.sampled_from([1, 4, 4096])))
        choice = choose_views(passed(journal, some, num_rows), journal, over_batches(BEST_VIEW, BestView), ["front"])
    losers = choice.losers.items()
    chosen = {number * num_rows + row: reason for number, lost in losers for row, reason in lost.items()}
    together = rows_of(over_batches(BEST_VIEW, BestView)(batch_of(some)))
    assert chosen == {k: row["reason"] for k, row in enumerate(together) if row["rejected_by"] == "best_view"}
    values = {number * num_rows + row: v for number, of in choice.chosen.items() for row, v in of.items()}
    assert values == {
        k: {"other_views": row["other_views"]} if row["other_views"] else {}
        for k, row in enumerate(together)
        if not row["rejected_by"]
    }


def test_outcomes_manifest_has_every_photograph(tmp_path):
    journal = Journal(tmp_path)
    some = rows("a_1", "a_2", "b_1", "c_1", front=0.25)
    some[2] |= {"rejected_by": "quality", "reason": "blurred", "front": float("nan")}
    filtered = passed(journal, some, 2)
    losers = {0: {0: "view 2 is shown more frontally"}}
    lifted = []
    for shard in lift_shards(filtered, choice_without(journal, filtered, losers), journal, 1):
        made = {"caption_fallback": "it invents shape" if shard.number else ""}
        batch = batch_of(
            [row | made | {"mesh": f"models/{row['vase_id']}.glb"} for row in rows_of(shard.read(journal))]
        )
        if shard.number == 1:
            batch = rejecting(batch, "mesh_gate", {0: "open"})
        journal.write("mesh_gate", f"m{shard.number}", batch)
        lifted.append(
            Shard(
                number=shard.number,
                file=shard.file,
                rows=shard.rows,
                columns=shard.columns,
                num_rows=1,
                key=f"m{shard.number}",
                step="mesh_gate",
            )
        )
    outcomes = Outcomes(filtered, losers, lifted, journal)
    assert list(outcomes.survivors("vase_id")) == [{"vase_id": "a"}] and outcomes.num_fallbacks() == 1
    manifest = DataSet(tmp_path).rows
    manifest.write(outcomes.manifest_rows({"a": "train"}))
    assert [(row.photo, row.rejected_by, row.split) for row in manifest] == [
        ("a_1", "best_view", ""),
        ("a_2", "", "train"),
        ("b_1", "quality", ""),
        ("c_1", "mesh_gate", ""),
    ]
    assert [row.reason for row in manifest] == ["view 2 is shown more frontally", "", "blurred", "open"]
    seen = {"front": 0.25}
    assert [row.scores for row in manifest] == [seen, seen, {}, seen], "scores, and no marks of the job's own"
    assert [row.mesh for row in manifest][1] == "models/a.glb"


def test_dataset_sweep_removes_unfinished_files_only(tmp_path):
    journal = Journal(tmp_path)
    journal.write("lift", "k", batch_of([{"photo": "a"}]))
    for name in (
        "models/.lift-x/model.glb",
        *(folder + UNFINISHED.replace("*", "1") for folder in ("", "clips/", "models/", "views/a/", ".work/lift/")),
        "models/a.glb",
        "clips/a.mp4",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert DataSet(tmp_path).sweep() == 6
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == [".work/lift/k.parquet", "clips/a.mp4", "models/a.glb"]


def test_lift_check_refuses_a_command_that_may_take_longer_than_its_process(tmp_path):
    arguments = {"command": (sys.executable, "{photo}", "{glb}"), "num_retries": 2}
    base = {"dataset": tmp_path, "source": {"path": str(tmp_path)}}
    lift = {"generator": "command", "generator_args": arguments}
    short = CurateSettings.model_validate({**base, "lift": lift, "pool": {"lift": {"timeout_s": 900}}})
    with pytest.raises(UserError, match=r"timeout_s = 900 would kill the generator's command, which may take 900 s"):
        LIFT.check(StageContext(settings=short))
    LIFT.check(StageContext(settings=CurateSettings.model_validate({**base, "lift": lift})))
