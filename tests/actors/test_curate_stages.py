"""Tests the check of the curation stages before a cluster is started."""

import os
import pickle
from pathlib import Path

import pytest

from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.pipeline import PIPELINE
from vaserl.curation.settings import CurateSettings
from vaserl.curation.stage import StageContext
from vaserl.errors import UserError

NO_FILTERS = {"quality": {"enabled": False}, "intact": {"enabled": False}}
JUDGE = """
class Strict:
    def __init__(self):
        raise RuntimeError("made too early")

    def __call__(self, candidate): ...

class Mute: ...
"""


def settings(folder: Path, **sections) -> CurateSettings:
    return CurateSettings.model_validate({"dataset": folder, "source": {"path": folder}, **NO_FILTERS, **sections})


@pytest.fixture
def judge_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / f"judges_of_{tmp_path.name}.py"
    file.write_text(JUDGE)
    return file


def check(chosen: CurateSettings) -> None:
    PIPELINE.check(StageContext(settings=chosen))


def digests(chosen: CurateSettings) -> dict[str, str]:
    return {
        stage.name: stage.digest for pool in PIPELINE.lift_pools(StageContext(settings=chosen)) for stage in pool.stages
    }


def test_pipeline_check_names_a_wrong_judge(tmp_path, judge_file):
    with pytest.raises(UserError, match=r"mesh_gate\.judge 'no_such_module:judge'"):
        check(settings(tmp_path, mesh_gate={"judge": "no_such_module:judge"}))
    with pytest.raises(UserError, match="expected a function or a class with __call__, got Mute"):
        check(settings(tmp_path, mesh_gate={"judge": f"{judge_file.stem}:Mute"}))
    # a class is checked without an instance, because its constructor may load a model
    check(settings(tmp_path, mesh_gate={"judge": f"{judge_file.stem}:Strict"}))
    check(settings(tmp_path, mesh_gate={"judge": "no_such_module:judge", "enabled": False}))


def test_pipeline_digest_of_an_edited_judge_changes_the_mesh_gate_only(tmp_path, judge_file):
    chosen = settings(tmp_path, mesh_gate={"judge": f"{judge_file.stem}:Strict"})
    before = digests(chosen)
    os.utime(judge_file, ns=(5, 5))
    after = digests(chosen)
    assert [name for name in before if before[name] != after[name]] == ["mesh_gate"]


@pytest.mark.parametrize("path", ["", "photographs.csv"])
def test_lift_given_models_lie_beside_the_photographs_also_where_a_table_names_these(tmp_path, path):
    (tmp_path / "photographs.csv").write_text("file,vase_id\na.png,a\n")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.glb").write_bytes(b"glTF")
    chosen = settings(
        tmp_path / "out",
        source={"path": tmp_path / path},
        lift={"generator": "given", "generator_args": {"path": "models/{vase_id}.glb"}},
    )
    make, arguments = pickle.loads(PIPELINE.lift_pools(StageContext(settings=chosen))[0].stages[0].maker)
    rows = [{"photo": str(tmp_path / "a.png"), "vase_id": "a", "rejected_by": "", "reason": ""}]
    (tmp_path / "a.png").touch()
    (lifted,) = rows_of(make(*arguments)(batch_of(rows)))
    assert (lifted["reason"], lifted["mesh"]) == ("", "models/a.glb")


def test_pipeline_digest_of_exchanged_weights_changes_the_lift_only(tmp_path):
    part = tmp_path / "weights" / "transformer" / "model.safetensors"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"1")
    triposg = {"checkout": tmp_path, "weights": tmp_path / "weights"}
    chosen = settings(tmp_path, lift={"generator": "triposg", "generator_args": triposg})
    before = digests(chosen)
    part.write_bytes(b"22")
    after = digests(chosen)
    assert [name for name in before if before[name] != after[name]] == ["lift"]
