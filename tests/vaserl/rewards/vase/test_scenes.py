"""Tests the wording of a record's decoration: articles, names, sides, doubts, and long descriptions."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaserl.rewards.vase import RewardConfig, lists_keywords, parse_caption, parse_record, reference_caption
from vaserl.rewards.vase.noun_phrases import indefinite_article
from vaserl.rewards.vase.penalties import count_words
from vaserl.rewards.vase.vase_parts import place_of

SCENES = {
    # articles: persons, peoples, events, beings of which there is one, nouns that aren't counted
    "THESEUS AND MINOTAUR BETWEEN WOMEN": "Theseus and the Minotaur between women",
    "WARRIOR LEAVING HOME, OLD MAN WITH STAFF, WOMAN, DOG": (
        "a warrior leaving home, an old man with a staff, a woman and a dog"
    ),
    "JUDGEMENT OF PARIS, HERMES, ATHENA": "the judgement of Paris, Hermes and Athena",
    "DEPARTURE OF WARRIOR": "the departure of a warrior",
    "WARRIOR'S DEPARTURE": "a warrior's departure",
    "PRIAM'S VISIT TO ACHILLES": "Priam's visit to Achilles",
    "AMAZONOMACHY, HERAKLES AND AMAZONS, ONE FALLEN": "an Amazonomachy, Herakles and Amazons, one fallen",
    "GIGANTOMACHY": "the Gigantomachy",
    "FIGHT, WARRIORS OVER FALLEN WARRIOR": "a fight, warriors over a fallen warrior",
    "HARE HUNT": "a hare hunt",
    "HEAD OF WOMAN IN SAKKOS": "the head of a woman in a sakkos",
    "CHARIOT IN PROFILE, WARRIOR, ARCHER": "a chariot in profile, a warrior and an archer",
    "ACHILLES AND AJAX PLAYING DICE": "Achilles and Ajax playing dice",
    "THRACIAN WOMAN WITH SICKLE PURSUING ORPHEUS": "a Thracian woman with a sickle pursuing Orpheus",
    "GREEK AND ORIENTAL ARCHER": "a Greek and oriental archer",
    "WARRIORS ARMING, ONE PUTTING ON GREAVE": "warriors arming, one putting on a greave",
    "WARRIORS FIGHTING OVER BODY OF PATROKLOS": "warriors fighting over the body of Patroklos",
    "TWO WOMEN AT LOUTERION, ONE WITH SPONGE": "two women at a louterion, one with a sponge",
    "WOMAN SEATED, WITH MIRROR": "a woman seated, with a mirror",
    "DANCING SATYR": "a dancing satyr",
    "SATYR DANCING": "a satyr dancing",
    "EUROPA ON THE BULL": "Europa on the bull",
    "IN CENTRE, EROS FLYING": "in the centre Eros flying",
    "POSEIDON WITH TRIDENT, NEREIDS": "Poseidon with a trident, and Nereids",
    # names that no list holds, by their endings; common nouns that end alike
    "PROKRITEUS AND THERSANDRIPPE": "Prokriteus and Thersandrippe",
    "YOUTH WITH DISKOS, KOMOS, KOTTABOS": "a youth with a diskos, a komos and kottabos",
    "YOUTH WITH PEPLOS AND GORYTOS": "a youth with a peplos and a gorytos",
    "HERAKLES AND NEMEAN LION": "Herakles and the Nemean lion",
    "PAN-SATYR": "a Pan-satyr",
    "INSCRIPTION, LARGELY RESTORED": "an inscription, largely restored",
    # participles and what belongs to them
    "SATYR BENDING FORWARD": "a satyr bending forward",
    "MAENAD RUNNING LEFT AND LOOKING BACK": "a maenad running left and looking back",
    "YOUTH WITH DISH, RESTING LEFT ARM ON PILLAR": "a youth with a dish, resting the left arm on a pillar",
    "COWS LED TO SACRIFICE": "cows led to sacrifice",
    # brackets, colons, references
    "OWL (ON DISKOS), WREATH": "an owl on a diskos, and a wreath",
    "DRINKING HORN (KERAS), SATYR": "a drinking horn, keras, and a satyr",
    "THESEUS AND (THE BULL?)": "Theseus and perhaps the bull",
    "HERAKLES AND APOLLO: STRUGGLE FOR THE TRIPOD": "Herakles and Apollo, the struggle for the tripod",
    "WOMAN, AS ABOVE": "a woman",
    "PYRRHIC (??)": "perhaps a pyrrhic",
    # doubts
    "EOS PURSUING TITHONOS (?) WITH LYRE": "Eos pursuing perhaps Tithonos with a lyre",
    "ACTOR (?) IN COSTUME": "perhaps an actor in costume",
    "HEAD OF WOMAN (?)": "the head perhaps of a woman",
    "MAN (HERMES?) BETWEEN SIRENS": "a man, perhaps Hermes, between sirens",
    # sentences have their own articles
    "Herakles wrestles the lion": "Herakles wrestles the lion",
}


SIDES = {
    "A: SATYR | B: MAENAD": "on one side a satyr, and on the other side a maenad",
    "A,B: YOUTHS | I: KOMAST": "on both sides youths, and in the tondo a komast",
    "A: PELEUS AND THETIS | B: PELEUS AND THETIS": "Peleus and Thetis on both sides",
    "AT HANDLE: PALMETTES | A: FIGHT": "at the handle palmettes, and on one side a fight",
    "A: SIREN | UNDER HANDLES: BIRDS": "on one side a siren, and under the handles birds",
    "A: SIREN | UH: BIRDS": "on one side a siren, and under the handles birds",
    "NECK, A: WARRIORS | BODY, B: CHARIOT": (
        "on one side of the neck warriors, and on the other side of the body a chariot"
    ),
    "SHOULDER: LION | ON EACH HANDLE PLATE: SPHINX": "on the shoulder a lion, and on each handle plate a sphinx",
    "SHOULDER: LION": "on the shoulder a lion",
    "A: LION": "a lion",
    "A: LION | A: BOAR": "on one side a lion, and a boar",
    "RIGHT: COLUMN | ON THE STAND: ANIMALS": "on the right a column, and on the stand animals",
    "NECK, A: OWL | NECK, B: SWAN": "on the neck an owl at the front and a swan at the back",
    "BELOW: HOUNDS | ABOVE: RAYS": "in the zone below hounds, and in the zone above rays",
    "I, ACHILLES; A-B, HORSEMEN": "in the tondo Achilles, and on both sides horsemen",
}


@pytest.mark.parametrize(("decoration", "words"), (SCENES | SIDES).items())
def test_reference_caption_words_scenes_and_the_parts_of_a_vase(decoration, words):
    record = {"Fabric": "ATHENIAN", "Shape Name": "HYDRIA", "Decoration": decoration}
    caption = reference_caption(record)
    assert caption == f"Athenian hydria, depicting {words}."
    assert parse_caption(caption) == parse_record(record)


SHAPES = {
    "KRATER, COLUMN FRAGMENT": "Fragment of an Athenian red-figure column-krater",
    "CUP FRAGMENTS": "Fragments of an Athenian red-figure cup",
    "KRATER, COLUMN (?) FRR": "Fragments of an Athenian red-figure vase, probably a column-krater",
    "LEKANIS LID": "Lid of an Athenian red-figure lekanis",
    "PYXIS LID FRAGMENT": "Fragment of the lid of an Athenian red-figure pyxis",
    "LID": "Athenian red-figure lid",
    "AMPHORA, NECK AND LID": "Athenian red-figure neck-amphora",
    "FIGURE VASE KANTHAROS": "Athenian red-figure kantharos",
    "FRAGMENT": "Fragment of an Athenian red-figure vase",
}


@pytest.mark.parametrize(("shape", "words"), SHAPES.items())
def test_reference_caption_words_what_is_left_of_a_vase_and_the_doubt_about_its_shape(shape, words):
    record = {"Fabric": "ATHENIAN", "Technique": "RED-FIGURE", "Shape Name": shape}
    first = f"{words[0].lower()}{words[1:]}" if words.partition(" ")[0] in ("Fragment", "Fragments", "Lid") else words
    for more, caption in (
        ({"Decoration": "LION"}, f"{words}, depicting a lion."),
        ({"Date": "-500 to -450"}, f"{first}, c. 500–450 BCE."),
    ):
        written = reference_caption(record | more)
        assert written == caption if more.keys() == {"Decoration"} else written.endswith(caption)
        assert re.match(r"Th(?:is|ese|is vase) (?:is an?|are) ", written) or "depicting" in written
        assert parse_caption(written) == parse_record(record | more)


def test_place_of_a_label_that_is_not_known_is_empty():
    assert place_of("handle plates, b") == "on the other side of the handle plates"
    assert place_of("kalyx") == ""


WORDS = "A: | B: | I: ,  AND WITH OF BETWEEN ( ? ) SATYR MAENADS HERAKLES DANCING PURSUING OLD LYRE ON SIDE 'S HEAD"


@given(st.lists(st.sampled_from(WORDS.split()), max_size=20).map(" ".join))
def test_reference_caption_states_a_decoration_of_any_words(decoration):
    record = {"Fabric": "ATHENIAN", "Shape Name": "HYDRIA", "Decoration": decoration}
    caption = reference_caption(record)
    assert parse_caption(caption).decoration == parse_record(record).decoration
    assert not re.search(r"\b(?:a|an|the) (?:a|an|the)\b", caption)


def test_reference_caption_repeats_no_phrase_of_a_long_description():
    figures = "YOUNG SATYR AND MAENAD WITH THYRSOS"
    decoration = f"A: {figures}, {figures}, {figures}, {figures} | B: DRAPED YOUTHS | I: {figures}, {figures}"
    caption = reference_caption({"Fabric": "ATHENIAN", "Decoration": decoration})
    assert caption == "Athenian vase, depicting a young satyr and a maenad with a thyrsos, draped youths."


def test_reference_caption_lists_words_only_if_phrases_would_be_far_too_long():
    def record(num_figures: int) -> dict[str, str]:
        figures = [f"{chr(97 + i % 26)}{chr(97 + i // 26)}figure" for i in range(num_figures)]
        return {"Fabric": "ATHENIAN", "Decoration": " AND ".join(f"{figure} WITH SHIELD" for figure in figures).upper()}

    assert not lists_keywords(record(15)) and " with " in reference_caption(record(15))
    long = record(60)
    caption = reference_caption(long)
    assert lists_keywords(long) and " with " not in caption
    assert count_words(caption, RewardConfig()) < 70
    assert parse_caption(caption).decoration == parse_record(long).decoration


@pytest.mark.parametrize(
    ("phrase", "article"),
    [("owl", "an"), ("eunuch", "a"), ("one-handled cup", "a"), ("uninscribed stele", "an"), ("hour", "an")],
)
def test_indefinite_article(phrase, article):
    assert indefinite_article(phrase) == article
