"""Tests how attributions are read from texts and records, and that two known hands never earn for each other."""

from itertools import combinations

import pytest

from vaserl.rewards.vase import (
    Attribution,
    RewardConfig,
    lexicon,
    parse_caption,
    parse_record,
    parse_value,
    reference_caption,
)
from vaserl.rewards.vase.attribution import display, find_attributions, read_names
from vaserl.rewards.vase.hands import core, known_hand, museum_numbers, possible_hands
from vaserl.rewards.vase.similarity import attribution_pairs, attribution_similarity
from vaserl.rewards.vase.text import normalize

CONFIG = RewardConfig()
EXEKIAS = ("exekias", "", "")
BERLIN = ("berlin", "painter", "")
PAN = ("pan", "painter", "")


def read(text: str) -> list[tuple[str, str, str]]:
    return [(a.name, a.role, a.qualifier) for a in parse_caption(text).attribution]


CAPTIONS = {
    "attributed to Exekias as both painter and potter": [EXEKIAS],
    "Signed by Exekias as potter.": [EXEKIAS],
    "an artist near Exekias": [("exekias", "", "near")],
    "attributed to an artist known as the Berlin Painter": [BERLIN],
    "Attributed to the Berlin Painter and made around 480 BC": [BERLIN],
    "Attributed to the Berlin Painter [Beazley]": [BERLIN],
    "Attributed to the Berlin Painter [DvB], from Vulci": [BERLIN],
    "Berlin Painter (Trendall, Cambitoglou)": [BERLIN],
    "attributed to the Berlin Painter from Nola": [BERLIN],
    "attributed to the Berlin Painter in the late archaic period": [BERLIN],
    "assigned by Trendall to the Darius Painter": [("darius", "painter", "")],
    "attributed by Dietrich von Bothmer to the Berlin Painter": [BERLIN],
    "bell-krater of Python": [("python", "", "")],
    "A Group E amphora": [("e", "group", "")],
    "An amphora by the Painter VG 43969": [("vg 43969", "painter", "")],
    "An amphora by the Painter of Louvre CA 1694, c. 450 BC": [("of louvre ca 1694", "painter", "")],
    "Attic cup. Painter of Munich 1519 - 510-500 BC": [("of munich 1519", "painter", "")],
    "The London B 76 Painter": [("of london b 76", "painter", "")],
    "Attic oinochoe, Copenhagen class": [("copenhagen", "class", "")],
    "Attic oinochoe. Maker: Dot-Ivy Class": [("dot-ivy", "class", "")],
    "a Leagros Group hydria": [("leagros", "group", "")],
    "attributed to a painter of the Leagros Group": [("leagros", "group", "")],
    "workshop of Nikosthenes": [("nikosthenes", "", "workshop")],
    "by a follower of Douris": [("douris", "", "follower")],
    "circle of the Pan Painter": [("pan", "painter", "circle")],
    "school of the Pan Painter": [("pan", "painter", "circle")],
    "attributed to an associate of the Pan Painter": [("pan", "painter", "circle")],
    "manner of the Pan Painter": [("pan", "painter", "manner")],
    "close to the Pan Painter": [("pan", "painter", "near")],
    "recalls the Pan Painter": [("pan", "painter", "recalls")],
    "attributed to the Pan Painter or his workshop": [PAN, ("pan", "painter", "workshop")],
    "attributed to Polygnotos and his group": [("polygnotos", "", ""), ("polygnotos", "", "circle")],
    "Makron painted it, Hieron potted it": [("makron", "", ""), ("hieron", "", "")],
    "signed by Douris as painter and Python as potter": [("douris", "", ""), ("python", "", "")],
    "by the potter Hieron": [("hieron", "", "")],
    "the Paestan painter Python": [("python", "", "")],
    "The painter of this cup is Douris": [("douris", "", "")],
    "Douris has been suggested as the painter": [("douris", "", "")],
    "Attic cup, Penthesilea Painter, attributed": [("penthesilea", "painter", "")],
    "The artist is believed to be Lydos": [("lydos", "", "")],
    "Long attributed to the circle of artists around the painter Exekias": [("exekias", "", "circle")],
    "The shape and the base recall the Knipovitch Class": [("knipovitch", "class", "recalls")],
    "In the manner of the Birdseed Workshop, but influenced by the Subdipylon Group.": [
        ("birdseed", "workshop", "manner")
    ],
    "Attribution: In the manner of the Pan Painter, but influenced by Myson": [("pan", "painter", "manner")],
    "Attic cup, Naples Painter 1959, 340 BC": [("naples 1959", "painter", "")],
    "Cleophrades Painter": [("kleophrades", "painter", "")],
    # nobody
    "attributed to him": [],
    "attributed to the same hand": [],
    "attributed to a skilled Athenian painter": [],
    "attributed to Ancient Greek Pottery and dates back to 440 BC": [],
    "attribution to Attica or Boeotia": [],
    "a woman by the sea": [],
    "by a woman near the group": [],
    "by a group of contemporaries and followers": [],
    "attributed by Beazley": [],
    "Attributed to J. D. Beazley": [],
    "Apulian krater (Trendall)": [],
    "compare the Pan Painter": [],
    "comparable to Lydos": [],
    "not by the Pan Painter": [],
    "not the work of Lydos": [],
}


