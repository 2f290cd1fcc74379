"""Batches of rows: the form in which rows go from stage to stage.

A batch maps column names to arrays of one length [N], with one entry for each of N photographs. A stage adds its
columns. It rejects a row by writing the stage's name and the reason into the row. Rejected rows remain in the batch, so
that the manifest contains every photograph of the input.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

RowBatch = dict[str, np.ndarray]
"""Mapping from a column's name to its values, an array [N] for N rows. Texts are in object arrays, because fixed-width
arrays would truncate long texts."""

INPUT_COLUMNS = ("photo", "photo_sha256", "vase_id", "view", "record", "rejected_by", "reason")
"""Columns that each row has before the filter stages add columns of their own. `record` is a JSON object as text."""


def batch_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> RowBatch:
    """Returns rows as a batch with the given columns; by default with those of the first row."""
    names = columns if columns is not None else list(rows[0]) if rows else []
    return {name: _array([row[name] for row in rows]) for name in names}


def rows_of(batch: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Returns a batch as rows of plain Python values."""
    columns = {name: values.tolist() for name, values in batch.items()}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def batch_from(table: pa.Table) -> RowBatch:
    """Returns a table as a batch; the inverse of `table_of`."""
    return {name: _array(table.column(name).to_pylist()) for name in table.column_names}


def table_of(batch: Mapping[str, np.ndarray]) -> pa.Table:
    """Returns a batch as a table."""
    return pa.table({name: pa.array(values.tolist()) for name, values in batch.items()})


def remaining(batch: Mapping[str, np.ndarray]) -> list[int]:
    """Returns the indices of the rows that no stage has rejected."""
    return [index for index, stage in enumerate(batch["rejected_by"]) if not stage]


def taken(batch: Mapping[str, np.ndarray], indices: Sequence[int]) -> RowBatch:
    """Returns a batch of the rows at `indices`, in that order."""
    return {name: values[list(indices)] for name, values in batch.items()}


def merged(
    batch: Mapping[str, np.ndarray], parts: Iterable[tuple[Sequence[int], Mapping[str, np.ndarray]]]
) -> RowBatch:
    """Returns the batch with some rows replaced.

    Each element of `parts` is a pair: row indices, and a batch of the rows to put at these indices. If only some rows
    have a column, the other rows get NaN in a column of floats and "" in a column of texts.
    """
    columns = {name: list(values.tolist()) for name, values in batch.items()}
    for indices, part in parts:
        for name, values in part.items():
            default = float("nan") if values.dtype == np.float64 else ""
            column = columns.setdefault(name, [default] * len(batch["rejected_by"]))
            for index, value in zip(indices, values.tolist(), strict=True):
                column[index] = value
    return {name: _array(values) for name, values in columns.items()}


def with_column(batch: Mapping[str, np.ndarray], name: str, values: Mapping[int, Any], default: Any) -> RowBatch:
    """Returns the batch with one more column; `values` maps row index to value, and all other rows get `default`."""
    return {**batch, name: _array([values.get(index, default) for index in range(len(batch["rejected_by"]))])}


def rejecting(batch: Mapping[str, np.ndarray], stage: str, reasons: Mapping[int, str]) -> RowBatch:
    """Returns the batch with some rows rejected by `stage`; `reasons` maps the index of each such row to the reason."""
    rejected_by, reason = (np.array(batch[name], dtype=object) for name in ("rejected_by", "reason"))
    for index, why in reasons.items():
        assert not rejected_by[index], f"row {index} was rejected by {rejected_by[index]} already"
        rejected_by[index], reason[index] = stage, why
    return {**batch, "rejected_by": rejected_by, "reason": reason}


def _array(values: Iterable[Any]) -> np.ndarray:
    values = list(values)
    if all(isinstance(value, float) for value in values):
        return np.array(values, dtype=np.float64)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
