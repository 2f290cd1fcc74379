"""Batches of rows, as they travel between stages.

A batch maps column names to arrays of one length [N], one entry for each photograph. A stage adds its columns to the
remaining rows, and rejects rows by writing its name and the reason. Rejected rows travel on unchanged, so that the
manifest accounts for every photograph that came in.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

RowBatch = dict[str, np.ndarray]
"""Column name to [N] values; texts are object arrays, because fixed-width ones would truncate a longer reason."""

INPUT_COLUMNS = ("photo", "photo_sha256", "vase_id", "view", "record", "rejected_by", "reason")
"""Columns of each row from the source; `record` is JSON."""


def batch_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> RowBatch:
    """Returns rows as a batch; `columns` default to those of the first row."""
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
    """Returns the rows of those indices, in that order."""
    return {name: values[list(indices)] for name, values in batch.items()}


def merged(
    batch: Mapping[str, np.ndarray], parts: Iterable[tuple[Sequence[int], Mapping[str, np.ndarray]]]
) -> RowBatch:
    """Returns the batch with some of its rows replaced: each part's rows go to its indices.

    A column that only some of the rows have is NaN in the others where it holds floats, and "" where it holds texts.
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
    """Returns the batch with one more column: `values` by row index, `default` in every other row."""
    return {**batch, name: _array([values.get(index, default) for index in range(len(batch["rejected_by"]))])}


def rejecting(batch: Mapping[str, np.ndarray], stage: str, reasons: Mapping[int, str]) -> RowBatch:
    """Returns the batch with some rows rejected by `stage`, reasons by row index."""
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
