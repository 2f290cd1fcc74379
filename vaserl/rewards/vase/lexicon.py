"""Loads the lexicons of fabrics, techniques, shapes and artists from `lexicon/`, and finds their names in a text.

Every entry has an id defined by this project: "black_figure" or, for a subtype of a shape, "amphora/neck". The
identifiers in Kerameikos.org and the Getty vocabularies are in a separate file, because that file has another license.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import ceil
from pathlib import Path
from typing import Literal, NamedTuple

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from vaserl.rewards.vase.text import CONNECTIVES, STOP_WORDS, normalize, tokens, word_list

Vocabulary = Literal["fabric", "technique", "shape", "artist"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a lexicon: a fabric, technique, shape or artist. Example: the neck-amphora."""

    id: str
    """Id of the entry: "amphora/neck"."""
    names: tuple[str, ...]
    """Names of the entry in running text; reference captions use the first: "neck-amphora"."""
    record_names: tuple[str, ...]
    """Further names of the entry, which occur only in fields of museum records: "amphora, neck"."""
    within: str
    """Id of the wider entry that includes this one, as East Greek includes Chian; empty if there is none."""
    source: str
    """Abbreviations of the handbooks that use the name; a comment at the top of the table explains them."""
    uri: str
    """URI of the entry's concept in Kerameikos.org; empty if none is known."""
    getty: str
    """Identifier of the concept in a Getty vocabulary (AAT, TGN or ULAN); empty if none is known."""


class Mention(NamedTuple):
    """An occurrence of a lexicon entry's name in a list of tokens."""

    vocabulary: Vocabulary
    """Lexicon that contains the entry: "fabric", "technique", "shape" or "artist"."""
    id: str
    """Id of the entry whose name occurs: "amphora/neck"."""
    start: int
    """Index of the name's first token in the list."""
    end: int
    """Index of the first token after the name in the list."""


@cache
def lexicon(vocabulary: Vocabulary) -> Mapping[str, Entry]:
    """Loads one lexicon and returns its entries by id, in the order of the lexicon's table."""
    identifiers = {
        row["id"]: (row["uri"], row["getty"]) for row in _rows("kerameikos.tsv") if row["dimension"] == vocabulary
    }
    entries: dict[str, Entry] = {}
    for row in _rows(f"{vocabulary}s.tsv"):
        uri, getty = identifiers.get(row["id"], ("", ""))
        record_names = tuple(filter(None, (row.get("record_names") or "").split("|")))
        entries[row["id"]] = Entry(
            id=row["id"],
            names=tuple(row["names"].split("|")),
            record_names=record_names,
            within=row.get("within") or "",
            source=row["source"],
            uri=uri,
            getty=getty,
        )
    return entries


@cache
def wider(vocabulary: Vocabulary) -> Mapping[str, frozenset[str]]:
    """Returns, for each entry's id, the ids of all wider entries: {"amphora/neck": {"amphora"}, …}."""
    entries = lexicon(vocabulary)
    found: dict[str, frozenset[str]] = {}
    for key in entries:
        around, step = set(), key
        while step := entries[step].within or step.rpartition("/")[0]:
            around.add(step)
        found[key] = frozenset(around)
    return found


@cache
def lexicon_words() -> frozenset[str]:
    """Returns every word that occurs in a name of a fabric, technique or shape."""
    return frozenset(word for phrase in _phrases(True) for word in phrase)


@cache
def figures() -> Mapping[str, str]:
    """Returns the kind of each name of a figure or people, by the name in lower case ("athena"): "person", "people",
    "unique" or "adjective"."""
    return {row["name"]: row["kind"] for row in _rows("figures.tsv")}


@cache
def places() -> Mapping[str, str]:
    """Returns, for each place name in lower case, the id of the fabric that was made at this place."""
    return {row["place"]: row["fabric"] for row in _rows("places.tsv")}


def find_mentions(words: Sequence[str], spelling_cutoff: float, record: bool = False) -> list[Mention]:
    """Finds the names of fabrics, techniques and shapes in a list of tokens; returns them in order, without overlap.

    If several names start at the same token, the longest is returned. If `record` is True, the names that occur only in
    museum records are found too.

    Misspelt names are also found. One word, or two words of which one is in the lexicon, may have a similarity in
    spelling (`text_similarity`) of at least `spelling_cutoff` to a name. A long word may differ from a name in one
    letter (inserted, deleted, replaced or swapped with its neighbour), if no other entry's name is as similar. The
    search takes time, so it is made for the first `_MOST_SEARCHES` unknown words only.
    """
    phrases = _phrases(record)
    lengths = _phrase_lengths(record)
    mentions: list[Mention] = []
    end = searches = 0
    for index, word in enumerate(words):
        if index < end:
            continue
        for length in lengths.get(word, ()):
            found = phrases.get(tuple(words[index : index + length]))
            if found:
                end = min(index + length, len(words))
                mentions.append(Mention(*found, index, end))
                break
        else:
            # Short words are similar to too many others to be read as misspelt; this also excludes punctuation.
            if len(word) < _SHORTEST_MISSPELT or searches >= _MOST_SEARCHES:
                continue
            for spelt, length in _perhaps_misspelt(word, words[index + 1] if index + 1 < len(words) else ""):
                searches += 1
                found = _closest(spelt, record, spelling_cutoff)
                if found:
                    end = index + length
                    mentions.append(Mention(*found, index, end))
                    break
    return mentions


