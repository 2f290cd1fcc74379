"""Tests the reward's penalties and bonus against numbers by hand."""

import pytest

from tests.fakes.reward_cases import RECORD, completion, score, task
from vaserl.rewards.vase import reference_caption, vase_caption
from vaserl.types import FinishReason


def test_length_penalty_by_hand():
    def length(num_words: int, finish_reason: FinishReason = "stop") -> float:
        return vase_caption(task(RECORD), completion("w " * num_words, finish_reason)).parts["penalty/length"]

    assert [length(n) for n in (0, 4, 5, 60)] == [0.1, 0.1, 0, 0]
    assert length(90) == pytest.approx(0.1)
    assert [length(n) for n in (120, 1000)] == [0.2, 0.2]
    assert length(20, "length") == 0.2
    # 1,440 signs without a space are 60 words of 24, 24 more make 61: 0.2 / 60.
    assert score(RECORD, "w" * 1440).parts["penalty/length"] == 0
    assert score(RECORD, "w" * 1464).parts["penalty/length"] == pytest.approx(0.2 / 60)


def test_repetition_penalty_by_hand():
    # Six words "a b c a b c": 4 trigrams, abc twice: 3 distinct.
    assert score(RECORD, "a b c a b c").parts["penalty/repetition"] == pytest.approx(0.2 * (1 - 3 / 4))
    assert score(RECORD, "a a a a a").parts["penalty/repetition"] == 0
    assert score(RECORD, "a a a a a a").parts["penalty/repetition"] == pytest.approx(0.2 * 3 / 4)


def test_irrelevance_penalty_by_hand():
    # Content words: warrior (target), lekythos (lexicon), zebra, bicycle; "depicting" and "vase" are catalogue words
    # and relevant, too: 2 of 6.
    text = "A vase depicting a warrior with a lekythos, a zebra and a bicycle"
    assert score(RECORD, text).parts["penalty/irrelevance"] == pytest.approx(0.1 * 2 / 6)


def test_irrelevance_penalty_accepts_the_words_of_a_museums_data():
    text = "Athenian amphora. Accession Number: 12. Credit Line: Fund. Culture: Greek, Archaic"
    assert score(RECORD, text).parts["penalty/irrelevance"] == 0


def test_irrelevance_penalty_counts_an_unfounded_attribution():
    record = {field: value for field, value in RECORD.items() if field != "Attributed To"}
    reference = reference_caption(record)
    invented = score(record, reference.rstrip(".") + ", attributed to the Berlin Painter.")
    # Content words: athenian black figure neck amphora bce depicting warrior sides attributed berlin painter: 1
    # of 12.
    assert invented.parts["penalty/irrelevance"] == pytest.approx(0.1 / 12)
    assert "attribution" not in invented.parts
    assert invented.total < score(record, reference).total


def test_sequence_bonus_needs_a_correct_dimension():
    record = {"Fabric": "ATHENIAN", "Decoration": "WARRIOR"}
    # "… vase depicting a …" follows the target's words, but states nothing that is right.
    parts = score(record, "Corinthian vase, depicting a lion.").parts
    assert (parts["right/fabric"], parts["right/decoration"], parts["bonus"]) == (0, 0, 0)
    # athenian vase depicting a | warrior, lion: 4 words of 5 and 5.
    assert score(record, "Athenian vase, depicting a lion.").parts["bonus"] == pytest.approx(0.1 * 0.8)
    # 1 word of 1 and 9 or more is a ratio of 0.2.
    assert score(RECORD, "Athenian").parts["bonus"] == 0
