"""Tests the zones of a text: a value counts in its zone only, and what is denied or compared states nothing."""

import pytest
from hypothesis import assume, given, settings

from tests.fakes.reward_cases import records, score
from vaserl.rewards.vase import parse_caption, parse_record, parse_value, reference_caption
from vaserl.rewards.vase.facts_json import facts_as_json
from vaserl.rewards.vase.labels import LabelledValue, split_labels
from vaserl.rewards.vase.lines import text_lines
from vaserl.rewards.vase.negation import without_compared, without_denied
from vaserl.rewards.vase.reasoning import without_reasoning
from vaserl.rewards.vase.text import tokens
from vaserl.rewards.vase.zones import is_ignored, without_findspots, without_numbers


def stated(text: str) -> str:
    """Returns the values of a text as words: "athenian; cup; satyr"; a hand with its role."""
    values = facts_as_json(parse_caption(text))
    hands = [" ".join(filter(None, (h["name"], h["role"]))) for h in values.pop("attribution")]
    dates = [f"{start} {end}" for start, end in values.pop("dating")]
    return "; ".join(" ".join(group) for group in (*values.values(), dates, hands) if group)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a line break is a boundary
        ("Attributed to the Briseis Painter\nTerracotta, red-figure", "red_figure; briseis painter"),
        ("Attributed to Lydos\nAttic, black-figure\nc. 550 BC", "athenian; black_figure; -560 -540; lydos"),
        # labels with values over lines
        ("Attribution: Myson\nAttributor: J. D. Beazley", "myson"),
        ("Object Name\nCup\nDate\n480 BC\nCredit Line\nRogers Fund, 1914", "cup; -490 -470"),
        (
            "Title: Attic cup\nProvenance\nFound at Vulci\nSold in Paris, 1890\nDate: 500-475 BC",
            "athenian; cup; -500 -475",
        ),
        ("Ware: Attic Red Figure", "athenian; red_figure"),
        ("<table><tr><td>Fabric</td><td>Attic</td></tr><tr><td>Shape</td><td>Cup</td></tr></table>", "athenian; cup"),
        ("Culture: Greek, Attic\nMedium: Terracotta; red-figure\nDimensions: H. 10 15/16 in.", "athenian; red_figure"),
        ("Shape: cup\nFabric: Attic\nDate: 500 BC\nRights holder: The Amphora Trust", "athenian; cup; -510 -490"),
        # the heading says what the vase is; the prose speaks of others
        (
            "Terracotta hydria\nAttic, black-figure, ca. 510 B.C.\nThis vase was made at a time when the red-figure "
            "technique was becoming established, a century after the first kraters of the early sixth century B.C.",
            "athenian; black_figure; hydria; -520 -500",
        ),
        # metadata is no decoration
        ("London, British Museum", ""),
        ("Archaic, Attic cup", "athenian; cup"),
        ("Attic cup, side view, detail", "athenian; cup"),
        ("Attic cup, height 12 cm, Rogers Fund, 1914", "athenian; cup"),
        ("Attic cup (New York, Metropolitan Museum of Art 14.146.2), with a satyr", "athenian; cup; satyr"),
        ("Attic cup. Beazley, ARV2 370, 13; CVA 2, pl. 11. A satyr.", "athenian; cup; satyr"),
        ("Attic cup, mended from many fragments, with a lion", "athenian; cup; lion"),
        # findspot, museum and department are no fabric
        ("Made in Athens; from Vulci in Etruria", "athenian"),
        ("Gregorian Etruscan Museum", ""),
        ("Cup. Department of Greek, Etruscan and Roman Antiquities", "cup"),
        ("Campanian cup found at Corinth", "campanian; cup"),
        # glosses are the same vessel, a vessel in the scene is decoration
        ("Pitcher (oinochoe)", "oinochoe"),
        ("Terracotta lekythos (oil flask)", "lekythos"),
        ("a skyphos, or two-handled wine cup", "skyphos"),
        ("cup or skyphos", "cup skyphos"),
        (
            "Attic stamnos. A woman ladles wine from a krater into a phiale.",
            "athenian; stamnos; woman ladle wine krater phiale",
        ),
        ("Attic cup: a warrior in a Corinthian helmet", "athenian; cup; warrior corinthian helmet"),
        ("Athenian column-krater with a lion on an Ionic column", "athenian; krater/column; lion ionic column"),
        (
            "Siren. Poseidon, with a trident, and Amymone holding a hydria",
            "siren poseidon trident amymone holding hydria",
        ),
        # careers and periods are no dates of the vase
        ("Attic cup by Douris, active c. 500-470 BC, with a lion", "athenian; cup; lion; douris"),
        ("Attic cup. The Archaic period (700–480 BC). Invented in Corinth around 530 BC.", "athenian; cup"),
        ("Cup by Douris, a red-figure vase painter of the early 5th century BC", "cup; douris"),
        ("Cup decorated in the Corinthian style", "corinthian; cup"),
        # a bracket with values of its own is none: hedging in it is not free
        ("Athenian cup (bowl, Corinthian or Boeotian hydria)", "athenian corinthian boeotian; hydria"),
        ("Athenian cup found in a Corinthian red-figure hydria", "athenian corinthian; red_figure; hydria"),
        # negation, comparison
        ("no warriors and no chariot", ""),
        ("Attic cup, not red-figure but black-figure", "athenian; black_figure; cup"),
        ("Athenian cup. Not Corinthian, no hydria.", "athenian; cup"),
        ("Athenian cup with neither satyr nor maenad but a lion", "athenian; cup; lion"),
        ("It is not Athenian, Corinthian, or Boeotian but Laconian", "laconian"),
        ("Attic cup, no. 12, not only with a satyr", "athenian; cup; satyr"),
        ("Unlike black-figure vases, this red-figure cup shows a lion", "red_figure; cup; lion"),
        ("Attic cup, similar to Corinthian hydriai, with a siren", "athenian; cup; siren"),
        ("Attic cup, like Corinthian cups, with a siren", "athenian; cup; siren"),
        (
            "This is not Athenian red-figure pottery, not an amphora, not c. 525–475 BCE, without any satyr, and not "
            "by the Pan Painter.",
            "",
        ),
        # before the answer
        ("<think>Is it a black-figure hydria?</think> Attic cup", "athenian; cup"),
        ("<think>Is it a black-figure hydria", ""),
        ("Let me look. It may be a hydria.\nAttic cup", "athenian; cup"),
        ("The handles suggest a hydria.\n**Final answer:** Attic cup", "athenian; cup"),
        # finishes and ornaments are no second technique
        ("Attic black-figure cup; the figures are in black glaze", "athenian; black_figure; cup"),
        ("Attic black-figure cup with geometric patterns", "athenian; black_figure; cup; geometric"),
        ("Black Glaze\nHeight: 21.7 cm", "black_glaze"),
    ],
)
def test_parse_caption_reads_values_in_their_zone(text: str, expected: str):
    assert stated(text) == expected


