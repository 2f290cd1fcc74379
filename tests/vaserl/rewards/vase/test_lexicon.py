"""Tests the lexicons: entries that they must contain, and that every name is read back as its own entry."""

import re
import sys
from pathlib import Path

import pytest

from vaserl.rewards.vase import Term, lexicon, parse_caption, parse_record
from vaserl.rewards.vase.lexicon import find_mentions

# The package gives the name to the function of the same name.
lexicon_module = sys.modules["vaserl.rewards.vase.lexicon"]
TABLES = Path(str(lexicon_module.__file__)).parent / "lexicon"


def test_lexicon_covers_the_traditions():
    assert {
        *("athenian", "corinthian", "boeotian", "laconian", "chalcidian", "euboean", "east_greek", "etruscan"),
        *("apulian", "lucanian", "campanian", "paestan", "sicilian"),
    } <= set(lexicon("fabric"))
    assert {
        *("black_figure", "red_figure", "white_ground", "bilingual", "six", "black_glaze", "outline"),
        "superposed_colour",
    } <= set(lexicon("technique"))
    assert len(lexicon("shape")) >= 60
    assert {"krater/bell", "krater/calyx", "krater/column", "krater/volute"} <= set(lexicon("shape"))


def test_lexicon_has_the_family_of_every_subtype():
    shapes = set(lexicon("shape"))
    assert [s for s in shapes if "/" in s and s.split("/")[0] not in shapes] == []


@pytest.mark.parametrize("vocabulary", ["fabric", "technique", "shape", "artist"])
def test_lexicon_sources_are_explained_in_the_table(vocabulary):
    table = (TABLES / f"{vocabulary}s.tsv").read_text()
    # "#   ABV, ARV  J. D. Beazley, …": the keys stand before two spaces.
    keys = re.findall(r"^#   (?! )(.+?)  *(?=[A-Z]\. |Lexicon)", table, re.MULTILINE)
    explained = {key for line in keys for key in line.split(", ")}
    for entry in lexicon(vocabulary).values():
        assert entry.source, entry.id
        assert {key for part in entry.source.split(";") for key in part.replace(",", " ").split()} <= explained, entry


@pytest.mark.parametrize("vocabulary", ["fabric", "technique", "shape"])
def test_lexicon_names_are_read_as_their_entry(vocabulary):
    field = {"fabric": "Fabric", "technique": "Technique", "shape": "Shape Name"}[vocabulary]
    for entry in lexicon(vocabulary).values():
        for name in entry.names:
            assert getattr(parse_caption(f"{name}, c. 500 BCE"), vocabulary) == (Term(entry.id, ""),), name
            assert getattr(parse_caption(name.replace("-", " ").upper()), vocabulary) == (Term(entry.id, ""),), name
        for name in (*entry.names, *entry.record_names):
            assert parse_record({field: name.upper()})[vocabulary] == (Term(entry.id, ""),), name


def test_lexicon_identifiers_belong_to_entries_and_carry_their_license():
    text = (TABLES / "kerameikos.tsv").read_text()
    assert "Open Database\n# License (ODbL) 1.0" in text and "Kerameikos.org" in text
    for line in text.splitlines()[6:]:
        vocabulary, key, uri, getty = line.split("\t")
        assert key in lexicon(vocabulary), line
        assert uri.startswith("https://kerameikos.org/id/")
        assert getty == "" or getty.startswith("http://vocab.getty.edu/")
    assert lexicon("shape")["pelike"].uri == "https://kerameikos.org/id/pelike"
    assert lexicon("shape")["pelike"].getty == "http://vocab.getty.edu/aat/300198883"
    assert lexicon("technique")["six"].getty == "http://vocab.getty.edu/aat/300265034"


def mentioned(text: str) -> list[str]:
    return [m.id for m in find_mentions(text.split(), 0.88)]


def test_find_mentions_takes_the_longest_name():
    assert mentioned("red figure psykter column krater") == ["red_figure", "krater/psykter_column"]
    assert mentioned("lebes gamikos") == ["lebes/gamikos"]
    assert mentioned("cup skyphos") == ["skyphos/cup"]


