"""The rows that a run records: completions with their scores, and the spans and pieces of its timeline."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vaserl.errors import UserError
from vaserl.files import atomic_file
from vaserl.types import DIMENSIONS, Dimension, FinishReason, ScoredGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRow:
    """One completion of a step, with everything that the step computed from it. The fields are the file's columns,
    named as in TRL where TRL has them."""

    step: int
    """The training step, counted from 1."""
    task: str
    """Id of the task."""
    member: int
    """Position in its group, the completions of one task sampled together, counted from 0. A step's rows are ordered by
    group; one task may have several groups."""
    prompt: str
    completion: str
    """The decoded answer."""
    dimensions: tuple[Dimension, ...]
    """Dimensions that the task asks for. A run without this column gets those that its reward marked as targets."""
    reference: str
    """The text of a perfect answer."""
    record: Mapping[str, str]
    """The museum's record in the Beazley form."""
    clip: str
    """Content hash of the turntable video."""
    reward: float
    parts: Mapping[str, float]
    """Named parts of the reward."""
    advantage: float
    token_ids: tuple[int, ...]
    """Ids of the T generated tokens."""
    logprobs: tuple[float, ...]
    """Natural log-probability of each of the T tokens under the policy that sampled them."""
    finish_reason: FinishReason
    weights_version: int
    """Version of the weights that sampled the completion."""
    learner_version: int
    """Version of the weights that were trained on the completion. A run without this column gets the step's number."""


_JSON_COLUMNS = ("record", "parts")
_LATER_COLUMNS = ("dimensions", "learner_version")
"""Columns that runs of format 0 may lack."""
_COLUMNS = tuple(field.name for field in fields(RolloutRow))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineSpan:
    """One worker's time in one phase of a step."""

    step: int
    phase: str
    """Name of the phase: "rollout", "reward", "learn", "weights" or "publish" (sends the weights to the engines)."""
    worker: str
    start_s: float
    """Seconds since the run began."""
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasePieces:
    """The seconds of the pieces (timed parts) of one phase of a step."""

    step: int
    phase: str
    seconds: Mapping[str, float]
    """Seconds of each piece on the slowest worker, by its name."""


def rollout_rows(
    step: int, scored: Sequence[ScoredGroup], advantages_P_G: Sequence[Sequence[float]]
) -> Iterator[RolloutRow]:
    """Yields a row for each completion of the step, group after group."""
    for group, advantages_G in zip(scored, advantages_P_G, strict=True):
        task = group.group.task
        for member, (completion, score) in enumerate(zip(group.group.completions, group.scores, strict=True)):
            yield RolloutRow(
                step=step,
                task=task.id,
                member=member,
                prompt=task.prompt,
                completion=completion.text,
                dimensions=task.dimensions,
                reference=task.reference,
                record=task.record,
                clip=task.clip,
                reward=score.total,
                parts=score.parts,
                advantage=float(advantages_G[member]),
                token_ids=completion.token_ids,
                logprobs=completion.logprobs,
                finish_reason=completion.finish_reason,
                weights_version=completion.weights_version,
                learner_version=step,  # step k trains version k
            )


def write_rollout_rows(path: Path, rows: Iterator[RolloutRow]) -> None:
    """Writes the rows as a parquet file, atomically; mappings become JSON text."""
    table = pa.Table.from_pylist([_encoded(row) for row in rows])
    with atomic_file(path) as file:
        pq.write_table(table, file)


def read_rollout_rows(path: Path) -> list[RolloutRow]:
    """Reads what `write_rollout_rows` wrote.

    Raises: UserError when the file is not parquet or lacks a column.
    """
    try:
        found = pq.ParquetFile(path).read().to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} can't be read: {error}") from error
    lacking = [name for name in _COLUMNS if found and name not in found[0] and name not in _LATER_COLUMNS]
    if lacking:
        raise UserError(f"{path} lacks the columns {', '.join(lacking)}; it was written by another version of vaserl")
    return [_decoded(values) for values in found]


def _encoded(row: RolloutRow) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in _COLUMNS},
        "record": json.dumps(dict(row.record), ensure_ascii=False, sort_keys=True),
        "parts": json.dumps(dict(row.parts), sort_keys=True),
    }


def _decoded(values: Mapping[str, Any]) -> RolloutRow:
    known: dict[str, Any] = {name: values[name] for name in _COLUMNS if name in values}
    known |= {name: json.loads(values[name]) for name in _JSON_COLUMNS}
    known |= {name: tuple(values[name]) for name in ("token_ids", "logprobs")}
    known["dimensions"] = tuple(values.get("dimensions") or _marked_dimensions(known["parts"]))
    known.setdefault("learner_version", values["step"])
    return RolloutRow(**known)


def _marked_dimensions(parts: Mapping[str, float]) -> tuple[Dimension, ...]:
    return tuple(d for d in DIMENSIONS if f"has_target/{d}" in parts) or DIMENSIONS
