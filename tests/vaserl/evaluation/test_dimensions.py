"""Tests accuracy, stated rate and the guesses without pixels against counts by hand on few vases."""

import numpy as np
import pytest

from vaserl.evaluation.baselines import GuessFromOthers, hits, majority_value, same_exactly
from vaserl.evaluation.dimensions import Values, compare_dimensions, dimension_outcomes, measure_dimension
from vaserl.types import Score

DRAW = {"num_resamples": 500, "seed": 0}


def score(similarity: float | None) -> Score:
    return Score(total=0.0, parts={} if similarity is None else {"shape": similarity})


def shapes(*values: str | None) -> list[Values]:
    return [{"shape": value} for value in values]


def test_measure_dimension_counts_unstated_as_wrong_only_in_accuracy() -> None:
    truths = shapes("kylix", "kylix", "pelike", "pelike", None)
    stated = shapes("kylix", None, "kylix", "pelike", "pelike")
    outcomes = dimension_outcomes("shape", [score(s) for s in (1.0, 0.0, 0.2, 0.7, None)], stated, truths, tau=0.7)
    guess = np.array([True, True, False, False, False])
    result = measure_dimension(outcomes, guess)
    assert (result.num_targets, result.num_stated) == (4, 3)
    assert result.stated and result.stated.mean == 3 / 4
    assert result.accuracy and result.accuracy.mean == 2 / 4  # the first and the fourth, whose .7 reaches tau
    assert result.accuracy_when_stated and result.accuracy_when_stated.mean == pytest.approx(2 / 3)
    assert result.guess_when_stated and result.guess_when_stated.mean == pytest.approx(1 / 3)
    # Over the three that state it: (1 - 1) + (0 - 0) + (1 - 0), over 3.
    assert result.over_guess and result.over_guess.mean == pytest.approx(1 / 3)
    assert result.invented and result.invented.mean == 1.0  # the one vase without a target was given a shape


def test_dimension_outcomes_refuses_a_score_without_a_recorded_dimension() -> None:
    with pytest.raises(ValueError, match="vase 1: the record states 'shape', but the score has no such part"):
        dimension_outcomes("shape", [score(1.0), score(None)], shapes("a", "a"), shapes("a", "a"), tau=0.7)


def test_measure_dimension_has_no_interval_without_stated_values() -> None:
    outcomes = dimension_outcomes("shape", [score(0.0)] * 2, shapes(None, None), shapes("a", "b"), tau=0.7)
    result = measure_dimension(outcomes, np.array([True, False]))
    assert result.stated and result.stated.mean == 0
    assert result.accuracy_when_stated is None and result.over_guess is None and result.invented is None
    assert result.as_dict()["over_guess"] is None and result.as_dict()["num_targets"] == 2


def test_compare_dimensions_is_paired_by_vase() -> None:
    truths = shapes("a", "a", "a", "a")
    rl = dimension_outcomes("shape", [score(s) for s in (1, 1, 1, 0)], shapes("a", "a", "a", "b"), truths, tau=0.7)
    sft = dimension_outcomes("shape", [score(s) for s in (1, 0, 0, 0)], shapes("a", None, "b", "b"), truths, tau=0.7)
    compared = compare_dimensions({"shape": rl}, {"shape": sft}, **DRAW)["shape"]
    assert compared["accuracy"] and compared["accuracy"].mean == pytest.approx(2 / 4)
    assert compared["stated"] and compared["stated"].mean == pytest.approx(1 / 4)
    # Both state it on vases 0, 2, 3; there RL is right on two and SFT on one.
    both = compared["accuracy_when_both_state"]
    assert both and both.mean == pytest.approx(1 / 3)


def test_majority_value_ignores_empty_records_and_breaks_ties_by_alphabet() -> None:
    assert majority_value(shapes("pelike", None, None, None, "kylix", "kylix"), "shape") == "kylix"
    assert majority_value(shapes("pelike", "kylix"), "shape") == "kylix"
    assert majority_value(shapes(None), "shape") is None


TRAIN: list[Values] = [
    {"technique": "white-ground", "shape": "lekythos"},
    {"technique": "white-ground", "shape": "lekythos"},
    {"technique": "red-figure", "shape": "kylix"},
    {"technique": "red-figure", "shape": "kylix"},
    {"technique": "red-figure", "shape": "kylix"},
    {"technique": "red-figure", "shape": "lekythos"},
]


def test_guess_from_others_by_hand() -> None:
    guess = GuessFromOthers(TRAIN, "shape", smoothing=0.5)
    # Each shape occurs three times, so the priors are equal. white-ground: lekythos (2 + .5) / (3 + .5 * 2) = .625,
    # kylix (0 + .5) / 4 = .125. red-figure: lekythos (1 + .5) / 4 = .375, kylix (3 + .5) / 4 = .875.
    assert guess({"technique": "white-ground"}) == "lekythos"
    assert guess({"technique": "red-figure"}) == "kylix"
    # Nothing known, or a technique that training never saw: the priors tie, the alphabet decides.
    assert guess({}) == "kylix"
    assert guess({"technique": "outline", "fabric": "Corinthian"}) == "kylix"


def test_guess_from_others_ignores_the_vases_own_value() -> None:
    guess = GuessFromOthers(TRAIN, "shape")
    assert guess({"technique": "white-ground", "shape": "kylix"}) == "lekythos"


def test_guess_from_others_is_best_possible_where_one_dimension_decides_another() -> None:
    rng = np.random.default_rng(0)
    shapes_of = {"owl": "skyphos", "horse": "kylix", "ship": "krater"}

    def draw(n: int) -> list[Values]:
        drawn: list[Values] = []
        for _ in range(n):
            scene = str(rng.choice(list(shapes_of)))
            shape = shapes_of[scene] if rng.random() < 0.8 else str(rng.choice(["skyphos", "kylix", "krater"]))
            drawn.append({"decoration": scene, "shape": shape, "fabric": str(rng.choice(["Athenian", "Euboean"]))})
        return drawn

    guess, test = GuessFromOthers(draw(600), "shape"), draw(600)
    accuracy = hits("shape", [guess(values) for values in test], test, same_exactly).mean()
    assert accuracy == pytest.approx(0.8 + 0.2 / 3, abs=0.05)  # Bayes rate; 4 standard errors are .056


def test_hits_use_the_callers_comparison() -> None:
    truths = shapes("amphora/neck", "kylix", None)
    guesses = ["amphora", None, "kylix"]
    assert hits("shape", guesses, truths, same_exactly).tolist() == [False, False, False]
    assert hits("shape", guesses, truths, lambda _, guess, truth: truth.startswith(guess)).tolist() == [
        True,
        False,
        False,
    ]