def test_parse_caption_reads_motifs_in_prose_only():
    text = (
        "This cup was made for wine. Cups were used at parties in ancient Greece. The interior shows a bearded satyr "
        "who is holding a torch. The handles are elegantly curved and the foot is broad. It was found to be a "
        "testament to the skill of potters, and visitors like it."
    )
    assert set(parse_caption(text).decoration) == {"bearded", "satyr", "holding", "torch"}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Attisch-rotfigurige Schale, 500–475 v. Chr., Sirene, Brygos-Maler.", "de"),
        ("Amphore attique à figures noires, vers 540 avant J.-C., avec un guerrier dans un char", "fr"),
        ("Cratere apulo a figure rosse con una scena della lotta di Eracle", "it"),
        ("Αττικός μελανόμορφος αμφορέας με παράσταση πολεμιστή", "el"),
        ("Attic cup, Musée du Louvre, Paris, from Santa Maria di Capua Vetere", ""),
        ("Athenian cup by the Painter of the Cabinet des Médailles", ""),
    ],
)
def test_parse_caption_says_which_language_it_does_not_read(text: str, language: str):
    facts = parse_caption(text)
    assert facts.unread == language
    assert any(facts[d] for d in ("fabric", "technique", "shape", "dating")) == (not language)


def test_text_lines_joins_wrapped_prose_and_lines_that_end_with_the():
    wrapped = (
        "This Attic red-figure cup shows a satyr who dances before the god\n"
        "Dionysos. The god holds a kantharos and looks at a maenad who has\na torch."
    )
    assert len(text_lines(wrapped, 1000)) == 1
    assert text_lines("Attributed to the\nPan Painter\n\nAttic", 1000) == ["attributed to the pan painter", "attic"]
    assert text_lines("<p>Attic</p><ul><li>cup</li></ul>", 1000) == ["attic", "cup"]
    assert text_lines("Cup\nDatesecond half of the 6th c. BC", 1000) == ["cup", "date: second half of the 6th c. bc"]
    assert text_lines("• Title: Cup\n• Date: 500 BC", 1000) == ["title: cup", "date: 500 bc"]


