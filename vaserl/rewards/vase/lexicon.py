"""Lexicons of fabrics, techniques, shapes and artists (tables in `lexicon/`), and a search for their names in a text.

Entries have ids of their own; a shape's id is its family or `family/subtype`. Kerameikos and Getty identifiers are
attributes of an entry, kept in a separate file because it has another license.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from vaserl.rewards.vase.text import CONNECTIVES, STOP_WORDS, normalize, tokens, word_list

Vocabulary = Literal["fabric", "technique", "shape", "artist"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A fabric, technique, shape or artist in a lexicon. Example: the neck-amphora."""

    id: str
    """Id in the lexicon: "amphora/neck"."""
    names: tuple[str, ...]
    """Spellings in running text; the first one is used in reference captions."""
    record_names: tuple[str, ...]
    """Further spellings, which occur in catalogue fields: "amphora, neck"."""
    within: str
    """Id of the wider entry that contains this one (East Greek contains Chian); empty if there is none."""
    source: str
    """Handbooks that use the term, as abbreviated in the comment at the top of the table."""
    uri: str
    """URI of the concept in Kerameikos.org; empty if none is known."""
    getty: str
    """Getty AAT, TGN or ULAN identifier; empty if none is known."""


class Mention(NamedTuple):
    """A place in a list of tokens where an entry of a lexicon is named."""

    vocabulary: Vocabulary
    """Lexicon that contains the entry."""
    id: str
    """Id of the entry."""
    start: int
    """Index of the first token of the name."""
    end: int
    """Index after the last token of the name."""


@cache
def lexicon(vocabulary: Vocabulary) -> Mapping[str, Entry]:
    """Returns the entries of one lexicon by id, in the order of its table."""
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
    """Maps an entry's id to the ids of all entries that contain it: a subtype's family, a fabric's wider fabrics."""
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
    """Returns every word of every name of a fabric, technique or shape."""
    return frozenset(word for phrase in _phrases(True) for word in phrase)


@cache
def proper_names() -> frozenset[str]:
    """Returns the lower-case forms of names that a caption capitalises."""
    return frozenset(row["name"] for row in _rows("figures.tsv"))


@cache
def places() -> Mapping[str, str]:
    """Maps the lower-case name of a place to the id of the fabric that was made there."""
    return {row["place"]: row["fabric"] for row in _rows("places.tsv")}


def find_mentions(words: Sequence[str], spelling_cutoff: float, record: bool = False) -> list[Mention]:
    """Returns the fabrics, techniques and shapes that a list of tokens names, in order and without overlap.

    Where several names begin at a token, the longest is taken. `record=True` also reads the spellings of catalogue
    fields. Misspelt names are found too: a word, or two words of which one is known, with at least `spelling_cutoff`
    Indel similarity to a name, and a long word at edit distance 1 (insertion, deletion, substitution, transposition)
    from the names of exactly one entry.
    """
    phrases = _phrases(record)
    lengths = _phrase_lengths(record)
    mentions: list[Mention] = []
    index = 0
    while index < len(words):
        for length in lengths.get(words[index], ()):
            found = phrases.get(tuple(words[index : index + length]))
            if found:
                mentions.append(Mention(*found, index, index + length))
                index += length
                break
        else:
            # Short words are similar to too many others to be read as misspelt; this also excludes punctuation.
            misspelt = len(words[index]) > 4 and _misspelt(words, index, record, spelling_cutoff)
            if misspelt:
                mentions.append(misspelt)
                index = misspelt.end
            else:
                index += 1
    return mentions


def _misspelt(words: Sequence[str], index: int, record: bool, cutoff: float) -> Mention | None:
    word = words[index]
    if not word.isascii():
        return None
    known = word in lexicon_words()
    if index + 1 < len(words) and len(words[index + 1]) > 1:
        following = words[index + 1]
        if known != (following in lexicon_words()) and following.isascii():
            found = _closest(f"{word} {following}", record, cutoff)
            if found:
                return Mention(*found, index, index + 2)
    if not known and word not in STOP_WORDS and word not in CONNECTIVES and word not in _NOT_MISSPELT:
        found = _closest(word, record, cutoff)
        if found:
            return Mention(*found, index, index + 1)
    return None


@lru_cache(maxsize=65536)
def _closest(text: str, record: bool, cutoff: float) -> tuple[Vocabulary, str] | None:
    phrases = _joined_phrases(record)
    best = process.extractOne(text, phrases.keys(), scorer=fuzz.ratio, score_cutoff=100 * cutoff)
    if best:
        return phrases[best[0]]
    if len(text) < _LONG_WORD or " " in text:
        return None
    # Indel counts a substitution and a transposition as two edits each: "athenain" lies below the cutoff.
    candidates = _phrases_of_length(record, len(text))
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
                    raise ValueError(f"lexicon: {name!r} names both {phrases[phrase][1]} and {entry.id}; keep one")
    return phrases


def _is_inversion(name: str) -> bool:
    """Returns True if a catalogue's spelling is also read in running text: "krater, column" is, but "amphora, neck …"
    isn't, because it may begin a description of the neck."""
    after = name.partition(", ")[2].partition(" ")[0]
    return after == "type" or (len(after) > 4 and after not in CONNECTIVES)


@cache
def _joined_phrases(record: bool) -> Mapping[str, tuple[Vocabulary, str]]:
    # Short words are similar to too many others to be read as misspelt.
    return {" ".join(p): found for p, found in _phrases(record).items() if sum(map(len, p)) > 4}


@cache
def _phrases_of_length(record: bool, length: int) -> tuple[str, ...]:
    """Returns the names whose number of characters is within 1 of `length`: candidates for edit distance 1."""
    return tuple(phrase for phrase in _joined_phrases(record) if abs(len(phrase) - length) <= 1)


@cache
def _phrase_lengths(record: bool) -> Mapping[str, tuple[int, ...]]:
    """Maps the first word of a name to the lengths, in words, of all names that begin with it, longest first."""
    lengths: dict[str, set[int]] = {}
    for phrase in _phrases(record):
        lengths.setdefault(phrase[0], set()).add(len(phrase))
    return {word: tuple(sorted(all_lengths, reverse=True)) for word, all_lengths in lengths.items()}


_NOT_MISSPELT = word_list("not_misspelt.txt")
_LONG_WORD = 7


def _rows(table: str) -> list[dict[str, str]]:
    lines = (Path(__file__).parent / "lexicon" / table).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t"))
