"""Measures how well the parser of the vase reward reads texts that people labelled: shares with Wilson intervals.

A row is {"text": …, "labels": {"fabric": ["athenian"], "dating": [[-480, -470]], "attribution": [{"name": …}],
"decoration": ["satyr"], "ornament": ["palmette"], …}}. A dimension is right if the text's set of values equals the
labels', or one of the further sets in "also" ({"fabric": [["gnathian"], []]}); the ends of dates may differ by a year.
A decoration is right from a word F1 of 0.7; words labelled as ornament count neither for nor against it. Texts in a
language that the parser does not read are counted, and are no part of the shares.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz

from launch.bench.labelled_texts import read_labelled_texts
from vaserl.rewards.vase import Facts, parse_caption
from vaserl.rewards.vase.attribution import read_names
from vaserl.rewards.vase.decoration import decoration_words
from vaserl.rewards.vase.hands import core
from vaserl.rewards.vase.text import lemma, normalize, tokens
from vaserl.statistics.intervals import wilson_interval
from vaserl.types import DIMENSIONS, Dimension

SMALLEST_F1 = 0.7
"""Word F1 from which a decoration counts as right."""
_FIVE: tuple[Dimension, ...] = tuple(dimension for dimension in DIMENSIONS if dimension != "decoration")
_SAME_WORD = 85
_SAME_YEAR = 1
"""Years by which two ends of an interval may differ: the 5th century is -500 to -401, or -500 to -400."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options: the files with labelled texts, and whether misread texts are listed."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.jsonl", help="rows with `text` and `labels`")
    parser.add_argument("--by", metavar="KEY", help='also measure each value of this key of the rows ("register")')
    parser.add_argument("--misread", action="store_true", help="list what is misread")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Parses every text and compares it with its labels. Returns: counts, shares and intervals of each group of rows.

    Raises: UserError if a file can't be read or a row has no text or labels.
    """
    rows = [row for file in arguments.files for row in read_labelled_texts(file, {"text": str, "labels": dict})]
    groups = {"all": rows}
    if arguments.by:
        for row in rows:
            groups.setdefault(f"{arguments.by} {row.get(arguments.by)}", []).append(row)
    read = [(row, parse_caption(row["text"])) for row in rows]
    judged = {id(row): judge(facts, row["labels"]) for row, facts in read if not facts.unread}
    found: dict[str, Any] = {
        "groups": {name: _shares(group, judged) for name, group in groups.items()},
        "unread": [{"id": row.get("id"), "language": facts.unread} for row, facts in read if facts.unread],
    }
    if arguments.misread:
        found["misread"] = [
            {"id": row.get("id"), "wrong": [d for d in DIMENSIONS if not judged[id(row)][d]]}
            for row in rows
            if id(row) in judged and not all(judged[id(row)].values())
        ]
    return found


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = []
    for name, shares in measured["groups"].items():
        lines.append(f"{name}: {shares['num_texts']} texts read, {shares['num_unread']} in a language that is not read")
        lines += [
            f"  {what:12} {s['share']:6.1%}  [{s['low']:.1%}, {s['high']:.1%}]" for what, s in shares["right"].items()
        ]
    lines += [f"{row['id']}: {', '.join(row['wrong'])}" for row in measured.get("misread", ())]
    return "\n".join(lines)


def judge(facts: Facts, labels: Mapping[str, Any]) -> dict[str, bool]:
    """Returns for each dimension whether the facts read from a text are those of its labels, or one of the further sets
    of values in `labels["also"]`, which count as right too."""
    right = {name: _is_any(name, facts, labels) for name in _FIVE}
    right["decoration"] = word_f1(facts.decoration, labels["decoration"], labels.get("ornament", ())) >= SMALLEST_F1
    return right


def _is_any(dimension: Dimension, facts: Facts, labels: Mapping[str, Any]) -> bool:
    also = (labels.get("also") or {}).get(dimension, ())
    return any(_agrees(dimension, facts, labelled) for labelled in (labels[dimension], *also))


def _agrees(dimension: Dimension, facts: Facts, labelled: Sequence[Any]) -> bool:
    if dimension == "dating":
        given, expected = sorted((i.start, i.end) for i in facts.dating), sorted(map(tuple, labelled))
        return len(given) == len(expected) and all(
            abs(a - b) <= _SAME_YEAR
            for one, other in zip(given, expected, strict=True)
            for a, b in zip(one, other, strict=True)
        )
    if dimension == "attribution":
        names = [hand if isinstance(hand, str) else hand["name"] for hand in labelled]
        hands = {a for name in names for a in read_names(normalize(name, 200))}
        return {core(a.name) for a in facts.attribution} == {core(a.name) for a in hands}
    return {term.id or term.text for term in facts[dimension]} == set(labelled)


def word_f1(given: Sequence[str], labelled: Sequence[str], neutral: Sequence[str] = ()) -> float:
    """Returns the F1 score of two lists of words, 1 if both are empty. Inflected forms of a word are the same word.

    neutral: words that count neither for nor against `given`, unless they are labelled too.
    """
    right = _stems(labelled)
    ignored = _stems(neutral) - right
    stated = {_stem(word) for word in given}
    stated = {word for word in stated if not any(_same(word, other) for other in ignored) or word in right}
    if not right or not stated:
        return float(not right and not stated)
    precision = sum(any(_same(word, other) for other in right) for word in stated) / len(stated)
    recall = sum(any(_same(word, other) for other in stated) for word in right) / len(right)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _stems(phrases: Sequence[str]) -> set[str]:
    """Returns the stems of the words that a record's "Decoration" would state, thus without words such as "scene"."""
    return {_stem(word) for phrase in phrases for word in decoration_words(tokens(normalize(phrase, 200)))}


def _stem(word: str) -> str:
    word = lemma(word)
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            word = word.removesuffix(ending)
            return word[:-1] if word[-1] == word[-2] and word[-1] not in "sl" else word
    return word.removesuffix("e") if len(word) > 4 else word


def _same(a: str, b: str) -> bool:
    return a == b or (len(a) > 3 and len(b) > 3 and fuzz.ratio(a, b) >= _SAME_WORD)


def _shares(rows: Sequence[Mapping[str, Any]], by_row: Mapping[int, Mapping[str, bool]]) -> dict[str, Any]:
    judged = [by_row[id(row)] for row in rows if id(row) in by_row]
    if not judged:
        return {"num_texts": 0, "num_unread": len(rows), "right": {}}
    counts = {dimension: sum(right[dimension] for right in judged) for dimension in DIMENSIONS}
    counts["five"] = sum(all(right[dimension] for dimension in _FIVE) for right in judged)
    counts["six"] = sum(all(right.values()) for right in judged)
    intervals = {name: wilson_interval(count, len(judged)) for name, count in counts.items()}
    return {
        "num_texts": len(judged),
        "num_unread": len(rows) - len(judged),
        "right": {
            name: {"count": counts[name], "share": counts[name] / len(judged), "low": i.low, "high": i.high}
            for name, i in intervals.items()
        },
    }
