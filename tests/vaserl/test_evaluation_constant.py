"""The constant answer, by hand."""

import pytest

from vaserl.evaluation.constant import constant_answer, constant_caption
from vaserl.scoring import load_scorer
from vaserl.types import DIMENSIONS, Task

RECORDS = [
    {"Fabric": "ATHENIAN", "Technique": "BLACK-FIGURE", "Shape Name": "LEKYTHOS", "Date": "-525 to -475"},
    {"Fabric": "ATHENIAN", "Technique": "RED-FIGURE", "Shape Name": "LEKYTHOS", "Date": "-525 to -475"},
    {"Fabric": "CORINTHIAN", "Technique": "BLACK-FIGURE", "Shape Name": "KYLIX", "Attributed To": "LYDOS"},
]


def test_the_commonest_of_everything():
    # two of three records have no attribution, so the constant answer has none either
    assert constant_caption(RECORDS) == "Athenian black-figure lekythos, c. 525–475 BCE."


def test_what_it_earns():
    tasks = [
        Task(id=str(i), clip="", prompt="", dimensions=DIMENSIONS, record=record, reference="")
        for i, record in enumerate(RECORDS)
    ]
    earned = constant_answer(constant_caption(RECORDS), tasks, load_scorer(["vaserl.rewards:vase_caption"]))
    assert earned["fabric"] == pytest.approx(2 / 3)
    assert earned["technique"] == pytest.approx(2 / 3)
    assert earned["dating"] == 1.0  # of the two records that have a date
    assert earned["attribution"] == 0.0
    assert 0 < earned["reward"] < 1
