"""Tests the wording of museums and dealers by kinds: one table for each dimension, each row another kind of wording."""

import pytest

from vaserl.rewards.vase import parse_caption


def ids(text: str, dimension: str) -> list[str]:
    return [term.id or term.text for term in parse_caption(text)[dimension]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # periods of Cyprus
        ("Cypro-Geometric III barrel jug, 850-750 BC", "cypriot"),
        ("Cypro-Archaic I amphora, Bichrome IV ware", "cypriot"),
        # an adjective of people, armour or customs is no fabric
        ("Red-figure kylix. Symposia played a central role in Athenian society.", ""),
        ("A black-figure amphora, much liked by Athenian painters.", ""),
        ("The Athenian general Perikles had died the year before this krater was painted", ""),
        ("A hoplite in a Corinthian-style helmet, black-figure lekythos", ""),
        ("The Attic peninsula was home to many potters. Skyphos.", ""),
        ("This krater was made by an Athenian artist who settled in Thurii.", "athenian"),
        # a museum's city is no place of production
        ("Red-figured bell-krater; National Archaeological Museum, Athens", ""),
        ("The vase is now in the National Archaeological Museum in Athens.", ""),
        ("Black-figure cup, Athens, National Museum 1104", ""),
        ("Kylix, Greek, Athens, about 480 BC", "athenian"),
        # a line of date and place
        ("Kylix\n5th century B.C.E.\nAthens, Greece\nTerracotta", "athenian"),
        ("Fifth century B.C.E. Athens, Greece. Red-figure kylix with athletes.", "athenian"),
        ("Black-figure cup. In sixth-century Athens such scenes were rare.", ""),
        # places that narrow a wider fabric
        ("Greek, South Italy, Campania; neck-amphora", "campanian"),
        ("Made in Apulia, Italy, about 350 BC; excavated at Canosa", "apulian"),
        # comparanda and models
        ("The closest parallels are Attic cups of the Haimon Group; this skyphos was made in Boeotia.", "boeotian"),
        ("For the shape, see the Corinthian examples in Payne. Bucchero oinochoe.", ""),
        ("This Etruscan black-figure amphora is closely modelled on Athenian prototypes.", "etruscan"),
        ("The shape depends on Attic models. Etruscan stamnos.", "etruscan"),
    ],
)
def test_parse_caption_reads_the_fabric_in_museums_wording(text, expected):
    assert ids(text, "fabric") == expected.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a finish that is described and not named
        ("The vase is covered in a glossy black slip, with no figured decoration.", "black_glaze"),
        ("Bowl coated with a lustrous black glaze.", "black_glaze"),
        ("A work made of terracotta, black-glaze with stamping.", "black_glaze"),
        ("The black glaze is worn at the rim", ""),
        # two techniques, of which one is told of
        ("Before the invention of red-figure, painters worked in black-figure, as on this amphora.", "black_figure"),
        ("Red-figure gradually replaced black-figure. This black-figure eye-cup is of that time.", "black_figure"),
        ("Red-figure gradually replaced black-figure", "red_figure black_figure"),
        ("Bilingual amphora with black figures on one side and red figures on the other", "bilingual"),
        ("Black-glazed kantharos with West Slope decoration", "black_glaze west_slope"),
    ],
)
def test_parse_caption_reads_the_technique_in_museums_wording(text, expected):
    assert ids(text, "technique") == expected.split()


def test_parse_caption_reads_a_date_under_the_label_of_an_object():
    facts = parse_caption("Object Name: Oinochoe fragment\nDates\nObject: 510-500 B.C.\nBegin: -510\nEnd: -500")
    assert [term.id for term in facts.shape] == ["oinochoe"]
    assert [(interval.start, interval.end) for interval in facts.dating] == [(-510, -500)]
