"""Tests that records in the words of museums state the same facts as records in the form of the Beazley Archive."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.reward_cases import records
from vaserl.curation.canon import canonical_record
from vaserl.curation.canon.sides import canonical_sides
from vaserl.curation.stages.questions import questions_about
from vaserl.rewards.vase import parse_caption, parse_record, reference_caption

V = {"Fabric": "Athenian", "Shape Name": "cup"}


def fields(**record: str) -> dict[str, str]:
    return dict(canonical_record({name.replace("_", " "): value for name, value in record.items()}).fields)


def answers(record: dict[str, str]) -> dict[str, str]:
    return {q.dimension: q.answer for q in questions_about(fields(**record))}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        *(("Fabric", text) for text in ("Unknown", "n/a", "N.A.", "-", "—", "?", "???", "[unknown]", " none ", "NULL")),
        *(("Attributed To", text) for text in ("Unknown Artist", "Artist unknown", "unidentified painter")),
        *(
            ("Attributed To", text)
            for text in ("Unknown (Greek)", "Unknown Attic potter", "not attributed", "Künstler unbekannt")
        ),
        *(
            ("Attributed To", text)
            for text in ("Unknown artist (Greek, 5th century BC)", "Greek, Attic", "anonymous | n/a")
        ),
        *(("Date", text) for text in ("Undated", "date unknown", "to be determined", "n.d.")),
        *(("Decoration", text) for text in ("none", "Undecorated", "not recorded", "No decoration.")),
        *(("Shape Name", text) for text in ("Unidentified", "(uncertain shape)", "inconnu")),
        *(("Technique", text) for text in ("not specified", "unknown technique", "x", "Terracotta", "Clay, fired")),
        ("Technique", "Wheel-thrown earthenware, slip-painted with incised detail"),
        ("Shape Name", "Fragments"),
        *(("Provenance", text) for text in ("Unknown", "findspot unknown", "n/a")),
    ],
)
def test_canonical_record_placeholders_are_absences(field, text):
    canonical = canonical_record({**V, "Fabric": "Athenian", field: text})
    assert field not in canonical.fields and canonical.absent == (field,)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("Decoration", "Unknown warrior"),
        ("Decoration", "Unidentified figure with a lyre"),
        ("Attributed To", "Group of Undetermined Mannerists"),
        ("Attributed To", "Painter of the Unknown Soldier"),
        ("Shape Name", "cup (type unknown)"),
        ("Fabric", "Attic, unknown workshop"),
        ("Technique", "plain"),
        ("Collection Record", "unknown"),
    ],
)
def test_canonical_record_placeholder_words_within_a_fact_stay(field, text):
    canonical = canonical_record({**V, field: text})
    assert canonical.fields[field] and not canonical.absent


def test_canonical_record_alternatives_that_name_nobody_are_left_out():
    assert answers({"Attributed To": "Eretria Painter | unknown"})["attribution"] == "the Eretria Painter"
    assert answers({"Fabric": "Attic; unknown"})["fabric"] == "Athenian"


@pytest.mark.parametrize(
    ("text", "scenes"),
    [
        ("Side A: Theseus. Side B: three youths", "on one side Theseus, and on the other side three youths"),
        ("Side A, Theseus; side B, three youths", "on one side Theseus, and on the other side three youths"),
        ("side a: Theseus; side b: three youths", "on one side Theseus, and on the other side three youths"),
        ("Side A Theseus / Side B three youths", "on one side Theseus, and on the other side three youths"),
        ("On side A, Theseus; on side B, a youth", "on one side Theseus, and on the other side a youth"),
        ("Side A shows Theseus. Side B shows a youth.", "on one side Theseus, and on the other side a youth"),
        ("Side A (obverse): Theseus. Side B (reverse): a youth.", "on one side Theseus, and on the other side a youth"),
        ("Side 1: Theseus, side 2: dog", "on one side Theseus, and on the other side a dog"),
        ("Obverse: Theseus; reverse: a youth", "on one side Theseus, and on the other side a youth"),
        ("Obv. Theseus; rev. youth", "on one side Theseus, and on the other side a youth"),
        ("Front: Theseus. Back: youth.", "on one side Theseus, and on the other side a youth"),
        ("Front - Theseus\nBack - youth", "on one side Theseus, and on the other side a youth"),
        ("On the front, Theseus; on the back, a youth", "on one side Theseus, and on the other side a youth"),
        ("One side: Theseus; other side: youth", "on one side Theseus, and on the other side a youth"),
        ("(a) Theseus, (b) youth", "on one side Theseus, and on the other side a youth"),
        ("A. Theseus; B. youth", "on one side Theseus, and on the other side a youth"),
        ("Theseus (A); youth (B)", "on one side Theseus, and on the other side a youth"),
        ("Theseus (obverse) and youth (reverse)", "on one side Theseus, and on the other side a youth"),
        ("Row A: two lions. Row B: Two sirens.", "on one side two lions, and on the other side two sirens"),
        ("Sides A and B: warrior", "a warrior"),
        ("Side A/B: warrior", "a warrior"),
        ("Interior: youth. Exterior: athletes", "in the tondo a youth, and on the outside athletes"),
        (
            "Tondo: youth; side A: athletes; side B: horses",
            "in the tondo a youth, on one side athletes, and on the other side horses",
        ),
        (
            "(a) Eros, [b) youth.\nNeck: (a) siren, [b) lion.",
            "on one side Eros, on the other side a youth, and on the neck a siren at the front and a lion at the back",
        ),
        (
            "on the shoulder, siren; on the body, cocks; under the handles, man",
            "on the shoulder a siren, on the body cocks, and under the handles a man",
        ),
        ("Depicts horsemen", "horsemen"),
        (
            "Pottery: red-figured cup.\nINTERIOR: youth.\nSide A (lower): dog.",
            "in the tondo a youth, and on one side a dog",
        ),
        ("Side A (lower): dog. Side \u0392 (upper): horse", "on one side a dog, and on the other side a horse"),
        ("Woman with a hydria. Youth", "a woman with a hydria, and a youth"),
        ("Large, shallow drinking cup depicts a youth with a cup", "a youth with a cup"),
        (
            "Interior: walking komastSide A: dancerSide B: youth",
            "in the tondo a walking komast, on one side a dancer, and on the other side a youth",
        ),
        (
            "Cup interior tondo: youth. Exterior side A: horse. Exterior side B: dog",
            "in the tondo a youth, on one side a horse, and on the other side a dog",
        ),
        (
            "Interior, youth\nExterior, obverse, girl\nReverse, boy",
            "in the tondo a youth, on one side a girl, and on the other side a boy",
        ),
        (
            "Top row: sirens. Middle: Hermes. Bottom: lion",
            "in the top row sirens, in the middle register Hermes, and at the bottom a lion",
        ),
        ("Above: rosettes; below: sirens", "in the zone above rosettes, and in the zone below sirens"),
        ("Siren; lion. Cf. the dinos in Paris.", "a siren and a lion"),
        ("Man with a stick in r. hand, moving to l.", "a man with a stick in the right hand, moving to the left"),
        ("chariot preceded by a snake -- a woman", "a chariot preceded by a snake, and a woman"),
        (
            "Row A: Hermes with Pandrosos. Row B: a king",
            "on one side Hermes with Pandrosos, and on the other side a king",
        ),
        # no names of sides: unchanged
        ("Theseus at the front of a chariot", "Theseus at the front of a chariot"),
        ("A: SATYR | B: MAENAD", "on one side a satyr, and on the other side a maenad"),
        ("A,B: WARRIOR", "a warrior"),
        ("A woman, seen from the back, with a mirror", "a woman, seen from the back, with a mirror"),
    ],
)
def test_canonical_record_sides_in_words(text, scenes):
    assert f"depicting {scenes}" in reference_caption(fields(**V, Decoration=text))


@pytest.mark.parametrize(
    ("text", "hand"),
    [
        ("Eucharides Painter, Near the", "a hand near the Eucharides Painter"),
        ("Near the Eucharides Painter", "a hand near the Eucharides Painter"),
        ("London E 489, Painter of", "the Painter of London E 489"),
        ("Undetermined Mannerists, Group of", "the Group of the Undetermined Mannerists"),
        ("Lydos, circle of", "the circle of Lydos"),
        ("Pan Painter (manner of)", "the manner of the Pan Painter"),
        ("Meidias Painter, follower of the", "a follower of the Meidias Painter"),
        ("Darius Painter, workshop", "the workshop of the Darius Painter"),
        ("Achilles Painter, attributed to", "the Achilles Painter"),
        ("Achilles Painter (attributed to)", "the Achilles Painter"),
        ("Painter, Berlin", "the Berlin Painter"),
        ("Attributed to the Berlin Painter", "the Berlin Painter"),
        ("Attr. to the Berlin Painter", "the Berlin Painter"),
        ("Attributed as Workshop of the Athena Painter", "the workshop of the Athena Painter"),
        ("Attributed to the Manner of the Pan Painter [Clark]", "the manner of the Pan Painter"),
        ("Myson (Greek (Attic), active 500-475 B.C.)", "Myson"),
        ("Myson, Greek, Attic, active ca. 490–480 B.C.", "Myson"),
        ("Pan Painter, c. 500-460 BC", "the Pan Painter"),
        ("Pan Painter active 505-475 BC", "the Pan Painter"),
        ("Pan Painter (Athenian, 5th century BC)", "the Pan Painter"),
        ("Lydos (formerly known as the Meleager Painter)", "Lydos"),
        ("Lydos, also called the Lydan", "Lydos"),
        ("Exekias, potter and painter", "Exekias"),
        ("Exekias (potter)", "Exekias"),
        ("Andokides_signed", "Andokides"),
        ("Lysippides_p_manner", "the manner of the Lysippides Painter"),
        ("Painter of Berlin 1686", "the Painter of Berlin 1686"),
        ("Painter of New York 06.1021.154", "the Painter of New York 06.1021.154"),
        ("Group E", "Group E"),
        ("Class of Athens 581, i", "the Class of Athens 581"),
        ("Hieron (potter); Makron (painter)", "Hieron"),
        ("Attributed to a painter of the Princeton Group", "the Princeton Group"),
        ("Exekias_signed_as_potter_and_painter", "Exekias"),
        ("Douris painted it", "Douris"),
        ("Painter Makron", "Makron"),
        ("Painter N", "Painter N"),
        ("By the Foundry Painter and the potter Brygos", "the Foundry Painter"),
    ],
)
def test_canonical_record_names_of_hands(text, hand):
    record = {"Attributed To": text}
    assert answers(record)["attribution"] == hand
    assert len(parse_record(fields(**record)).attribution) == (2 if ";" in text or " and the " in text else 1)


@pytest.mark.parametrize(
    "text",
    ["ANTIMENES P by BEAZLEY | LYSIPPIDES P by BEAZLEY", "<em>Near</em> ANTIMENES P by SHEFTON", "GROUP E by BEAZLEY"],
)
def test_canonical_record_of_the_archive_itself_is_unchanged(text):
    assert fields(**{"Attributed To": text, "Date": "-525 to -475", "Decoration": "A: SATYR"}) == {
        "Attributed To": text,
        "Date": "-525 to -475",
        "Decoration": "A: SATYR",
    }


@pytest.mark.parametrize(
    ("record", "caption"),
    [
        ({"Fabric": "Greek", "Technique": "Red-figure"}, "This is a red-figure vase."),
        ({"Fabric": "Attic Black Figure", "Shape Name": "Amphora"}, "This vase is an Athenian black-figure amphora."),
        ({"Technique": "Terracotta; red-figure"}, "This is a red-figure vase."),
        (
            {"Technique": "terracotta, black-figure technique on white-ground"},
            "This is a black-figure and white-ground vase.",
        ),
        (
            {"Shape Name": "Black-Figure Dinos (Mixing Vessel)", "Technique": "Ceramic"},
            "This vase is a black-figure dinos.",
        ),
        ({"Shape Name": "Attic red-figure krater", "Fabric": "Apulian"}, "This vase is an Apulian red-figure krater."),
        ({"Shape Name": "Corinthian-type skyphos"}, "This vase is a Corinthian-type skyphos."),
        ({"Shape Name": "Red Figure Cup: Type C"}, "This vase is a red-figure type C cup."),
        ({"Shape Name": "Attic cup", "Fabric": "Greek, Classical period"}, "This vase is an Athenian cup."),
        ({"Shape Name": "Apulian Gnathian squat lekythos"}, "This vase is a Gnathian squat lekythos."),
    ],
)
def test_canonical_record_facts_in_the_field_of_another_dimension(record, caption):
    assert reference_caption(canonical_record(record).fields) == caption


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("1st century A.D.", "c. 1–100 CE"),
        ("1st c. AD", "c. 1–100 CE"),
        ("3rd c. after Christ", "c. 201–300 CE"),
        ("second half of the 1st century CE", "c. 51–100 CE"),
        ("1st-2nd century C.E.", "c. 1–200 CE"),
        ("A.D. 50-100", "c. 50–100 CE"),
        ("AD 79", "c. 69–89 CE"),
        ("A.D. 2nd century", "c. 101–200 CE"),
        ("50 B.C.-A.D. 50", "c. 50 BCE–50 CE"),
        ("II century CE", "c. 101–200 CE"),
        ("IV-III century BC", "c. 400–200 BCE"),
        ("V sec. a.C.", "c. 500–400 BCE"),
        ("5. Jh. v. Chr.", "c. 500–400 BCE"),
        ("Ve siècle av. J.-C.", "c. 500–400 BCE"),
        ("5th century before Christ", "c. 500–400 BCE"),
        ("6th century B.C.", "c. 600–500 BCE"),
    ],
)
def test_canonical_record_eras_and_centuries(text, date):
    assert answers({"Date": text})["dating"] == date


@pytest.mark.parametrize(
    ("text", "caption"),
    [
        ("Mixing Vessel", "This vase is a krater."),
        ("Oil flask", "This vase is a lekythos."),
        ("one-handled cup", "This vase is a one-handled cup."),
        ("Storage vessel", "This is a vase. Shape: storage vessel."),
        ("Terracotta column-krater (bowl for mixing wine and water)", "This vase is a column-krater."),
        ("unguentarium", "This vase is an unguentarion."),
        ("Black and Plain Pottery | Cup | Type C | Concave Lip", "This vase is a type C cup."),
        ("Attic red-figure kylix", "This vase is an Athenian red-figure cup."),
        ("Fragment of a kylix", "This is a fragment of a cup."),
        ("Pottery | Kantharos | Cup-Kantharos | Plain Rim", "This vase is a kantharos."),
        ("Pottery > Lekythos > Squat Lekythos > Late", "This vase is a squat lekythos."),
        ("Plain Pottery | Small Bowl and Saltcellar | Saltcellar | Footed", "This is a vase. Shape: saltcellar."),
        ("Plain Pottery | Lopas", "This is a vase. Shape: lopas."),
        ("Skyphos | Corinthian Type", "This vase is a Corinthian-type skyphos."),
        ("lekythos | hydria", "This vase is a lekythos and hydria."),
    ],
)
def test_canonical_record_shapes_and_their_articles(text, caption):
    assert reference_caption(fields(**{"Shape Name": text})) == caption


@pytest.mark.parametrize(
    ("technique", "sub", "expected"),
    [
        ("BLACK-FIGURE", "WHITE GROUND", "BLACK-FIGURE | white-ground"),
        ("BLACK-FIGURE", "SIX'S TECHNIQUE", "BLACK-FIGURE | Six's technique"),
        ("", "WHITE GROUND", "white-ground"),
        ("WHITE GROUND", "WHITE GROUND", "WHITE GROUND"),
        ("RED-FIGURE", "COLUMN", "RED-FIGURE"),
    ],
)
def test_canonical_record_adds_the_sub_technique(technique, sub, expected):
    record = {"Technique": technique, "Sub Technique": sub}
    canonical = canonical_record(record).fields
    assert (canonical["Technique"], canonical["Sub Technique"]) == (expected, sub)
    assert canonical_record(canonical).fields == canonical


def test_reference_of_sixty_motifs_is_a_list_that_can_be_read():
    motifs = [
        f"{a} {b}"
        for a in ("young", "old", "seated")
        for b in ["satyr", "maenad", "warrior", "youth", "woman", "horse", "dog", "lion"]
    ]
    motifs += [f"{animal} device" for animal in ["bull", "deer", "owl", "snake", "hare", "hen", "fox", "goat"]]
    caption = reference_caption({**V, "Decoration": ", ".join([*motifs, *motifs[:9]])})
    assert "a young satyr, a young maenad, a young warrior" in caption, "phrases, not stems"
    assert caption.count("satyr") == 3 and caption.count("a bull device") <= 1, "each phrase that adds a word, once"


def test_reference_of_a_long_description_keeps_its_prepositions_as_far_as_its_length_allows():
    text = (
        "A: Herakles wrestles the lion, while Athena and Iolaos watch; behind them a tree, on which hang his bow, "
        "quiver and cloak; the club leans against the trunk. An old man with a staff sits at the left, and a woman "
        "with a torch stands at the right | B: Dionysos between two satyrs and two maenads, who dance to the sound of "
        "the flute, while a goat runs beside them toward the left and another follows it"
    )
    caption = reference_caption({"Decoration": text})
    assert "old man with staff sits at left" in caption
    assert "Dionysos between two satyrs and two maenads" in caption and "the " not in caption
    assert parse_caption(caption).decoration == parse_record({"Decoration": text}).decoration


@settings(deadline=None, max_examples=50)
@given(records)
def test_canonical_record_is_a_fixed_point_and_keeps_the_archives_facts(record):
    canonical = canonical_record(record)
    assert parse_record(canonical.fields) == parse_record(record)
    assert canonical_record(canonical.fields) == canonical_record(dict(canonical.fields))
    assert canonical_record(canonical.fields).fields == canonical.fields


@settings(deadline=None, max_examples=100)
@given(
    st.text("abAB :;,.()[]|-Sideofthe 15th BCE?\n", max_size=60),
    st.sampled_from(["Decoration", "Attributed To", "Date"]),
)
def test_canonical_record_of_any_text_raises_nothing(text, field):
    canonical = canonical_record({field: text})
    assert set(canonical.fields) <= {field}


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("Neck: (a) siren, (b) female head", "neck, A: siren | neck, B: female head"),
        ("Neck: (a) and (b) female head", "neck, A,B: female head"),
        (
            "(a) Eros, (b) youth. Neck: (a) siren to l. Foot: rays",
            "A: Eros | B: youth | neck, A: siren to left | foot: rays",
        ),
        (
            "On the neck, (a) siren, (b) owl; on the body, (a) fight, (b) komos",
            "neck, A: siren | neck, B: owl | body, A: fight | body, B: komos",
        ),
        ("Neck: A: siren; B: owl", "neck, A: siren | neck, B: owl"),
        (
            "On the neck: A, siren; B, owl. A, Herakles; B, komos.",
            "neck, A: siren | neck, B: owl | A: Herakles | B: komos",
        ),
        ("neck, A: siren | neck, B: owl", "neck, A: siren | neck, B: owl"),
        ("Neck: palmettes. Body: fight", "Neck: palmettes. Body: fight"),
        ("A. Hector arming B. komos", "A: Hector arming | B: komos"),
        ("I, satyr. A, fight. B, komos", "I: satyr | A: fight | B: komos"),
        ("A, fight. B, komos. On A, inscription", "A: fight | B: komos | A: inscription"),
        ("A, Athena. B is lost.", "A: Athena"),
        ("(a) Seated women", "A: Seated women"),
        ("Peleus. On shoulder, komos", "Peleus | shoulder: komos"),
        ("egg in r., stick top l., moving to r.", "egg in right hand, stick at the top left, moving to right"),
    ],
)
def test_canonical_sides_of_a_part_keep_their_part(text, sides):
    assert canonical_sides(text) == sides == canonical_sides(sides)
