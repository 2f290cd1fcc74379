"""Tests the scores of answers to questions about none of the six dimensions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaserl.rewards import VaseReward
from vaserl.rewards.vase import answer_kind, vase_answer
from vaserl.types import Completion, Score, Task


def completion(text: str) -> Completion:
    return Completion(text=text, token_ids=(), logprobs=(), finish_reason="stop", weights_version=0)


def scored(reference: str, text: str) -> Score:
    task = Task(id="t", clip="", prompt="?", dimensions=(), record={}, reference=reference)
    return vase_answer(task, completion(text))


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        ("550–525 BCE", "date"),
        ("c. 480 BC", "date"),
        ("late 6th century BC", "date"),
        ("-450 to -400", "date"),
        ("3", "exact"),
        ("140°", "exact"),
        ("B", "exact"),
        ("yes", "exact"),
        ("room 12", "exact"),
        ("a lion and a siren", "text"),
        ("found in Vulci in the 5th century BC", "exact"),  # it says more than a date, and has a digit
        ("Theseus", "text"),
    ],
)
def test_answer_kind_follows_the_reference(reference: str, kind: str):
    assert answer_kind(reference) == kind


@pytest.mark.parametrize(
    ("reference", "text", "earned"),
    [
        ("3", "3", 1.0),
        ("3", " 3.", 1.0),
        ("3", "3.0", 1.0),
        ("3", "13", 0.0),  # one character more is another number
        ("1,234", "1234", 1.0),
        ("-4", "4", 0.0),
        ("B", "b", 1.0),
        ("B", "C", 0.0),
        ("yes", "Yes.", 1.0),
        ("yes", "no", 0.0),
        ("yes", "", 0.0),
        ("Theseus", "theseus", 1.0),
        ("the Theseus", "Théseus!", 1.0),
        # "thesaus": one of 7 letters is another, 1 - 1/7
        ("Theseus", "Thesaus", 6 / 7),
        # "hector" to "achilles": at least half of the letters differ
        ("Achilles", "Hector", 0.0),
        ("Theseus", "<think>A hero. Herakles?</think>Theseus", 1.0),
        ("Theseus", "<answer>Theseus</answer>", 1.0),
        # 550-525 and 540-515 share 15 of 35 years, which is below 0.7, and 15 of 25 lie inside, below three quarters
        ("550–525 BCE", "540–515 BCE", 0.0),
        ("550–525 BCE", "550–525 BCE", 1.0),
        # 550-530 shares 20 of 25 years
        ("550–525 BCE", "It dates to 550-530 BC", 0.8),
        ("550–525 BCE", "a lion", 0.0),
    ],
)
def test_vase_answer_compares_by_kind(reference: str, text: str, earned: float):
    score = scored(reference, text)
    assert score.total == pytest.approx(earned)
    assert dict(score.parts) == {"answer": score.total}


@given(st.text(max_size=60), st.text(max_size=60))
def test_vase_answer_of_any_texts_lies_between_nothing_and_one(reference: str, text: str):
    assert 0 <= scored(reference, text).total <= 1


@given(st.text(alphabet="abcdefgh ijk", min_size=4, max_size=40), st.text(alphabet="abcdefgh ijk", max_size=40))
def test_vase_answer_of_a_text_is_anls_by_its_definition(reference: str, text: str):
    a, b = (" ".join(w for w in t.split()) for t in (reference, text))
    if any(word in ("a", "an", "the") for word in (*a.split(), *b.split())) or len(a) < 4:
        return  # articles are dropped, and short texts must be equal
    rows = [list(range(len(b) + 1))]  # the edit distance, from its recurrence
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (x != y)))
        rows.append(row)
    alike = 1 - rows[-1][-1] / max(len(a), len(b))
    assert scored(reference, text).total == pytest.approx(alike if alike >= 0.5 else 0.0)


def test_vase_reward_scores_captions_questions_and_other_questions():
    record = {"Fabric": "ATHENIAN", "Shape Name": "CUP"}
    reward = VaseReward()
    other = Task(id="t", clip="", prompt="Who?", dimensions=(), record=record, reference="Beazley")
    shape = Task(id="t", clip="", prompt="Shape?", dimensions=("shape",), record=record, reference="cup")
    assert dict(reward(other, completion("Beazley")).parts) == {"answer": 1.0}
    assert reward(shape, completion("cup")).parts["shape"] == 1.0
