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
        ("Ancient Greece, Attic culture, ca. 5th century BCE", "athenian"),
        # places in myths
        ("Theseus kills the Minotaur of Crete; cup", ""),
        ("Medea arrives in Corinth: Lucanian hydria", "lucanian"),
        ("Cup with Athena, made in Athens", "athenian"),
        # fields without marks between them
        ("Title: Kylix Culture: Greek, South Italian, Apulian Period: Late Classical Date: ca. 340 B.C.", "apulian"),
        # peoples, roots, regions in a list
        ("The story was known to the Athenians; cup", ""),
        ("Attic amphora; the technique has Protocorinthian roots", "athenian"),
        ("Regions with workshops were Apulia, Lucania, Paestum and Campania. A bail-amphora.", ""),
        ("Siana cup, found at Siana, Rhodes", ""),
        ("Cup\nPlace of discovery\nEretria\nCulture\nAttic", "athenian"),
        # places behind a word that is no vessel
        ("Kept by the Antiquities Office of the City of Athens; alabastron", ""),
        ("A prince from Athens, one of seven youths, slays the bull. Pot.", ""),
        ("The prize at the games was oil from the trees of Athens. Amphora.", ""),
        ("A black-figure cup from Athens", "athenian"),
        ("A stamnos, painted in the city of Attica in Greece", "athenian"),
        ("Polygnotos, working at Athens, painted this stamnos", "athenian"),
        ("The potters of Athens made this kylix", "athenian"),
        ("A krater from a Campania workshop", "campanian"),
        # comparanda and models
        ("The style is close to that of Corinthian vases, but the clay is Boeotian.", "boeotian"),
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
        ("A miniature skyphos with a linear decoration in black-glaze.", "black_glaze"),
        ("The amphora bears bands of decoration in the Late Geometric style", "geometric"),
        ("This amphora is a masterpiece of Geometric art", "geometric"),
        ("Hydria, black inside except for the red-figure scene at the front", "red_figure"),
        ("Corinthian jug with a wild goat and lion", ""),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a heading with an English word, and the name below it
        (
            "Pitcher with waterbirds\nWith its rows of goats and other animals, this oinochoe is a fine example of the "
            "Wild Goat style, which artists of the Greek east developed.",
            "oinochoe",
        ),
        (
            "Hydria\nThe woman on the left pours wine from an oinochoe for the warrior, who holds a phiale, and the "
            "old man on the right leans on his staff.",
            "hydria",
        ),
        # a subtype in brackets
        ("Lekythos (squat)", "lekythos/squat"),
        ("Amphora (Nolan)", "amphora/nolan"),
        # the vessel that carries the scene
        ("A maenad carrying a thyrsos and a kantharos on a skyphos", "skyphos"),
        ("A satyr sits on an amphora; red-figure hydria", "hydria"),
        ("Satyrs dance on a vase of this shape, called a bell krater.", "krater/bell"),
        ("Dionysos holds out a kantharos to a maenad; red-figure pelike", "pelike"),
        # a type that only the prose tells
        (
            "Pyxis\nThis tripod pyxis from a workshop in Boeotia stands on three broad feet, and each of them shows a "
            "pair of sphinxes.",
            "pyxis/tripod",
        ),
        # an ordinary word beside a shape is no misspelt type, a vessel in a credit line is no donor
        ("A painted amphora", "amphora"),
        ("A poited amphora", "amphora/pointed"),
        ("A volute krater acquired by the museum in 1983", "krater/volute"),
        # an English word on another line than the name
        ("Oinochoe\nObject: jug", "oinochoe"),
        # plain words explain a name, unless "or" joins them
        ("A skyphos, or cup; bowl", "skyphos"),
        ("A cup or a skyphos", "cup skyphos"),
    ],
)
def test_parse_caption_reads_the_shape_in_museums_wording(text, expected):
    assert ids(text, "shape") == expected.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # participles before "by"
        ("Decorated by the so-called Micali Painter", "micali painter"),
        ("The vase was decorated by Nearchos, whose son was a potter", "nearchos"),
        ("Possibly executed by the Ixion Painter", "ixion painter"),
        # a name behind "known as"; possessives
        ("Attributed to the hand of the artist known as the Marsyas Painter", "marsyas painter"),
        ("Attributed to the Meleager Painter's workshop", "meleager painter workshop"),
        # letters and strokes within a name
        ("Attributed to the V. and A. Group", "va group"),
        ("Attributed to the Group of Bologna 585/Trieste S 403", "of bologna 585 trieste s 403 group"),
        ("Red-figure lekanis, Group of Vatican G 23", "of vatican g 23 group"),
        # relatives, pupils and models of a painter
        ("The Andokides Painter was a pupil of Exekias. He painted this amphora.", "andokides painter"),
        ("Attributed to the Berlin Painter, the teacher of the Achilles Painter", "berlin painter"),
        ("The Pan Painter, a pupil of Myson, decorated this krater.", "pan painter"),
        ("Pupil of Myson", "myson follower"),
        ("Similar to the work of the Theseus Painter", ""),
        ("The stables recall the Attic cup by the Amasis Painter", ""),
        # words and points that belong to no name
        ("Creator: Paidikos (Greek, active ca. 530-500 BC)", "paidikos"),
        ("After Carlsruhe Painter (Greek)", "carlsruhe painter follower"),
        ("The Painter of Athens 1826 takes his name from a lekythos", "of athens 1826 painter"),
        ("Creator: Group of Vatican G. 57", "of vatican g 57 group"),
        ("Attributed to the painters of the A.V. Group", "a v group"),
        ("Karneia Painter's name vase", "karneia painter"),
        ("An amphora manufactured in the Dipylon workshop", "dipylon workshop"),
        # signatures, alternatives, scholars
        ("Epiktetos egrapsen", "epiktetos"),
        ("Lysippides Painter or Andokides Painter", "lysippides painter; andokides painter"),
        ("Attributed to Psiax [D. von Bothmer]", "psiax"),
        ("The Attic vase-painter Kleitias and the potter Ergotimos made this krater", "kleitias; ergotimos"),
        ("Attributed to a potter working in Athens", ""),
        ("A group of dancers, black-figure", ""),
        # roles that a hyphen joins, that two names share, and that are no painter's
        ("Signed by no one, but close to the Cuttlefish-Painter", "cuttlefish painter near"),
        ("Attributed to the Darius and Underworld Painters", "darius painter; underworld painter"),
        ("Attributed to an artist in the Sydney Cluster", "sydney cluster"),
        ("Pyxis, Attic, Workshop of Athens 894", "athens 894 workshop"),
        ("The product of a similar workshop, a Campania workshop", ""),
        ("By an artist dubbed by modern scholars as the Naples Painter", "naples painter"),
        ("A cup by an artist whose name is Exekias", "exekias"),
        # what is said of an artist beside his name
        ("Pamphaios, one of the potters of Athens, made this kylix", "pamphaios"),
        ("Attributed to Makron and showing a symposium", "makron"),
        ("Attributed to\nthe Briseis Painter\nand the Brygos Painter", "briseis painter; brygos painter"),
        # the career in the value of a label
        ("Creator: Syleus Painter (Greek, active ca. 490-470 BC) (?)", "syleus painter"),
    ],
)
def test_parse_caption_reads_the_hand_in_museums_wording(text, expected):
    facts = parse_caption(text)
    hands = {" ".join(filter(None, (a.name.replace("-", " "), a.role, a.qualifier))) for a in facts.attribution}
    assert hands == set(filter(None, expected.split("; ")))
    assert not facts.dating


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Culture: Greek/Attic\nPeriod: 440-400 B.C.\nMaterial: Terracotta", [(-440, -400)]),
        ("Period: Classical, ca. 450 BC\nShape: cup", [(-460, -440)]),
        ("Period: Archaic, 600-480 BC\nShape: cup", []),
        ("Period: Classical, 450-430 BC\nDate: ca. 440 BC", [(-450, -430)]),
    ],
)
def test_parse_caption_takes_the_dates_of_a_period_if_there_are_no_others(text, expected):
    assert [(interval.start, interval.end) for interval in parse_caption(text).dating] == expected