def test_find_mentions_reads_misspelt_names_up_to_the_cutoff():
    # "lekythhos" has 9 letters, "lekythos" 8 of them in order: 2·8 / 17 = 0.94.
    assert mentioned("lekythhos") == ["lekythos"]
    # "black figrue" keeps 11 of 12 signs in order: 22 / 24 = 0.92.
    assert mentioned("black figrue lekythos") == ["black_figure", "lekythos"]
    assert mentioned("blackfigure") == ["black_figure"]
    # "attci" keeps 4 of 5 letters: 8 / 10 = 0.8, below.
    assert mentioned("attci") == []
    # Ordinary words near a name are not names, not even those within the cutoff: "hydra" and "hydria" make 10 / 11.
    assert mentioned("standing cap certain warriors painted hybrid") == []
    assert mentioned("herakles and the hydra, a trainer, a chorus") == []


def test_find_mentions_reads_long_words_at_edit_distance_1():
    # a transposition keeps 7 of 8 letters in order: 14 / 16 = 0.875, below the cutoff, but at edit distance 1
    assert mentioned("athenain") == ["athenian"]
    # a substitution: 2·7 / 16 too
    assert mentioned("lekxthos") == ["lekythos"]
    # edit distance 2
    assert mentioned("athneain") == []
    # one letter from Laconian and one from Lucanian
    assert mentioned("lacanian") == []
    # six letters are too few: 2·5 / 12 with "melian"
    assert mentioned("mexian") == []


def test_find_mentions_searches_the_spelling_of_a_bounded_number_of_words():
    # 127 words in no lexicon, each followed by one that is none, leave one search; 128 leave none
    unknown = [f"zz{chr(97 + n // 26)}{chr(97 + n % 26)}qqx" for n in range(128)]
    assert [m.id for m in find_mentions([*unknown[:127], "lekxthos"], 0.88)] == ["lekythos"]
    assert find_mentions([*unknown, "lekxthos"], 0.88) == []
    assert [m.id for m in find_mentions([*unknown, "lekythos"], 0.88)] == ["lekythos"]


def test_parse_caption_drops_the_wider_fabric():
    def fabrics(text: str) -> list[str]:
        return [term.id for term in parse_caption(text).fabric]

    assert fabrics("Greek, South Italian, Apulian, Gnathian bottle") == ["gnathian"]
    assert fabrics("East Greek (Chian) chalice") == ["chian"]
    assert fabrics("South Italian bottle") == ["south_italian"]
    assert fabrics("Campanian or Apulian bottle") == ["campanian", "apulian"]
    assert fabrics("East Greek, Apulian bottle") == ["east_greek", "apulian"]


def test_wider_names_entries():
    for vocabulary in ("fabric", "shape"):
        for key, around in lexicon_module.wider(vocabulary).items():
            assert around <= set(lexicon(vocabulary)), key


def test_places_name_fabrics():
    assert set(lexicon_module.places().values()) <= set(lexicon("fabric"))


def test_find_mentions_reads_catalogue_inversions_in_running_text():
    def shapes(text: str) -> list[str]:
        return [term.id for term in parse_caption(text).shape]

    assert shapes("Krater, column. Attic black-figure.") == ["krater/column"]
    assert shapes("Amphora, type B. Attic.") == ["amphora/type_b"]
    # here a description of the neck begins
    assert shapes("Amphora, neck with palmettes, Attic.") == ["amphora"]


def test_find_mentions_ignores_letters_of_other_alphabets():
    assert (
        mentioned("bl\N{CYRILLIC SMALL LETTER A}ck-figure lekyth\N{CYRILLIC SMALL LETTER O}s".replace("-", " ")) == []
    )


def test_lexicon_refuses_two_entries_of_one_name(tmp_path, monkeypatch):
    for table in TABLES.iterdir():
        (tmp_path / "lexicon").mkdir(exist_ok=True)
        text = table.read_text()
        if table.name == "fabrics.tsv":
            text += "attica\tAttic\t\tABV\n"
        (tmp_path / "lexicon" / table.name).write_text(text)
    monkeypatch.setattr(lexicon_module, "__file__", str(tmp_path / "lexicon.py"))
    lexicon_module.lexicon.cache_clear()
    lexicon_module._phrases.cache_clear()
    try:
        with pytest.raises(ValueError, match="'Attic' is a name of both athenian and attica"):
            lexicon_module._phrases(False)
    finally:
        lexicon_module.lexicon.cache_clear()
        lexicon_module._phrases.cache_clear()
