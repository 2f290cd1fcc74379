"""Tests the facts that the parser reads from captions and records against facts by hand."""

import pytest

from vaserl.rewards.vase import (
    Attribution,
    Facts,
    Term,
    YearInterval,
    parse_caption,
    parse_record,
    parse_value,
    reference_caption,
)


def facts(fabric="", technique="", shape="", dating=(), decoration="", attribution=()) -> Facts:
    def terms(ids: str) -> tuple[Term, ...]:
        return tuple(Term(i, "") for i in ids.split())

    return Facts(
        fabric=terms(fabric),
        technique=terms(technique),
        shape=terms(shape),
        dating=tuple(YearInterval(*i) for i in dating),
        decoration=tuple(decoration.split()),
        attribution=tuple(Attribution(*a) for a in attribution),
    )


ANTIMENES = ("antimenes", "painter", "")

CAPTIONS = {
    "Athenian black-figure neck-amphora, c. 525–475 BCE, with a warrior, attributed to the Antimenes Painter": facts(
        "athenian", "black_figure", "amphora/neck", [(-525, -475)], "warrior", [ANTIMENES]
    ),
    "Attic red figure kylix, about 480 BC, by the Brygos Painter; interior: a youth with a hydria.": facts(
        "athenian", "red_figure", "cup", [(-490, -470)], "youth hydria", [("brygos", "painter", "")]
    ),
    "Depicting a warrior, this Athenian black-figure amphora dates to the late 6th century BCE.": facts(
        "athenian", "black_figure", "amphora", [(-533, -500)], "warrior"
    ),
    "Terracotta neck-amphora (jar). Greek, Attic, black-figure, ca. 540 B.C. Attributed to Exekias.": facts(
        "athenian", "black_figure", "amphora/neck", [(-550, -530)], "", [("exekias", "", "")]
    ),
    "Terracotta column-krater (bowl for mixing wine and water), Corinthian": facts("corinthian", "", "krater/column"),
    "Black-figured hydria decorated in the black-figure technique with Herakles and the Nemean lion.": facts(
        "", "black_figure", "hydria", [], "herakle nemean lion"
    ),
    "A: Herakles and Athena. B: Dionysos between satyrs. Athenian belly-amphora.": facts(
        "athenian", "", "amphora/belly", [], "herakle athena dionysos satyr"
    ),
    "Campanian red-figure skyphos: a youth and a woman; workshop of the Whiteface Painter": facts(
        "campanian", "red_figure", "skyphos", [], "youth woman", [("whiteface", "painter", "workshop")]
    ),
    "Lucanian bell-krater with a woman by the altar, by Lydos": facts(
        "lucanian", "", "krater/bell", [], "woman altar", [("lydos", "", "")]
    ),
    # A painted vase and a painted helmet are neither shape nor fabric.
    "Athenian cup depicting a warrior in a Corinthian helmet and a woman with a hydria": facts(
        "athenian", "", "cup", [], "warrior corinthian helmet woman hydria"
    ),
    # The family restates the subtype, the century its quarter.
    "A lekythos of the 5th century BC. This squat lekythos was made in 425–400 BC": facts(
        "", "", "lekythos/squat", [(-425, -400)]
    ),
    "Shown on an Athenian cup are two lions": facts("athenian", "", "cup", [], "lion"),
    "Black-figure or red-figure cup or skyphos, Athenian or Apulian": facts(
        "athenian apulian", "black_figure red_figure", "cup skyphos"
    ),
    "attributed to the Pan Painter or the Leningrad Painter": facts(
        attribution=[("pan", "painter", ""), ("leningrad", "painter", "")]
    ),
    "attributed to Lydos or to the Painter of Louvre F 6, c. 550 BC": facts(
        dating=[(-560, -540)], attribution=[("lydos", "", ""), ("of louvre f 6", "painter", "")]
    ),
    "Lydos painted this Attic cup; the rest is the work of Exekias": facts(
        "athenian", "", "cup", [], "rest", [("lydos", "", ""), ("exekias", "", "")]
    ),
    "Attic, red-figure, cup, Lydos": facts("athenian", "red_figure", "cup", [], "", [("lydos", "", "")]),
    "Attic cup, Brygos Painter": facts("athenian", "", "cup", [], "", [("brygos", "painter", "")]),
    "By the Brygos Painter: an Attic cup": facts("athenian", "", "cup", [], "", [("brygos", "painter", "")]),
    "Fabric: Athenian. The cup shows a lion. Painter: near Lydos; a satyr": facts(
        "athenian", "", "cup", [], "lion satyr", [("lydos", "", "near")]
    ),
    "A cup made in Attica and found in Boeotia": facts("athenian", "", "cup"),
    "<p>Athenian <b>black&#45;figure</b> cup</p>": facts("athenian", "black_figure", "cup"),
    "**Athenian** `black_figure` cup": facts("athenian", "black_figure", "cup"),
    "": Facts(),
    "   \n\t": Facts(),
    "Describe the vase.": Facts(),
}


