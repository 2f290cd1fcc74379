"""Measures what labelled texts earn against records made from their labels, beside these records' reference captions.

Rows are those of `launch bench reader`. The record of a row has its labels in the words of the archive, so a text that
is read without mistakes is right in every dimension; what it still lacks is taken by the penalties, and by the bonus,
which only the reference's own wording earns. Rows without a text (the licence of some allows no quotation) and rows
without labels are counted.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from launch.bench.labelled_texts import read_labelled_texts
from vaserl.errors import UserError
from vaserl.evaluation.predictions import completion_of
from vaserl.rewards.vase import VaseReward, lexicon, reference_caption
from vaserl.statistics.intervals import bootstrap_mean_interval
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Score, Task

_VOCABULARIES = ("fabric", "technique", "shape")
_QUALIFIERS = {"manner": "manner of ", "circle": "circle of ", "follower": "follower of ", "near": "near "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options: the files with labelled texts, and the key by which they are grouped."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.jsonl", help="rows with `text` and `labels`")
    parser.add_argument("--by", metavar="KEY", help='also measure each value of this key of the rows ("kind")')


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Scores every text and its reference caption. Returns: means and intervals of each group of rows, and counts.

    Raises: UserError if a file can't be read or a row is no JSON object with `labels`.
    """
    rows = [row for file in arguments.files for row in read_labelled_texts(file, {"labels": dict})]
    with_text = [row for row in rows if "text" in row]
    records = [record_of(row["labels"]) for row in with_text]
    reward = VaseReward()
    reward.prepare([record for record in records if record])
    scored = []
    for row, record in zip(with_text, records, strict=True):
        if record:
            task = Task(
                id=str(row.get("id")),
                clip="",
                prompt="Describe the vase.",
                dimensions=DIMENSIONS,
                record=record,
                reference=reference_caption(record),
            )
            scored.append((row, *(reward(task, completion_of(text)) for text in (row["text"], task.reference))))
    read = [each for each in scored if not each[1].parts["unread"]]
    if not read:
        raise UserError(f"{arguments.files[0]}: no row has a text that is read and labels")
    groups = {"all": read}
    if arguments.by:
        for each in read:
            groups.setdefault(f"{arguments.by} {each[0].get(arguments.by)}", []).append(each)
    return {
        "groups": {
            name: _means([text for _, text, _ in each], [reference for _, _, reference in each])
            for name, each in groups.items()
        },
        "num_without_text": len(rows) - len(with_text),
        "num_without_labels": len(with_text) - len(scored),
        "num_unread": len(scored) - len(read),
    }


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = []
    for name, group in measured["groups"].items():
        text = group["text"]
        lines.append(
            f"{name}: {group['num_texts']} texts earn {text['mean']:.3f} [{text['low']:.3f}, {text['high']:.3f}], "
            f"their references {group['reference']:.3f}"
        )
        lines += [f"  {part:22} {value:6.3f}" for part, value in group["parts"].items()]
    counts = ("without_text", "without_labels", "unread")
    return "\n".join([*lines, ", ".join(f"{measured[f'num_{name}']} {name.replace('_', ' ')}" for name in counts)])


def record_of(labels: Mapping[str, Any]) -> dict[str, str]:
    """Returns a record in the words of the archive that states what the labels state; empty if they state nothing."""
    values = {
        **{d: [lexicon(d)[id].names[0].upper() for id in labels[d]] for d in _VOCABULARIES},
        "dating": [f"{start} to {end}" for start, end in labels["dating"]],
        "attribution": [
            hand if isinstance(hand, str) else _QUALIFIERS.get(hand.get("qualifier", ""), "") + hand["name"]
            for hand in labels["attribution"]
        ],
        "decoration": [", ".join(labels["decoration"])] if labels["decoration"] else [],
    }
    return {FIELD_OF_DIMENSION[d]: " | ".join(values[d]) for d in DIMENSIONS if values[d]}


def _means(texts: Sequence[Score], references: Sequence[Score]) -> dict[str, Any]:
    names = (*DIMENSIONS, "penalty/length", "penalty/repetition", "penalty/irrelevance", "bonus")
    parts = {name: [score.parts[name] for score in texts if name in score.parts] for name in names}
    return {
        "num_texts": len(texts),
        "text": bootstrap_mean_interval(np.array([s.total for s in texts]), num_resamples=10_000, seed=0).as_dict(),
        "reference": float(np.mean([score.total for score in references])),
        "parts": {name: float(np.mean(values)) for name, values in parts.items() if values},
    }
