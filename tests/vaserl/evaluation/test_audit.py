"""Tests the audit of captions against numbers by hand, and its command line."""

import json
from math import log2
from pathlib import Path

import pytest

from tests.conftest import make_dataset
from vaserl.commands.__main__ import main
from vaserl.evaluation.audit import audit, spread_of
from vaserl.rewards import load_scorer
from vaserl.rewards.vase import reference_caption
from vaserl.rewards.vase.attacks import attacks
from vaserl.synthetic.record import beazley_record
from vaserl.synthetic.world import traits_of
from vaserl.types import DIMENSIONS, Task

RECORDS = [
    {"Fabric": "ATHENIAN", "Technique": "BLACK-FIGURE", "Shape Name": "LEKYTHOS", "Date": "-525 to -475"},
    {"Fabric": "ATHENIAN", "Technique": "RED-FIGURE", "Shape Name": "LEKYTHOS", "Date": "-525 to -475"},
    {"Fabric": "CORINTHIAN", "Technique": "BLACK-FIGURE", "Shape Name": "KYLIX", "Attributed To": "LYDOS"},
]


def tasks(records) -> list[Task]:
    return [
        Task(
            id=str(i),
            clip="",
            prompt="Describe the vase.",
            dimensions=DIMENSIONS,
            record=r,
            reference=reference_caption(r),
        )
        for i, r in enumerate(records)
    ]


def test_spread_of_by_hand():
    # a, a, b, c; one of five doesn't state it: shares 1/2, 1/4, 1/4
    spread = spread_of([("a",), ("a",), ("b",), (), ("c",)])
    assert (spread.num_targets, spread.num_values, spread.share_of_commonest) == (4, 3, 0.5)
    assert spread.bits == pytest.approx(0.5 * 1 + 2 * 0.25 * 2)
    constant = spread_of([("a",), ("a",)])
    assert (constant.bits, constant.share_of_commonest) == (0, 1)
    assert spread_of([(), ()]).num_targets == 0


def test_audit_by_hand():
    result = audit(tasks(RECORDS[:2]), load_scorer(["vaserl.rewards:VaseReward"]))
    assert (result.num_targets, result.num_attacked) == (2, 2)
    assert result.honest.mean == pytest.approx(1.1)
    # of two captions the constant one is the first; against the second the technique's 0.2 of 0.7 is lost, and one
    # word of twelve (this vase is an athenian black figure lekythos c 525 475 bce) of the bonus
    other = 1 - 0.2 / 0.7 + 0.1 * 11 / 12
    assert result.constant.mean == pytest.approx((1.1 + other) / 2)
    assert (result.constant.highest, result.constant.share_at_honest) == (pytest.approx(1.1), 0.5)
    # each one's reference for the other
    assert result.shuffled.mean == pytest.approx(other)
    assert result.shuffled.share_at_honest == 0
    assert result.spread["technique"].bits == 1
    assert "attribution" not in result.spread


def test_audit_guesses_by_hand():
    hands = ["LYDOS", "LYDOS", "LYDOS", "EXEKIAS"]
    records = [{"Fabric": "ATHENIAN", "Shape Name": "LEKYTHOS", "Attributed To": hand} for hand in hands]
    guesses = audit(tasks(records), load_scorer(["vaserl.rewards:VaseReward"])).guesses
    hand = guesses["attribution"]
    assert (hand.right, hand.wrong) == (1, -0.5)
    assert hand.commonest == pytest.approx((3 - 0.5) / 4)
    # along the cycle Exekias's vase gets Lydos, and one of the others gets Exekias
    assert hand.drawn == pytest.approx((2 - 2 * 0.5) / 4)
    # fitted on two vases of Lydos it is wrong on Exekias's; fitted on one of each it guesses the first by the alphabet
    assert hand.from_others == pytest.approx((3 - 0.5) / 4) or hand.from_others == pytest.approx((1 - 3 * 0.5) / 4)
    assert hand.half_right == pytest.approx(0.25)
    assert hand.pays_from == pytest.approx(0.5 / 1.5)
    # all vases are lekythoi: no value of another vase is wrong
    assert (guesses["shape"].drawn, guesses["shape"].pays_from) == (1, 0)


def test_audit_tries_attacks_where_they_exist():
    records = [RECORDS[0] | {"Decoration": scene} for scene in ("SATYR PURSUING MAENAD", "SIREN", "OWL")]
    full = [record | {"Attributed To": "LYDOS"} for record in records]
    result = audit(tasks(full), load_scorer(["vaserl.rewards:VaseReward"]))
    assert result.attacks["roles reversed"].num_targets == 1
    assert result.attacks["true facts denied"].num_targets == result.num_attacked == 3
    assert result.attacks["roles reversed"].share_below == 1 and result.attacks["Markdown"].share_below == 0


def test_audit_no_attack_reaches_the_reference_on_synthetic_records():
    records = [beazley_record(f"v{i}", i, traits_of(0, i)) for i in range(40)]
    result = audit(tasks(records), load_scorer(["vaserl.rewards:VaseReward"]), seed=1, max_attacked=25)
    assert result.num_attacked == 25
    assert set(result.attacks) == set(attacks(reference_caption(records[0])))
    assert {name for name, earned in result.attacks.items() if earned.share_at_honest} == set()
    assert max(result.attacks[name].highest for name in ("empty", "prompt repeated", "random words")) <= 0
    assert result.shuffled.mean < result.honest.mean - 0.4
    assert all(0 < spread.bits <= log2(spread.num_values) for spread in result.spread.values())


def test_audit_reveals_a_reward_that_pays_for_attacks():
    result = audit(tasks(RECORDS), load_scorer(["tests.fakes.rewards_for_tests:one"]))
    assert {earned.share_at_honest for earned in result.attacks.values()} == {1.0}


def test_audit_command_reads_targets_and_data_sets(tmp_path: Path, capsys):
    targets = tmp_path / "targets.jsonl"
    targets.write_text("".join(json.dumps({"id": str(i), "record": r}) + "\n" for i, r in enumerate(RECORDS)))
    assert main(["audit", "--targets", str(targets), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["num_targets"] == 3
    assert result["spread"]["fabric"]["bits"] == pytest.approx(-2 / 3 * log2(2 / 3) - 1 / 3 * log2(1 / 3))

    assert main(["audit", "--targets", str(make_dataset(tmp_path / "data"))]) == 0
    printed = capsys.readouterr().out
    assert "4 targets, attacks on 4" in printed
    assert "constant answer: Athenian black-figure amphora, c. 525–500 BCE, depicting warrior." in printed

    targets.write_text(json.dumps({"id": "a", "record": RECORDS[0]}) + "\n")
    assert main(["audit", "--targets", str(targets)]) == 2
    assert "needs at least two targets" in capsys.readouterr().err
    targets.write_text("{\n")
    assert main(["audit", "--targets", str(targets)]) == 2
    assert "targets.jsonl:1: broken line" in capsys.readouterr().err
