"""Tests that a reference caption names all hands of a record: alternatives, qualifiers, doubts and museum numbers."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaserl.rewards.vase import parse_caption, parse_record, reference_caption
from vaserl.rewards.vase.lexicon import lexicon

ALTERNATIVES = {
    "CHIUSI P by KUNZE-GOTTE | LEAGROS GROUP by KUNZE-GOTTE": "attributed to the Chiusi Painter or the Leagros Group",
    "<em>Near</em> LYDOS by BEAZLEY": "attributed to a hand near Lydos",
    "PAN P by BEAZLEY | <em>Near</em> MYSON by ROBERT": "attributed to the Pan Painter or a hand near Myson",
    "BERLIN 1686, P OF by BEAZLEY": "attributed to the Painter of Berlin 1686",
    "<em>Manner of</em> HAIMON P by UNKNOWN | HAIMON GROUP by UNKNOWN": (
        "attributed to the manner of the Haimon Painter or the Haimon Group"
    ),
    "PAN P (?) by BEAZLEY": "tentatively attributed to the Pan Painter",
    "PAN P (?) by BEAZLEY | MYSON (?) by ROBERT": "tentatively attributed to the Pan Painter or Myson",
    "PAN P by BEAZLEY | MYSON (?) by ROBERT": "attributed to the Pan Painter or perhaps Myson",
    "HIERON by SIGNATURE | MAKRON by BEAZLEY": "signed by Hieron, attributed to Makron",
    "EXEKIAS by SIGNATURE | EXEKIAS by BEAZLEY": "signed by Exekias",
    "PAN P by BEAZLEY | <em>Compare</em> MYSON by ROBERT": "attributed to the Pan Painter",
}


@pytest.mark.parametrize(("field", "clause"), ALTERNATIVES.items())
def test_reference_caption_names_all_alternatives(field, clause):
    record = {"Fabric": "ATHENIAN", "Shape Name": "HYDRIA", "Attributed To": field}
    caption = reference_caption(record)
    assert caption == f"Athenian hydria, {clause}." or caption == f"This vase is an Athenian hydria, {clause}."
    given, stated = (sorted(facts.attribution) for facts in (parse_caption(caption), parse_record(record)))
    assert given == stated and [hand.doubtful for hand in given] == [hand.doubtful for hand in stated]


def archive_form(name: str) -> str:
    """Returns a name of the lexicon as the archive writes it: "BERLIN 1686, P OF"."""
    name = name.upper().removeprefix("THE ")
    for role, letter in (("PAINTER", "P"), ("GROUP", "GROUP"), ("CLASS", "CLASS")):
        if name.startswith(f"{role} OF "):
            return f"{name.removeprefix(f'{role} OF ')}, {letter} OF"
    return name.replace(" PAINTER", " P")


KNOWN = sorted({archive_form(name) for entry in lexicon("artist").values() for name in entry.names})
MUSEUMS = ("BERLIN", "LOUVRE", "ATHENS", "MUNICH", "VATICAN", "SYRACUSE", "ALTENBURG", "BOLOGNA")
NUMBERS = ("1686", "E 442", "F 12", "G 65", "01.8037", "2011", "CA 1852")
unknown = st.one_of(
    st.builds(
        "{} {}, {} OF".format, st.sampled_from(MUSEUMS), st.sampled_from(NUMBERS), st.sampled_from(["P", "GROUP"])
    ),
    st.builds(
        "{} {}".format,
        st.sampled_from(["FALLOW DEER", "ZIGZAG", "ORANGE", "LONG SHIELD"]),
        st.sampled_from(["P", "GROUP", "CLASS", "WORKSHOP"]),
    ),
    st.sampled_from(["ZOROBATES", "KLEITOBOULOS"]),
)
QUALIFIERS = ("", "Near", "Manner of", "Follower of", "Circle of", "Workshop of", "Recalls", "Imitation of", "Compare")
SCHOLARS = ("", " by BEAZLEY", " by UNKNOWN", " by SIGNATURE", " by MOORE, M.", " by KUNZE-GOTTE", " (?) by HASPELS")
hands = st.builds(
    lambda qualifier, name, scholar: f"{f'<em>{qualifier}</em> ' if qualifier else ''}{name}{scholar}",
    st.sampled_from(QUALIFIERS),
    st.sampled_from(KNOWN) | unknown,
    st.sampled_from(SCHOLARS),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(hands, min_size=1, max_size=6).map(" | ".join))
def test_reference_caption_states_the_hands_of_any_record(field):
    record = {"Fabric": "ATHENIAN", "Technique": "RED-FIGURE", "Date": "-500 to -450", "Attributed To": field}
    given, stated = parse_caption(reference_caption(record)), parse_record(record)
    assert sorted(given.attribution) == sorted(stated.attribution), "alternatives have no order"
    assert replace(given, attribution=()) == replace(stated, attribution=())