@pytest.mark.parametrize(("text", "expected"), CAPTIONS.items(), ids=range(len(CAPTIONS)))
def test_find_attributions_by_hand(text, expected):
    assert read(text) == expected


RECORDS = {
    "BERLIN 1686, P OF by BEAZLEY": [("of berlin 1686", "painter", "")],
    "<em>Near</em> LOUVRE F6, P OF by BEAZLEY": [("of louvre f 6", "painter", "near")],
    "PARIS GIGANTOMACHY, P OF THE by BEAZLEY": [("of the paris gigantomachy", "painter", "")],
    "COURTING CUPS, GROUP OF THE by BEAZLEY": [("of the courting cups", "group", "")],
    "ATHENS 581, CLASS OF by BEAZLEY": [("of athens 581", "class", "")],
    "POLYGNOTOS, GROUP OF by BEAZLEY": [("polygnotos", "group", "")],
    "HAIMON P, MANNER OF by HASPELS": [("haimon", "painter", "manner")],
    "BOWDOIN P, WORKSHOP OF by BEAZLEY": [("bowdoin", "painter", "workshop")],
    "HAIMON P, NEAR": [("haimon", "painter", "near")],
    "BERLIN 1686, P OF | LYDOS by BEAZLEY": [("of berlin 1686", "painter", ""), ("lydos", "", "")],
    "C P by BEAZLEY": [("c", "painter", "")],
    "BOSTON CA, P OF by BEAZLEY": [("of boston ca", "painter", "")],
    "ARES by BEAZLEY": [("ares", "", "")],
    "NKA CLASS by BEAZLEY": [("nka", "class", "")],
    "LEAGROS GR by BEAZLEY": [("leagros", "group", "")],
    "E GROUP": [("e", "group", "")],
    "PAINTER N by BEAZLEY": [("n", "painter", "")],
    "NIKOSTHENES POTTER by SIGNATURE": [("nikosthenes", "", "")],
    "Recalls LYDOS by BEAZLEY": [("lydos", "", "recalls")],
    "<em>Compare</em> AISON by BEAZLEY": [],
    "Compare AISON by BEAZLEY | LYDOS by BEAZLEY": [("lydos", "", "")],
    "TYRRHENIAN GROUP, TIMIADES P by BEAZLEY": [("tyrrhenian", "group", ""), ("timiades", "painter", "")],
    "HIERON by SIGNATURE | MAKRON by BEAZLEY": [("hieron", "", ""), ("makron", "", "")],
}


@pytest.mark.parametrize(("field", "expected"), RECORDS.items())
def test_read_names_of_the_archives_forms(field, expected):
    record = {"Fabric": "ATHENIAN", "Attributed To": field}
    found = parse_record(record).attribution
    assert [(a.name, a.role, a.qualifier) for a in found] == expected
    assert set(parse_caption(reference_caption(record)).attribution) == set(found)
    assert [parse_caption(f"Attic cup, attributed to {display(a)}.").attribution for a in found] == [
        (a,) for a in found
    ]


@pytest.mark.parametrize("role", ["P", "GROUP", "CLASS"])
@pytest.mark.parametrize("qualifier", ["", "<em>Near</em> ", "<em>Manner of</em> ", "Follower of ", "Recalls "])
def test_display_is_read_back_for_unknown_names(role, qualifier):
    for name in ("NKA", "ZEUXO", "OSLO 1501", "OSLO F 6", "B"):
        for field in (f"{qualifier}{name} {role}", f"{qualifier}{name}, {role} OF by BEAZLEY"):
            (hand,) = parse_record({"Attributed To": field}).attribution
            text = f"Attic cup, c. 500 BCE, attributed to {display(hand)}."
            assert parse_caption(text).attribution == (hand,), text


ANSWERS = {
    "The painter of the vase is the Berlin Painter.": [BERLIN],
    "The vase was painted by the Berlin Painter": [BERLIN],
    "The artist is the Berlin Painter, active in Athens": [BERLIN],
    "The hand is that of the Pan Painter": [PAN],
    "It is not by the Berlin Painter but by the Pan Painter": [PAN],
    "the Pan Painter, or a follower": [PAN, ("pan", "painter", "follower")],
    "Exekias, who also signed as potter": [EXEKIAS],
    "Tleson, son of Nearchos": [("tleson", "", "")],
    "The artist is unknown.": [],
    "Painter of": [],
}


@pytest.mark.parametrize(("answer", "expected"), ANSWERS.items())
def test_read_names_of_answers(answer, expected):
    assert [(a.name, a.role, a.qualifier) for a in parse_value("attribution", answer).attribution] == expected