@pytest.mark.parametrize(("text", "expected"), CAPTIONS.items(), ids=range(len(CAPTIONS)))
def test_parse_caption_by_hand(text, expected):
    assert parse_caption(text) == expected


ATTRIBUTIONS = {
    "ANTIMENES P by BEAZLEY": [ANTIMENES],
    "LYDOS by BEAZLEY": [("lydos", "", "")],
    "LEAGROS GROUP by BEAZLEY": [("leagros", "group", "")],
    "GROUP E by BEAZLEY": [("e", "group", "")],
    "PAINTER N by BEAZLEY": [("n", "painter", "")],
    "P OF BERLIN 1686 by BEAZLEY": [("of berlin 1686", "painter", "")],
    "PAINTER OF LOUVRE F6 by BEAZLEY": [("of louvre f 6", "painter", "")],
    "CLASS OF CABINET DES MEDAILLES 218 by BEAZLEY": [("of cabinet des medailles 218", "class", "")],
    "<em>Near</em> ANTIMENES P by SHEFTON": [("antimenes", "painter", "near")],
    "<em>Manner of</em> HAIMON P by HASPELS": [("haimon", "painter", "manner")],
    "<em>Compare</em> KLEOPHRADES P by BEAZLEY": [],
    "FOLLOWER OF DOURIS by BEAZLEY": [("douris", "", "follower")],
    "WORKSHOP OF THE ATHENA P by HASPELS": [("athena", "painter", "workshop")],
    "BERLIN P, LATE by BEAZLEY": [("berlin", "painter", "")],
    "ANTIMENES P (?) by BEAZLEY": [ANTIMENES],
    "ANTIMENES P by BEAZLEY, BOTHMER": [ANTIMENES],
    "ANTIMENES P by BEAZLEY | <em>Near</em> PRIAM P by MOON": [ANTIMENES, ("priam", "painter", "near")],
    "LEAGROS GROUP, ANTIOPE P by BEAZLEY": [("leagros", "group", ""), ("antiope", "painter", "")],
    "UNATTRIBUTED": [],
    "": [],
}


@pytest.mark.parametrize(("field", "expected"), ATTRIBUTIONS.items())
def test_read_names_and_display_are_inverse(field, expected):
    record = {"Fabric": "ATHENIAN", "Attributed To": field}
    found = parse_record(record).attribution
    assert found == tuple(Attribution(*a) for a in expected)
    assert parse_caption(reference_caption(record)).attribution == found


RECORDS = {
    ("Shape Name", "AMPHORA, NECK (?)"): ("shape", (Term("amphora/neck", ""),)),
    ("Shape Name", "CUP B"): ("shape", (Term("cup/type_b", ""),)),
    ("Shape Name", "CUP, LITTLE MASTER LIP"): ("shape", (Term("cup/lip", ""),)),
    ("Shape Name", "LEKYTHOS FRAGMENT"): ("shape", (Term("lekythos", ""),)),
    ("Shape Name", "MORTARIUM"): ("shape", (Term("", "mortarium"),)),
    ("Fabric", "EAST GREEK"): ("fabric", (Term("east_greek", ""),)),
    ("Technique", "BLACK-FIGURE | WHITE GROUND"): ("technique", (Term("black_figure", ""), Term("white_ground", ""))),
    ("Technique", "SIX'S TECHNIQUE"): ("technique", (Term("six", ""),)),
    ("Date", "-525 to -475"): ("dating", (YearInterval(-525, -475),)),
    ("Date", "-500"): ("dating", (YearInterval(-510, -490),)),
    ("Decoration", "A,B: WARRIOR"): ("decoration", ("warrior",)),
    ("Decoration", "A: WARRIORS, HORSEMEN (?) | B: SATYR | UNDER HANDLES: EYES"): (
        "decoration",
        ("warrior", "horseman", "satyr", "eye"),
    ),
    ("Decoration", "BODY: WOMAN WITH HYDRIA | SHOULDER: PALMETTES"): ("decoration", ("woman", "hydria", "palmette")),
    ("Provenance", "VULCI"): ("shape", ()),
}


