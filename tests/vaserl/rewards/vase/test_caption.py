"""Tests properties of the whole reward: references earn most, empty texts and noise earn nothing."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.fakes.reward_cases import PROMPT, RECORD, RECORD_ATTACKS, completion, full_records, records, score, task
from vaserl.grpo.advantage import advantages
from vaserl.rewards.scorer import load_scorer
from vaserl.rewards.vase import RewardConfig, reference_caption, reward_config, vase_caption, vase_question
from vaserl.rewards.vase.reward_file import read_reward
from vaserl.types import DIMENSIONS, Group, Task


@settings(deadline=None)
@given(records)
def test_reference_caption_of_any_record_scores_at_least_95_percent_and_the_bonus(record):
    perfect = score(record, reference_caption(record))
    assert perfect.parts["bonus"] == pytest.approx(0.1)
    assert perfect.total >= 0.95 + perfect.parts["bonus"]


def test_vase_caption_perfect_caption_earns_everything():
    perfect = score(RECORD, reference_caption(RECORD))
    assert perfect.total == pytest.approx(1.1)
    assert perfect.parts == {
        **{dimension: 1.0 for dimension in DIMENSIONS},
        **{f"raw/{dimension}": 1.0 for dimension in DIMENSIONS},
        **{f"has_target/{dimension}": 1.0 for dimension in DIMENSIONS},
        **{f"stated/{dimension}": 1.0 for dimension in DIMENSIONS},
        **{f"right/{dimension}": 1.0 for dimension in DIMENSIONS},
        **{"penalty/length": 0.0, "penalty/repetition": 0.0, "penalty/irrelevance": 0.0},
        "bonus": pytest.approx(0.1),
        "unread": 0.0,
    }


def test_reference_caption_exists_for_a_decoration_of_sixty_words():
    scenes = [f"{chr(97 + i % 26)}{chr(97 + i // 26)}figure" for i in range(40)]
    record = RECORD | {"Decoration": "A: " + " BETWEEN THE ".join(scenes).upper()}
    perfect = score(record, reference_caption(record))
    assert perfect.total >= 0.95 + perfect.parts["bonus"]


@settings(deadline=None)
@given(records, st.text("bcdfgjkqvwxz ", max_size=80))
def test_vase_caption_without_facts_earns_nothing(record, noise):
    for text in ("", "   ", PROMPT, "What is it?", noise):
        assert score(record, text).total <= 0, text


@settings(deadline=None)
@given(full_records, st.data())
def test_vase_caption_added_correct_fact_never_costs(record, data):
    fields = list(record)
    kept = data.draw(st.lists(st.sampled_from(fields), unique=True, min_size=1))
    fewer = {field: record[field] for field in fields if field in kept}
    assume(set(fewer) - {"Provenance"})
    added = data.draw(st.sampled_from(fields))
    more = {field: record[field] for field in fields if field in kept or field == added}
    before, after = score(record, reference_caption(fewer)), score(record, reference_caption(more))
    for dimension in DIMENSIONS:
        assert after.parts[dimension] >= before.parts[dimension]
    assert after.total >= before.total - 1e-12


@settings(deadline=None)
@given(records, st.text(max_size=300) | st.sampled_from(sorted(RECORD_ATTACKS.values(), key=len)))
def test_vase_caption_is_bounded_and_the_sum_of_its_parts(record, text):
    result = score(record, text)
    assert -1 <= result.total <= 1.1 + 1e-12
    stated = [d for d in DIMENSIONS if result.parts[f"has_target/{d}"]]
    config = RewardConfig()
    earned = sum(config.weights[d] * result.parts[d] for d in stated) / sum(config.weights[d] for d in stated)
    penalty = sum(result.parts[f"penalty/{name}"] for name in ("length", "repetition", "irrelevance"))
    assert result.total == pytest.approx(earned - penalty + result.parts["bonus"])


def test_vase_caption_uses_the_reference_without_a_record():
    reference_task = Task(
        id="v1", clip="", prompt=PROMPT, dimensions=DIMENSIONS, record={}, reference=reference_caption(RECORD)
    )
    assert vase_caption(reference_task, completion(reference_caption(RECORD))).total == pytest.approx(1.1)


@pytest.mark.parametrize("name", ["vaserl.rewards:VaseReward", "tests.fakes.rewards_for_tests:spread_of_lengths"])
def test_scorer_empty_group_has_no_scores_and_no_effect_on_others(name: str):
    empty = Group(task=task(RECORD), prompt_ids=(), completions=())
    full = replace(empty, completions=(completion("Athenian amphora"), completion("")))
    scorer = load_scorer([name])
    alone = scorer.score(full).scores
    assert [scored.scores for scored in scorer.score_all([empty, full, empty])] == [(), alone, ()]
    assert advantages(scorer.score_all([empty, full]))[0] == ()


def test_vase_caption_is_the_same_in_every_process():
    program = (
        "from tests.fakes.reward_cases import *\n"
        "print([(n, repr(score(RECORD, t).total)) for n, t in RECORD_ATTACKS.items()])"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert outputs[0].strip() == str([(n, repr(score(RECORD, t).total)) for n, t in RECORD_ATTACKS.items()])


def test_wrong_costs_make_a_wrong_value_earn_less_than_silence():
    record = {"Fabric": "ATHENIAN", "Technique": "RED-FIGURE", "Attributed To": "LYDOS by BEAZLEY"}
    config = RewardConfig.model_validate({"wrong_costs": {"attribution": 0.5}})
    right, silent, wrong = (
        score(record, f"This is an Athenian red-figure vase{end}.", config=config)
        for end in (", attributed to Lydos", "", ", attributed to the Berlin Painter")
    )
    assert (right.parts["attribution"], silent.parts["attribution"], wrong.parts["attribution"]) == (1, 0, -0.5)
    assert [each.parts["stated/attribution"] for each in (right, silent, wrong)] == [1, 0, 1]
    assert (right.parts["right/attribution"], wrong.parts["right/attribution"]) == (1, 0)
    assert "right/attribution" not in silent.parts, "precision is taken over what is stated"
    # The weights of fabric, technique and attribution are 0.2, 0.2 and 0.1.
    for each, earned in ((silent, 0.4), (wrong, 0.4 - 0.1 * 0.5)):
        assert each.total - each.parts["bonus"] + each.parts["penalty/irrelevance"] == pytest.approx(earned / 0.5)
    # Of several values one is right: that is not wrong.
    both = score(
        record, "This is an Athenian red-figure vase, attributed to Lydos or the Berlin Painter.", config=config
    )
    assert both.parts["attribution"] == 0.5 and both.parts["right/attribution"] == 1


def test_wrong_costs_hold_for_questions_and_are_off_in_the_formula_of_the_paper():
    record = {"Fabric": "ATHENIAN"}
    question = Task(id="q", clip="", prompt=PROMPT, dimensions=("fabric",), record=record, reference="Athenian")
    (constants,) = read_reward(Path("configs/rewards/paper.toml")).arguments.values()
    paper = reward_config(constants)
    assert vase_question(question, completion("Corinthian"), paper).total == 0
    assert vase_question(question, completion("Corinthian")).total == -0.25
    assert vase_question(question, completion("")).total == 0
    assert {cost for _, cost in paper.wrong_costs} == {0}
    # a date within the record's, and roles that are turned around
    fight = RECORD | {"Decoration": "ACHILLES SLAYING HEKTOR"}
    parts = score(fight, "Amphora, c. 510 BCE, depicting Hektor slaying Achilles.", config=paper).parts
    assert (parts["dating"], parts["decoration"]) == (0, 1)


def test_a_text_in_another_language_is_unread_and_not_wrong():
    german = (
        "Attisch-rotfigurige Schale mit einem Krieger auf der Innenseite und einer Sirene, von der Hand des Malers."
    )
    parts = score(RECORD, german).parts
    assert parts["unread"] == 1
    assert not any(parts[f"stated/{dimension}"] for dimension in DIMENSIONS)
    assert [parts[dimension] for dimension in DIMENSIONS] == [0] * 6
    assert parts["penalty/irrelevance"] == 0
    question = Task(id="q", clip="", prompt=PROMPT, dimensions=("shape",), record=RECORD, reference="Athenian")
    assert vase_question(question, completion("Die Form der Vase ist eine Schale.")).parts["unread"] == 1


@pytest.mark.parametrize(
    ("caption", "reversed_share"),
    [
        ("Achilles slaying Hektor", 0),
        ("Hektor slain by Achilles", 0),
        ("Hektor killed by Achilles", 0),
        ("Achilles and Hektor fighting", 0),
        ("Hektor slaying Achilles", 1),
        ("Hektor kills Achilleus", 1),
        ("Achilles being slain by Hektor", 1),
    ],
)
def test_reversed_roles_cost_a_part_of_the_decoration(caption, reversed_share):
    record = RECORD | {"Decoration": "ACHILLES SLAYING HEKTOR"}
    parts = score(record, f"Athenian amphora, depicting {caption}.").parts
    assert parts["reversed_roles"] == reversed_share
    plain = score(record, f"Athenian amphora, depicting {caption}.", config=RewardConfig(reversed_roles_cost=0)).parts
    assert parts["decoration"] == pytest.approx(plain["decoration"] * (1 - 0.3 * reversed_share))
    assert "reversed_roles" not in score(RECORD, "Athenian amphora.").parts
