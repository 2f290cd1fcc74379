"""Rows of a training run's files: completions with their scores, and times of the phases of each step."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vaserl.errors import UserError
from vaserl.files import atomic_file
from vaserl.files.parquet import open_parquet, rows_of_parquet
from vaserl.types import DIMENSIONS, Dimension, FinishReason, ScoredGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRow:
    """One completion of a GRPO step, with its task, its score and its advantage.

    The fields are the columns of the step's parquet file. Columns that TRL also has, have TRL's names.
    """

    step: int
    """The training step, counted from 1."""
    task: str
    """Id of the task (a prompt about one vase)."""
    member: int
    """Index of the completion in its group (completions sampled together for one task), from 0.

    The rows of a step are ordered by group. A step may have several groups of the same task."""
    prompt: str
    completion: str
    """Decoded text of the completion."""
    dimensions: tuple[Dimension, ...]
    """Dimensions ("fabric", …) that the prompt asks about; none for a question about something else.

    If the file lacks this column, these are the dimensions with a part "has_target/<dimension>" in the reward. If no
    dimension has such a part, these are all dimensions."""
    reference: str
    """Text of a perfect completion."""
    record: Mapping[str, str]
    """The museum's record of the vase, with the field names of the Beazley archive."""
    clip: str
    """Content hash of the vase's turntable video."""
    reward: float
    parts: Mapping[str, float]
    """Value of each part of the reward, by the part's name."""
    advantage: float
    token_ids: tuple[int, ...]
    """Ids of the T generated tokens; shape (T,)."""
    logprobs: tuple[float, ...]
    """Natural log-probability of each generated token under the policy that sampled it; shape (T,)."""
    finish_reason: FinishReason
    weights_version: int
    """Version number of the weights that sampled the completion."""
    learner_version: int
    """Version number of the weights that were trained on the completion. If the file lacks this column, the step's
    number."""


_JSON_COLUMNS = ("record", "parts")
_LATER_COLUMNS = ("dimensions", "learner_version")
"""Columns that may be absent from parquet files of runs with format 0 (see `RUN_FORMAT`)."""
_COLUMNS = tuple(field.name for field in fields(RolloutRow))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineSpan:
    """Start and end of one phase of a training step on one worker."""

    step: int
    phase: str
    """Name of the phase: "rollout", "reward", "learn", "weights" (getting the weights from the learner) or "publish"
    (sending the weights to the engines)."""
    worker: str
    start_s: float
    """Start of the phase, in seconds since the run started."""
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasePieces:
    """Durations of the timed parts of one phase of a training step."""

    step: int
    phase: str
    seconds: Mapping[str, float]
    """Duration of each part on the slowest worker: {part: seconds}."""


def rollout_rows(
    step: int, scored: Sequence[ScoredGroup], advantages_P_G: Sequence[Sequence[float]]
) -> Iterator[RolloutRow]:
    """Yields a row for each completion of the step, group by group.

    advantages_P_G: advantage of each of G completions in each of P groups.
    """
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
    """Writes the rows to a parquet file atomically. Fields that are mappings are stored as JSON text."""
    table = pa.Table.from_pylist([_encoded(row) for row in rows])
    with atomic_file(path) as file:
        pq.write_table(table, file)


def read_rollout_rows(path: Path) -> list[RolloutRow]:
    """Reads the rows from a parquet file that `write_rollout_rows` produced.

    Raises: UserError if the file is not a parquet file or lacks a required column.
    """
    found = list(rows_of_parquet(open_parquet(path, str(path)), str(path)))
    lacking = [name for name in _COLUMNS if found and name not in found[0] and name not in _LATER_COLUMNS]
    if lacking:
        raise UserError(f"{path} lacks the columns {', '.join(lacking)}; it was written by another version of vaserl")
    rows = []
    for number, values in enumerate(found, start=1):
        try:
            rows.append(_decoded(values))
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise UserError(f"{path}, row {number} is damaged: {error!r}") from error
    return rows


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
    stated = values.get("dimensions")
    known["dimensions"] = _marked_dimensions(known["parts"]) if stated is None else tuple(stated)
    known.setdefault("learner_version", values["step"])
    return RolloutRow(**known)


def _marked_dimensions(parts: Mapping[str, float]) -> tuple[Dimension, ...]:
    return tuple(d for d in DIMENSIONS if f"has_target/{d}" in parts) or DIMENSIONS