@lru_cache(maxsize=65536)
def _perhaps_misspelt(word: str, following: str) -> tuple[tuple[str, int], ...]:
    """Returns what may be a misspelt name, the word or it and the one behind, each with its number of words."""
    if not word.isascii():
        return ()
    found = []
    known = word in lexicon_words()
    one_known = known != (following in lexicon_words())
    if len(following) > 1 and one_known and following.isascii() and not _is_ordinary(following if known else word):
        found.append((f"{word} {following}", 2))  # but "painted amphora" is no pointed one
    if not known and not _is_ordinary(word):
        found.append((word, 1))
    return tuple(found)


def _is_ordinary(word: str) -> bool:
    return word in STOP_WORDS or word in CONNECTIVES or word in _NOT_MISSPELT


_SHORTEST_MISSPELT = 5
_MOST_SEARCHES = 128


@lru_cache(maxsize=65536)
def _closest(text: str, record: bool, cutoff: float) -> tuple[Vocabulary, str] | None:
    phrases = _joined_phrases(record)
    # Of two texts with a similarity of at least s, the shorter has at least s / (2 - s) of the longer one's characters.
    share = cutoff / (2 - cutoff)
    candidates = _phrases_of_length(record, ceil(len(text) * share - 1e-6), int(len(text) / share + 1e-6))
    best = process.extractOne(text, candidates, scorer=fuzz.ratio, score_cutoff=100 * cutoff)
    if best:
        return phrases[best[0]]
    if len(text) < _LONG_WORD or " " in text:
        return None
    # Indel counts a substitution and a transposition as two edits each: "athenain" lies below the cutoff.
    candidates = _phrases_of_length(record, len(text) - 1, len(text) + 1)
    near = {phrases[p] for p, *_ in process.extract(text, candidates, scorer=OSA.distance, score_cutoff=1)}
    return near.pop() if len(near) == 1 else None


@cache
def _phrases(record: bool) -> Mapping[tuple[str, ...], tuple[Vocabulary, str]]:
    phrases: dict[tuple[str, ...], tuple[Vocabulary, str]] = {}
    vocabularies: tuple[Vocabulary, ...] = ("fabric", "technique", "shape")
    for vocabulary in vocabularies:
        for entry in lexicon(vocabulary).values():
            inversions = entry.record_names if record else tuple(filter(_is_inversion, entry.record_names))
            for name in entry.names + inversions:
                phrase = tuple(word for word in tokens(normalize(name, len(name))) if not record or word != ",")
                if phrases.setdefault(phrase, (vocabulary, entry.id)) != (vocabulary, entry.id):
                    raise ValueError(
                        f"lexicon: {name!r} is a name of both {phrases[phrase][1]} and {entry.id}; keep one"
                    )
    return phrases


def _is_inversion(name: str) -> bool:
    """Returns True if a name of the form "krater, column", used in museum records, is also searched in running text.

    It isn't for "amphora, neck": in running text these words may start a description of the neck.
    """
    after = name.partition(", ")[2].partition(" ")[0]
    return after == "type" or (len(after) > 4 and after not in CONNECTIVES)


@cache
def _joined_phrases(record: bool) -> Mapping[str, tuple[Vocabulary, str]]:
    # Short words are similar to too many others to be read as misspelt.
    return {" ".join(p): found for p, found in _phrases(record).items() if sum(map(len, p)) > 4}


@lru_cache(maxsize=256)
def _phrases_of_length(record: bool, shortest: int, longest: int) -> tuple[str, ...]:
    """Returns the names in the lexicons that have from `shortest` to `longest` characters."""
    return tuple(phrase for phrase in _joined_phrases(record) if shortest <= len(phrase) <= longest)


@cache
def _phrase_lengths(record: bool) -> Mapping[str, tuple[int, ...]]:
    """Returns, for each first word of a name, the numbers of words of all names with this first word, largest first."""
    lengths: dict[str, set[int]] = {}
    for phrase in _phrases(record):
        lengths.setdefault(phrase[0], set()).add(len(phrase))
    return {word: tuple(sorted(all_lengths, reverse=True)) for word, all_lengths in lengths.items()}


_NOT_MISSPELT = frozenset().union(
    *(word_list(f"{name}.txt") for name in ("not_misspelt", "motifs", "companions", "fillers", "metadata"))
)
_LONG_WORD = 7


def _rows(table: str) -> list[dict[str, str]]:
    lines = (Path(__file__).parent / "lexicon" / table).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t"))
