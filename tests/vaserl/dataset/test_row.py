"""Tests the conversion of manifest rows to and from columns."""

import json

from vaserl.dataset import ROW_SCHEMA, Question, Row, mesh_name

FABRIC = Question(dimension="fabric", question="What is the fabric of the vase?", answer="Athenian")


def test_as_columns_writes_json_with_sorted_keys_and_letters_as_they_are():
    row = Row(photo="a.jpg", vase_id="1", record={"Shape": "λήκυθος", "Fabric": "ATTIC"}, scores={"front": 0.5})
    columns = row.as_columns()
    assert list(columns) == ROW_SCHEMA.names
    assert columns["record"] == '{"Fabric": "ATTIC", "Shape": "λήκυθος"}'
    assert columns["scores"] == '{"front": 0.5}' and columns["questions"] == "[]"


def test_from_columns_inverts_as_columns():
    row = Row(
        photo="a.jpg",
        vase_id="1",
        view="front",
        scores={"quality": 0.1 + 0.2},
        questions=(FABRIC,),
        other_photos=("b, c.jpg", "d.jpg"),
        instead_of=("e.jpg",),
    )
    assert Row.from_columns(row.as_columns()) == row


def test_from_columns_gives_defaults_for_absent_and_empty_columns():
    assert Row.from_columns({"photo": "a.jpg", "vase_id": None, "record": "", "glaze": "x"}) == Row(
        photo="a.jpg", vase_id=""
    )


def test_from_columns_keeps_a_question_that_lacks_its_answer():
    (question,) = Row.from_columns({"questions": json.dumps([{"dimension": "shape"}])}).questions
    assert question == Question(dimension="shape", question="", answer="")


def test_kept_is_a_row_that_no_stage_rejected():
    assert Row(photo="", vase_id="").kept
    assert not Row(photo="", vase_id="", rejected_by="intact").kept


def test_mesh_name_hides_no_file():
    assert mesh_name(".lift-1") == "models/%2Elift-1.glb"
