"""Tests of the judge job: each action, resuming, the same bytes again, and reports that are void."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import launch.judge
from launch.judge import run
from tests.fakes.judged_jars import NUM_JARS, make_collection
from tests.fakes.planted_judges import PlantedJudge, biased
from vaserl.errors import UserError
from vaserl.judge.settings import CalibrateSettings, GateLimits, JudgeModelSettings, JudgeSettings, RenderSettings

REPORT = ("judge.html", "judge.md", "judge.json")


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_collection(tmp_path_factory.mktemp("judged"))


def _settings(collection: Path, run_dir: Path, *names: str, **changes: Any) -> JudgeSettings:
    values = {
        "run_dir": run_dir,
        "photos": collection / "photos",
        "meshes": {name: collection / name for name in names},
        "true": collection / "true",
        "render": RenderSettings(tile_side=28),
        "judge": JudgeModelSettings(role="training"),
        "calibrate": CalibrateSettings(num_clear=6, num_base=10, num_anchors=10),
    }
    return JudgeSettings(**(values | changes))


def truthful() -> PlantedJudge:
    """Returns a judge that knows which folder is better: true, then worse, then worst."""
    order = {"clear": "a", "true": "a", "worse": "b", "worst": "b", "broken": "b"}

    def decide(pair: str) -> str:
        first = pair.removeprefix("anchor/").split("/")[0]
        if first == "base":
            return "a" if pair.endswith("/0") else "b"  # each jar has two such pairs
        return "a" if pair.startswith("worse/worst") else order[first]

    return PlantedJudge(decide, lambda _: 0.9)


@pytest.fixture(scope="module")
def calibration(collection: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the run folder of the truthful judge's calibration."""
    folder = tmp_path_factory.mktemp("runs") / "calibration"
    with pytest.MonkeyPatch.context() as patch:
        _answering(patch, truthful())
        run(_settings(collection, folder, "true"), "calibrate")
    return folder


def _answering(monkeypatch: pytest.MonkeyPatch, judge: PlantedJudge) -> PlantedJudge:
    """Puts a planted judge in place of the one that the settings name."""

    @contextmanager
    def opened(*_: object) -> Iterator[PlantedJudge]:
        yield judge

    monkeypatch.setattr(launch.judge, "opened_judge", opened)
    return judge


def _content(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in REPORT]


def test_calibrate_passes_a_truthful_judge(calibration: Path):
    result = json.loads((calibration / "judge.json").read_text())
    assert not result["is_void"]
    assert {gate["name"]: gate["value"] for gate in result["gates"]}["clear gap"] == 1.0
    assert len(json.loads((calibration / "calibration.json").read_text())["anchors"]) == 10
    first = result["verdicts"][0]
    assert all((calibration / montage).is_file() for montage in first["montages"])


