"""Tests which sentences are about vases in general, about an artist or about another vase."""

import pytest

from vaserl.rewards.vase import YearInterval, parse_caption
from vaserl.rewards.vase.generalities import without_generalities

VASE = "on this cup two youths wrestle"


@pytest.mark.parametrize(
    "sentence",
    [
        "lekythoi were made in large numbers for tombs",
        "in the archaic period, athenian potters adopted new shapes",
        "black-figure painting was invented in corinth",
        "the technique of white ground became popular in athens",
        "he worked in athens between 500 and 470 bc",
        "a similar amphora is in paris",
        "another kylix by the same hand shows hermes",
        "for a comparable scene see the krater in berlin",
    ],
)
def test_without_generalities_leaves_out_what_is_told_of_others(sentence):
    kept = without_generalities(f"{VASE}. {sentence}. the foot is broken")
    assert VASE in kept
    assert sentence not in kept
    assert "the foot is broken" in kept


@pytest.mark.parametrize(
    "sentence",
    [
        "the amphora was made in athens about 540 bc",
        "here vases were placed before the tomb",
        "this type of vase was used at banquets",
        "the other side shows a woman who runs to the left",
        "two warriors are shown in combat",
    ],
)
def test_without_generalities_keeps_what_points_to_the_vase(sentence):
    text = f"{VASE}. {sentence}. the foot is broken"
    assert without_generalities(text) == text


def test_without_generalities_keeps_a_text_that_tells_of_nothing_else():
    text = "lekythoi were made in athens. kraters were used at banquets"
    assert without_generalities(text) == text


def test_points_of_abbreviations_end_no_sentence():
    text = f"{VASE}, ca. five vases were found. the foot is broken"
    assert without_generalities(text) == text


def test_parse_caption_dates_the_vase_and_not_its_class():
    text = "Red-figure pelike, 440-430 BC. Pelikai were produced in Athens from 520 to 350 BC. The foot is broken."
    assert parse_caption(text).dating == (YearInterval(-440, -430),)


def test_parse_caption_takes_a_name_from_a_general_sentence_if_no_other_states_one():
    facts = parse_caption("Fish plates were made in Apulia and Campania. A mullet and a bream swim around a hollow.")
    assert [shape.id for shape in facts.shape] == ["plate/fish"]
    named = parse_caption("Athenian kraters were sold in Etruria. This Etruscan stamnos shows a satyr.")
    assert [fabric.id for fabric in named.fabric] == ["etruscan"]