@pytest.mark.parametrize(
    ("text", "doubtful"),
    [
        ("attributed to the Pan Painter (?)", True),
        ("Attic cup. The Pan Painter (?).", True),
        ("probably attributed to the Pan Painter", True),
        ("perhaps by the Pan Painter", True),
        ("It may be by the Pan Painter", True),
        ("attributed to the Pan Painter", False),
        ("probably Attic, by the Pan Painter", False),
    ],
)
def test_find_attributions_keeps_doubt(text, doubtful):
    (hand,) = parse_caption(text).attribution
    assert hand.doubtful is doubtful
    assert hand == Attribution("pan", "painter")
    assert attribution_similarity(hand, Attribution("pan", "painter"), CONFIG) == 1


@pytest.mark.parametrize(
    ("field", "doubtful"),
    [
        ("PAN P (?) by BEAZLEY", [True]),
        ("PAN P by BEAZLEY (?)", [True]),
        ("LYDOS by BEAZLEY | PAN P (?) by BEAZLEY", [False, True]),
        ("BERLIN 1686, P OF (?) by BEAZLEY", [True]),
    ],
)
def test_read_names_keeps_doubt(field, doubtful):
    record = {"Fabric": "ATHENIAN", "Attributed To": field}
    assert [a.doubtful for a in parse_record(record).attribution] == doubtful
    caption = reference_caption(record)
    assert ("tentatively attributed to" in caption) is all(doubtful)
    assert [a.doubtful for a in parse_caption(caption).attribution] == doubtful


def archive_form(name: str) -> str:
    """Writes a hand's name as the archive does: "BERLIN P by BEAZLEY", "BERLIN 1686, P OF by BEAZLEY"."""
    words = name.removeprefix("the ").split()
    short = {"Painter": "P", "Group": "GROUP", "Class": "CLASS"}
    if words[0] in short and words[1] == "of":
        rest = words[2:]
        the = " THE" if rest[0] == "the" else ""
        return f"{' '.join(rest).removeprefix('the ')}, {short[words[0]]} OF{the}".upper() + " by BEAZLEY"
    if words[-1] == "Painter":
        words[-1] = "P"
    return " ".join(words).upper() + " by BEAZLEY"


def test_two_known_hands_earn_nothing_for_each_other():
    hands: dict[str, Attribution] = {}
    for entry in lexicon("artist").values():
        (hand,) = parse_record({"Attributed To": archive_form(entry.names[0])}).attribution
        known = known_hand(hand.name, hand.role)
        assert known is not None and known.id == entry.id, entry
        hands[entry.id] = hand
    assert len(hands) == len(lexicon("artist")) > 900
    alike = [(a, b) for a, b in combinations(hands.values(), 2) if attribution_similarity(a, b, CONFIG)]
    assert alike == []


def test_known_hands_are_read_back_from_their_captions():
    for entry in lexicon("artist").values():
        for name in entry.names:
            (hand,) = read_names(normalize(name, 100))
            assert known_hand(hand.name, hand.role) == known_hand(*_canonical(entry.id)), name
        text = f"Athenian cup, c. 500 BCE, attributed to {display(hand)}."
        assert parse_caption(text).attribution == (hand,), text


def _canonical(id: str) -> tuple[str, str]:
    (hand,) = read_names(normalize(lexicon("artist")[id].names[0], 100))
    return hand.name, hand.role


def test_possible_hands_by_hand():
    assert possible_hands("berlin", "painter") == {"berlin_painter"}
    assert possible_hands("antimenes", "") == {"antimenes_painter"}
    assert possible_hands("haimon", "") == {"haimon_painter", "haimon_group"}
    assert possible_hands("eucharidis", "painter") == {"eucharides_painter"}
    assert possible_hands("of munich 1502", "painter") == frozenset()
    assert possible_hands("zeuxo", "painter") == frozenset()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("of louvre f 6", ("f", "6")),
        ("of new york gr 1000", ("gr", "1000")),
        ("of walters 48.42", ("48.42",)),
        ("kx", ("kx",)),
        ("berlin", ()),
        ("gioia del colle", ()),
    ],
)
def test_museum_numbers_by_hand(name, expected):
    assert museum_numbers(core(name)) == expected


def test_attribution_pairs_of_long_lists_share_their_name():
    few = [Attribution(f"x{i}", "painter") for i in range(16)]
    assert len(attribution_pairs(few, few)) == 256
    many = [Attribution(f"x{i}", "painter") for i in range(17)]
    near = [Attribution(f"x{i}", "painter", "near") for i in range(17)]
    assert attribution_pairs(many, near) == [(i, i) for i in range(17)]


def test_find_attributions_reads_a_bounded_number_of_hands():
    hands = [f"by the {chr(97 + n // 26)}{chr(97 + n % 26)}x painter" for n in range(70)]
    found, rest = find_attributions(", ".join(hands))
    assert len(found) == 64
    assert "painter" not in rest