def test_split_labels_ends_a_value_with_its_phrase():
    free, labelled = split_labels(["athenian vase. shape: mortarium. a lion"])
    assert [text.strip() for text in free] == ["athenian vase.", "a lion"]
    assert labelled == [LabelledValue("shape", "mortarium")]
    assert split_labels(["by the brygos painter: a cup"]) == (["by the brygos painter: a cup"], [])


def test_without_denied_ends_at_a_new_clause():
    assert without_denied("no lid and shows a siren").split() == [",", "and", "shows", "a", "siren"]
    assert without_denied("not by lydos; by exekias").split() == [",", ";", "by", "exekias"]
    assert without_denied("not c. 500 bc, a cup").split() == [",", ",", "a", "cup"]
    assert without_denied("no. 12, not later than 480 bc") == "no. 12, not later than 480 bc"


def test_without_compared_ends_with_the_clause():
    assert without_compared("derived from corinthian models, a cup").split() == [",", ",", "a", "cup"]
    assert without_compared("a warrior like a lion") == "a warrior like a lion"


def test_without_numbers_keeps_dates():
    assert without_numbers("cup, h. 12.5 cm, c. 500 bc").split() == ["cup,", ",", ",", "c.", "500", "bc"]
    assert without_numbers("dimensions: 8 x 29.5 x 22.9 cm (3 1/8 x 11 5/8 x 9 in.)").count("9") == 0


def test_without_numbers_removes_the_number_of_a_museum_behind_a_mark():
    assert "2301" not in without_numbers("a cup by the same hand (munich 2301), c. 480 bc")
    assert "louvre" not in without_numbers("the krater, louvre g 103.")
    assert "480" in without_numbers("found in munich, 480 bc")


def test_without_findspots_keeps_a_phrase_that_names_a_vessel():
    assert "corinth" not in without_findspots("cup found at corinth")
    assert "hydria" in without_findspots("cup found in a corinthian hydria")


def test_is_ignored_covers_the_name_of_a_museum():
    words = tokens("amphora in the gregorian etruscan museum")
    assert is_ignored(words) == [False, False, False, True, True, True]
    assert is_ignored(tokens("an etruscan amphora")) is None


def test_without_reasoning_takes_the_last_answer():
    assert without_reasoning("Answer: a cup.\nAnswer: a hydria.") == " a hydria."
    assert without_reasoning("a lion <b>and</b> a boar") == "a lion <b>and</b> a boar"


def test_records_and_values_deny_as_captions_do():
    assert parse_record({"Decoration": "WARRIOR WITHOUT SHIELD"}).decoration == ("warrior",)
    assert [t.id for t in parse_value("technique", "It is not red-figure but black-figure.").technique] == [
        "black_figure"
    ]


@settings(deadline=None, max_examples=30)
@given(records)
def test_vase_caption_an_honest_exclusion_costs_little_and_denied_facts_earn_nothing(record):
    reference = reference_caption(record)
    assume(":" not in reference)  # a label states a value that is in no lexicon
    honest = score(record, reference).total
    excluded = f"{reference} Not {other_fabric(record)}, no pinax."
    assert score(record, excluded).total >= honest - 0.05
    head, *clauses = reference.rstrip(".").split(", ")
    denied = f"This is not {head}, " + ", ".join(f"not {clause}" for clause in clauses) + "."
    parts = score(record, denied).parts
    assert [parts.get(dimension, 0) for dimension in ("fabric", "technique", "shape", "dating", "attribution")] == [
        0
    ] * 5


def other_fabric(record: dict[str, str]) -> str:
    """Returns a fabric that the record does not state."""
    return "Fikellura" if "FIKELLURA" not in record.get("Fabric", "") else "Chian"