@pytest.mark.parametrize(("field", "expected"), RECORDS.items(), ids=range(len(RECORDS)))
def test_parse_record_by_hand(field, expected):
    dimension, values = expected
    assert parse_record(dict([field]))[dimension] == values


def test_parse_caption_reads_labels():
    text = (
        "Fabric: Athenian; Technique: Black-figure; Shape: neck-amphora; Date: 525-475; Decoration: A: warrior; "
        "Attribution: Antimenes Painter"
    )
    expected = facts("athenian", "black_figure", "amphora/neck", [(-525, -475)], "warrior", [ANTIMENES])
    assert parse_caption(text) == expected
    assert parse_caption(text.replace("; ", "\n")) == expected
    assert parse_caption("**" + text.replace("; ", "\n**").replace(":", ":**")) == expected
    # A label hides neither the free text beside it nor another label of the same dimension.
    assert parse_caption("Corinthian cup. Fabric: Athenian. Fabric: Apulian") == facts(
        "athenian apulian corinthian", "", "cup"
    )


def test_parse_record_keeps_the_words_of_unknown_terms():
    assert parse_caption("Athenian vase. Shape: Mortarium.").shape == (Term("", "mortarium"),)


@pytest.mark.parametrize(
    ("dimension", "answer", "expected"),
    [
        ("fabric", "The fabric of the vase is ATHENIAN.", (Term("athenian", ""),)),
        ("technique", "It is a red-figured vase", (Term("red_figure", ""),)),
        ("shape", "Lekythos", (Term("lekythos", ""),)),
        ("dating", "The date of the vase is -525 to -475.", (YearInterval(-525, -475),)),
        ("dating", "500", (YearInterval(-510, -490),)),
        ("attribution", "The attribution of the vase is ANTIMENES P by BEAZLEY.", (Attribution(*ANTIMENES),)),
        ("attribution", "by the Antimenes Painter", (Attribution(*ANTIMENES),)),
        ("attribution", "It is attributed to the Antimenes Painter.", (Attribution(*ANTIMENES),)),
        ("decoration", "The decoration of the vase is A: WARRIOR.", ("warrior",)),
    ],
)
def test_parse_value_by_hand(dimension, answer, expected):
    found = parse_value(dimension, answer)
    assert found[dimension] == expected
    assert found == Facts(**{dimension: expected})


def test_parse_caption_reads_only_the_beginning_of_a_long_text():
    assert parse_caption("x " * 2001 + "Athenian cup") == parse_caption("x " * 2000)
    assert parse_caption("Athenian cup " + "x" * 100_000).shape == (Term("cup", ""),)


@pytest.mark.parametrize(
    ("record", "caption"),
    [
        (
            {"Fabric": "EUBOEAN", "Technique": "WHITE GROUND", "Decoration": "HERAKLES AND THE LION"},
            "Euboean white-ground vase, depicting Herakles and the lion.",
        ),
        ({"Shape Name": "OINOCHOE"}, "This vase is an oinochoe."),
        (
            {"Shape Name": "CUP B", "Decoration": "A: FIGHT | B: DRAPED YOUTHS | I: KOMAST", "Date": "-500"},
            "Type B cup, c. 510–490 BCE, "
            "depicting on one side a fight, on the other side draped youths, and in the tondo a komast.",
        ),
        (
            {"Fabric": "ATHENIAN", "Decoration": "A: MAN AND WOMAN | B: MAN AND WOMAN", "Shape Name": "MORTARIUM"},
            "Athenian vase, depicting a man and a woman on both sides. Shape: mortarium.",
        ),
        (
            {"Fabric": "ATHENIAN", "Attributed To": "<em>Manner of</em> HAIMON P by HASPELS | LYDOS by BEAZLEY"},
            "Athenian vase, attributed to the manner of the Haimon Painter or Lydos.",
        ),
    ],
)
def test_reference_caption_reads_like_a_museums(record, caption):
    assert reference_caption(record) == caption


def test_reference_caption_of_a_technique_that_is_named_after_a_place_states_no_fabric():
    record = {"Fabric": "UNHEARD OF", "Technique": "GNATHIA TECHNIQUE"}
    assert parse_caption(reference_caption(record)) == parse_record(record)
    assert parse_caption("Gnathia technique vase, made in Gnathia").fabric == (Term("gnathian", ""),)


def test_reference_caption_refuses_a_record_without_a_dimension():
    with pytest.raises(ValueError, match="none of the six dimensions"):
        reference_caption({"Provenance": "VULCI"})