def test_report_repeats_its_bytes_and_starts_no_judge(
    collection: Path, calibration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _answering(monkeypatch, truthful())
    settings = _settings(collection, tmp_path / "run", "true", "worst", calibration=calibration)
    run(settings, "compare")
    before = _content(settings.run_dir)

    def refuse(*_: object):
        raise AssertionError("a finished run needs no judge and renders nothing")

    monkeypatch.setattr(launch.judge, "opened_judge", refuse)
    monkeypatch.setattr("vaserl.judge.montage.TurntableRenderer", refuse)
    run(settings, "compare")
    assert _content(settings.run_dir) == before
    assert b"| true against worst | 5 | 0 | 0 | 0 |" in before[1]


def test_killed_run_asks_only_what_is_missing(
    collection: Path, calibration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = _answering(monkeypatch, truthful())
    settings = _settings(collection, tmp_path / "run", "true", "worse", calibration=calibration)
    run(settings, "compare")
    whole = _content(settings.run_dir)
    file = settings.run_dir / "verdicts" / "replies.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) == first.num_asked == 2 * (NUM_JARS + 10)
    file.write_bytes(b"".join(lines[:5]) + b'{"pair"')  # two pairs, half of the third, and a torn line
    second = _answering(monkeypatch, truthful())
    run(settings, "compare")
    assert second.num_asked == len(lines) - 4 and _content(settings.run_dir) == whole


def test_unusable_mesh_is_named_and_never_a_verdict(
    collection: Path, calibration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _answering(monkeypatch, truthful())
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in (collection / "worst").iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "v3.glb").write_bytes(b"")
    settings = _settings(collection, tmp_path / "run", "true", calibration=calibration)
    settings = settings.model_copy(update={"meshes": {**settings.meshes, "broken": broken}})
    result = run(settings, "compare")
    assert not result["is_void"]
    (shown,) = [each for each in result["verdicts"] if each["pair_id"].endswith("v3")]
    assert shown["outcome"].startswith("unusable: ") and "v3.glb: not a GLB model" in shown["outcome"]
    assert "| true against broken | 4 | 0 | 0 | 0 |" in (settings.run_dir / "judge.md").read_text()


def test_biased_judge_fails_its_calibration_and_voids_every_report(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _answering(monkeypatch, biased())
    with pytest.raises(UserError, match=r"judge\.html is void: .* failed the gates clear gap"):
        run(_settings(collection, tmp_path / "cal", "true"), "calibrate")
    assert (tmp_path / "cal" / "judge.md").read_text().startswith("# VOID: Calibration")
    settings = _settings(collection, tmp_path / "run", "true", "worst", calibration=tmp_path / "cal")
    with pytest.raises(UserError, match=r"failed the gates clear gap; its verdicts mean nothing"):
        run(settings, "compare")
    assert not (tmp_path / "run" / "judge.md").exists()
    void = settings.model_copy(update={"gates": GateLimits(on_failure="void")})
    assert run(void, "compare")["is_void"]
    page = (tmp_path / "run" / "judge.html").read_text()
    assert "<h1>VOID: true against worst</h1>" in page and "None of its numbers may be used" in page
    assert run(void, "pairs")["is_void"] and not (tmp_path / "run" / "preferences.jsonl").exists()


def test_drifted_judge_is_found_at_the_anchors(
    collection: Path, calibration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _answering(monkeypatch, PlantedJudge(lambda _: "b"))
    settings = _settings(collection, tmp_path / "run", "true", "worst", calibration=calibration)
    with pytest.raises(UserError, match="failed the gates anchors re-judged alike"):
        run(settings, "compare")


def test_unparsable_answers_void_the_report(
    collection: Path, calibration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _answering(monkeypatch, PlantedJudge(lambda _: "Image 1 is better."))
    settings = _settings(collection, tmp_path / "run", "true", "worst", calibration=calibration)
    with pytest.raises(UserError, match="failed the gates parse rate in this run"):
        run(settings, "compare")
    assert "unparsable" in (tmp_path / "run" / "judge.md").read_text()


def test_calibration_of_another_render_is_refused(collection: Path, calibration: Path, tmp_path: Path):
    settings = _settings(
        collection, tmp_path, "true", "worst", calibration=calibration, render=RenderSettings(tile_side=32)
    )
    with pytest.raises(UserError, match=r"calibration\.json: verdicts with another render_sha256 don't mix"):
        run(settings, "compare")
    with pytest.raises(UserError, match="calibration is missing: run"):
        run(settings.model_copy(update={"calibration": None}), "rank")


def test_pairs_are_of_a_training_judge_only(
    collection: Path, calibration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _answering(monkeypatch, truthful())
    settings = _settings(collection, tmp_path / "run", "worst", "true", calibration=calibration)
    run(settings, "pairs")
    rows = [json.loads(line) for line in (tmp_path / "run" / "preferences.jsonl").read_text().splitlines()]
    assert [Path(row["chosen"]).parent.name for row in rows] == ["true"] * NUM_JARS
    assert {row["judge_family"] for row in rows} == {"geometric"}
    with pytest.raises(UserError, match="are both of the family 'geometric'"):
        run(settings.model_copy(update={"second": JudgeModelSettings(role="evaluation")}), "pairs")
    evaluation = settings.model_copy(
        update={"judge": JudgeModelSettings(role="evaluation"), "run_dir": tmp_path / "other"}
    )
    with pytest.raises(UserError, match="only a training judge's verdicts may become training data"):
        run(evaluation, "pairs")


def test_rank_orders_generators(collection: Path, calibration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _answering(monkeypatch, truthful())
    result = run(_settings(collection, tmp_path, "worst", "true", "worse", calibration=calibration), "rank")
    (ranking,) = [table for table in result["tables"] if table["title"] == "Ranking"]
    assert [row[0] for row in ranking["rows"]][::2] == ["true", "worst"]


def test_certify_measures_the_geometric_judge_against_the_truth(collection: Path, tmp_path: Path):
    small = CalibrateSettings(num_clear=3, num_base=1, num_anchors=2)
    void = GateLimits(on_failure="void", base_against_base=(0.0, 1.0))
    run(_settings(collection, tmp_path / "cal", "true", calibrate=small, gates=void), "calibrate")
    settings = _settings(collection, tmp_path / "run", "true", "worst", calibration=tmp_path / "cal", gates=void)
    result = run(settings, "certify")
    assert not result["is_void"]
    tables = {table["title"]: table for table in result["tables"]}
    assert tables["Against the truth"]["rows"][0][:3] == [str(NUM_JARS), str(NUM_JARS), "0"]
    assert "fewer than 59 verdicts" in tables["Certificate"]["rows"][0][0]
    assert sum(int(each[1]) for each in tables["By the true gap"]["rows"]) == NUM_JARS
    same = settings.model_copy(update={"second": JudgeModelSettings(), "second_calibration": tmp_path / "cal"})
    with pytest.raises(UserError, match="judge and second are both of the family 'geometric'"):
        run(same, "certify")


def test_certify_with_a_second_family_counts_what_both_say(
    collection: Path, calibration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    server = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}
    second = JudgeModelSettings.model_validate({"kind": "url", "family": "other", "server": server})
    _answering(monkeypatch, truthful())
    run(_settings(collection, tmp_path / "cal", "true", judge=second), "calibrate")

    def wrong_on_two(pair: str) -> str:
        return "b" if pair.endswith(("worst/v0", "worst/v1")) else truthful().decide(pair)

    judges = {"geometric": truthful(), "url": PlantedJudge(wrong_on_two)}

    @contextmanager
    def opened(model: JudgeModelSettings, *_: object) -> Iterator[PlantedJudge]:
        yield judges[model.kind]

    monkeypatch.setattr(launch.judge, "opened_judge", opened)
    changes = {"calibration": calibration, "second": second, "second_calibration": tmp_path / "cal"}
    result = run(_settings(collection, tmp_path / "run", "true", "worst", **changes), "certify")
    tables = {table["title"]: table for table in result["tables"]}
    # the judges differ on 2 of 5 pairs, which are abstentions
    assert tables["Agreement of the judges"]["rows"][0][:3] == [str(NUM_JARS), str(NUM_JARS), str(NUM_JARS - 2)]
    assert tables["Against the truth"]["rows"][0][:3] == [str(NUM_JARS), str(NUM_JARS - 2), "0"]
    assert [each["judge"]["family"] for each in result["bindings"]] == ["geometric", "other"]


def test_objects_without_shared_names_are_refused(collection: Path, calibration: Path, tmp_path: Path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "jug.glb").write_bytes((collection / "true" / "v0.glb").read_bytes())
    settings = _settings(collection, tmp_path / "run", "true", calibration=calibration)
    with pytest.raises(UserError, match="no object has a photograph and a mesh of true and other"):
        run(settings.model_copy(update={"meshes": {**settings.meshes, "other": other}}), "compare")
    with pytest.raises(UserError, match=r"photos .*/other: no photographs"):
        run(settings.model_copy(update={"photos": other}), "compare")


def test_model_settings_name_what_is_missing():
    for values, message in (
        ({"kind": "vllm", "family": "x"}, "needs the path of a model folder"),
        ({"kind": "url", "family": "x"}, "needs a table server"),
        ({"kind": "vllm", "path": "x"}, "needs the model's family"),
    ):
        with pytest.raises(ValueError, match=message):
            JudgeModelSettings.model_validate(values)
