"""Tests that the labelled texts of docs/studies are complete, name lexicon entries and are split into disjoint sets."""

import csv
import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STUDIES = ROOT / "docs" / "studies"
TABLES = ROOT / "vaserl" / "rewards" / "vase" / "lexicon"
ROWS = [json.loads(line) for line in (STUDIES / "museum_texts.jsonl").read_text(encoding="utf-8").splitlines()]

FIELDS = {
    *("id", "set", "source", "pointer", "licence", "kind", "language", "generated", "sha256", "labels", "note"),
}
LABELS = {"fabric", "technique", "shape", "dating", "attribution", "decoration", "ornament", "flags", "also"}
QUOTABLE = {"CC0", "CC BY 4.0", "CC BY-SA 3.0", "CC BY-SA 3.0 US", "public domain"}
QUALIFIERS = {
    *("", "attributed", "probably", "signed", "manner", "near", "circle", "follower", "related", "recalls", "style"),
    *("school", "workshop", "group", "class"),
}
ROLES = {"painter", "potter", "painter+potter", "group", "class", "workshop"}
FLAGS = {"alternatives", "described", "doubt", "former", "general", "implied", "period"}
DIMENSIONS = LABELS - {"ornament", "flags", "also"}


def ids(table: str) -> set[str]:
    """Returns the ids of a table of the lexicon."""
    lines = (TABLES / f"{table}.tsv").read_text(encoding="utf-8").splitlines()
    return {row["id"] for row in csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t")}


def page(row: dict[str, str]) -> str:
    """Returns what a row's text stands in; a page may give several texts, marked by # and a name."""
    return re.sub(r"^https?://(www\.)?", "", row["pointer"].partition("#")[0]).rstrip("/")


def test_rows_have_their_fields():
    assert len(ROWS) >= 350
    for row in ROWS:
        assert row.keys() - {"text"} == FIELDS, row["id"]
        assert row["labels"].keys() == LABELS, row["id"]
        assert row["set"] in {"develop", "once", "untouched", "third", "fourth", "fifth"}, row["id"]
        assert row["source"] and row["pointer"] and row["kind"] and len(row["language"]) == 2, row["id"]


def test_texts_match_their_hashes_and_are_given_where_the_licence_allows_it():
    for row in ROWS:
        assert ("text" in row) == (row["licence"] in QUOTABLE), row["id"]
        assert row["licence"] in {*QUOTABLE, "not stated"}, row["id"]
        if "text" in row:
            assert hashlib.sha256(row["text"].encode()).hexdigest() == row["sha256"], row["id"]


@pytest.mark.parametrize(
    ("dimension", "table"), [("fabric", "fabrics"), ("technique", "techniques"), ("shape", "shapes")]
)
def test_labels_name_lexicon_entries(dimension: str, table: str):
    known = ids(table)
    for row in ROWS:
        for values in (row["labels"][dimension], *row["labels"]["also"].get(dimension, [])):
            assert set(values) <= known, row["id"]


def test_further_sets_that_count_differ_from_the_labels():
    for row in ROWS:
        for dimension, sets in row["labels"]["also"].items():
            assert dimension in DIMENSIONS and sets, row["id"]
            values = row["labels"][dimension]
            stated = [maker["name"] for maker in values] if dimension == "attribution" else values
            assert all(sorted(other) != sorted(stated) for other in sets), row["id"]


def test_datings_attributions_and_flags_are_well_formed():
    for row in ROWS:
        labels = row["labels"]
        assert all(lo <= hi for lo, hi in labels["dating"]), row["id"]
        assert all(maker["name"] for maker in labels["attribution"]), row["id"]
        assert {maker["qualifier"] for maker in labels["attribution"]} <= QUALIFIERS, row["id"]
        assert {maker["role"] for maker in labels["attribution"]} <= ROLES, row["id"]
        for flag in labels["flags"]:
            dimension, _, reason = flag.partition(":")
            assert dimension in DIMENSIONS and reason in FLAGS, row["id"]


def test_sets_share_no_text_and_no_page():
    for key in ("id", "sha256"):
        assert Counter(row[key] for row in ROWS).most_common(1)[0][1] == 1
    sets: dict[str, set[str]] = {}
    for row in ROWS:
        if row["source"] != "source file without a named repository":  # there the pointer is a search, not a page
            sets.setdefault(page(row), set()).add(row["set"])
    assert not sorted(where for where, names in sets.items() if len(names) > 1)


def test_page_states_how_many_there_are():
    text = (STUDIES / "museum_texts.md").read_text(encoding="utf-8")
    counted = Counter((row["set"], row["generated"], row["language"] == "en") for row in ROWS)
    for name in ("develop", "once", "untouched", "third", "fourth", "fifth"):
        cells = (counted[name, False, True], counted[name, False, False], counted[name, True, True])
        assert f"| `{name}` | {' | '.join(map(str, cells))} | {sum(cells)} |" in text
    assert f"{len(ROWS)} texts" in text
    assert f"{sum('text' in row for row in ROWS)} rows" in text