PICTURE = "On this Attic cup a youth with a lyre stands before an altar. He wears a mantle. On the back is a warrior. "


@pytest.mark.parametrize(
    "sentence",
    [
        # customs and myths are told in the past tense, and by authors
        "Worshippers could give sheep and libations to the gods, or a tripod.",
        "The hero was sent by the king to fetch the horses of Diomedes.",
        "According to Homer, the centaur carries a tree and fights the Lapiths.",
        "The Iliad tells of the chariot race and of the funeral.",
        # a donor's initials end no credit line
        "Gift of Philip D. Armour and Charles L. Horse, 1889.",
    ],
)
def test_parse_caption_leaves_out_what_prose_tells_beside_the_picture(sentence):
    filler = (
        "The cup is one of several in the case, and its foot and both of its handles are complete and well preserved."
    )
    alone = parse_caption(PICTURE + filler).decoration
    assert {"youth", "lyre", "altar", "mantle", "warrior"} <= set(alone)
    assert parse_caption(PICTURE + filler + " " + sentence).decoration == alone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # mouldings and parts of the vessel have the names of things in pictures
        ("Attic hydria with a fillet at the join of shoulder and neck", ()),
        ("Attic lekythos, disc foot with a ring at the stem", ()),
        ("Attic cup, woman with a fillet", ("woman", "fillet")),
        # a participle before the vessel opens no picture
        ("This painted amphora is Attic", ()),
        ("The scene on this amphora is a chariot race", ("chariot", "race")),
    ],
)
def test_parse_caption_tells_the_form_of_a_vessel_from_its_picture(text, expected):
    assert parse_caption(text).decoration == expected


def test_parse_caption_counts_no_numbers_as_decoration_and_knows_irregular_plurals():
    assert parse_caption("Attic cup, four geese and two mice").decoration == ("goose", "mouse")
