"""Tests who does what to whom in descriptions of scenes, by the order of the words."""

import pytest

from vaserl.rewards.vase.roles import contradicted, role_pairs, scene_words


def pairs(text: str) -> set[tuple[str, str]]:
    return set(role_pairs(scene_words(text, 4000)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Eos pursuing perhaps Tithonos with a lyre", {("eos", "tithonos")}),
        ("THRACIAN WOMAN WITH SICKLE PURSUING ORPHEUS", {("woman", "orpheus")}),
        ("Tithonos pursued by winged Eos", {("eos", "tithonos")}),
        ("Europa carried off by Zeus as a bull", {("zeus", "europa")}),
        ("two lions attack a bull, two lions attacking a bull", {("lion", "bull")}),
        ("Medea and Kreon killing the Minotaur", {("medea", "minotaur"), ("kreon", "minotaur")}),
        ("Theseus, armed with a sword, attacks the Minotaur", {("theseus", "minotaur")}),
        ("a man leading a horse, and a woman leading a dog", {("man", "horse"), ("woman", "dog")}),
        ("a man leading a horse and a woman leading a dog", {("man", "horse"), ("woman", "dog")}),
        ("A: SATYR PURSUING MAENAD | B: MAENAD PURSUING SATYR", {("satyr", "maenad"), ("maenad", "satyr")}),
        # no pair: no verb, one without a direction, a noun, an adjective, a being behind a comma, a denial
        ("Peleus and Thetis", set()),
        ("Peleus wrestling Thetis", set()),
        ("the slaying of the Minotaur by Theseus", set()),
        ("Athena, a wounded warrior", set()),
        ("satyr pursuing, a maenad", set()),
        ("no satyr pursuing a maenad", set()),
    ],
)
def test_role_pairs_by_hand(text, expected):
    assert pairs(text) == expected


def test_contradicted_counts_only_reversed_pairs():
    target = [("satyr", "maenad"), ("lion", "bull")]
    assert contradicted(target, [("maenad", "satyr")], 0.85) == 0.5
    assert contradicted(target, [("maenad", "satyr"), ("satyr", "maenad")], 0.85) == 0
    assert contradicted(target, [("bull", "lions"), ("maenads", "satyr")], 0.85) == 1
    assert contradicted(target, [("bull", "dog")], 0.85) == 0
    assert contradicted(target, [], 0.85) == contradicted([], target, 0.85) == 0
    both = [("satyr", "maenad"), ("maenad", "satyr")]
    assert contradicted(both, [("maenad", "satyr")], 0.85) == 0


def test_role_pairs_of_a_flood_are_bounded():
    assert len(pairs(" ".join(f"satyr{i} hermes pursues maenad athena zeus" for i in range(100)))) <= 64
