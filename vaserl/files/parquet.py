"""Reads the rows of a parquet file that somebody else may have written: in small batches, within limits, and with every
defect as a UserError.

A small file can hold a large table: a dictionary stores a text once for a million rows. So texts stay in dictionaries
until a batch's decoded size is known. The pages' own sizes are checked by Arrow, which trusts those that they state.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vaserl.errors import UserError

_MAX_ROWS_IN_BATCH = 1024
_AIM_MB = 32
_MB = 1_000_000
_MAX_BATCH_MB = 256
_MAX_GROUP_MB = 4096
_MAX_HEADER_TEXT, _MAX_HEADER_LIST = 64 << 20, 1 << 20
"""Largest text and longest list in the file's header; a damaged header can state billions."""
# what Arrow raises for a damaged file, for text that is not UTF-8, for a date that Python does not have, and for a time
# zone that nobody has
DEFECTS = (pa.ArrowException, OSError, ValueError, ArithmeticError, LookupError)


def open_parquet(source: Path | str | IO[bytes] | pa.NativeFile, what: str) -> pq.ParquetFile:
    """Opens a parquet file, which `what` names in error messages, with texts as dictionaries.

    Raises: UserError if it is not a parquet file, or states sizes beyond the limits.
    """
    limited = partial(
        pq.ParquetFile,
        source,
        thrift_string_size_limit=_MAX_HEADER_TEXT,
        thrift_container_size_limit=_MAX_HEADER_LIST,
    )
    try:
        file = limited()
        columns = [file.schema.column(index) for index in range(len(file.schema))]
        texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]
        _check_sizes(file.metadata, what)
        return limited(metadata=file.metadata, read_dictionary=texts)
    except DEFECTS as error:
        raise UserError(f"{what} is not a parquet file, or a damaged one: {error}") from error


def rows_of_parquet(file: pq.ParquetFile, what: str, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yields the rows of an open file, or these columns of them.

    Raises: UserError if the file is damaged, or a batch of rows is too large.
    """
    try:
        for batch in file.iter_batches(
            _rows_in_batch(file.metadata), columns=None if columns is None else list(columns)
        ):
            num_bytes = sum(map(_decoded_bytes, batch.columns))
            if num_bytes > _MAX_BATCH_MB * _MB:
                raise UserError(
                    f"{what}: {batch.num_rows} rows hold {num_bytes / _MB:,.0f} MB, more than {_MAX_BATCH_MB} MB. "
                    "Split or shorten the rows"
                )
            yield from batch.to_pylist()
    except DEFECTS as error:
        raise UserError(f"{what} is a damaged parquet file: {error}") from error


def _check_sizes(metadata: pq.FileMetaData, what: str) -> None:
    # not the sizes of a group's columns: pyarrow ends the process at `group.column(…)` if their statistics are damaged
    for index in range(metadata.num_row_groups):
        num_mb = metadata.row_group(index).total_byte_size / _MB
        if num_mb > _MAX_GROUP_MB:
            raise UserError(
                f"{what}: row group {index} has {num_mb:,.0f} MB, more than {_MAX_GROUP_MB} MB. Write the file with "
                "smaller row groups"
            )


def _rows_in_batch(metadata: pq.FileMetaData) -> int:
    """Returns the number of rows that are read at once: fewer where they hold pictures."""
    num_bytes = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
    if num_bytes <= 0 or metadata.num_rows <= 0:
        return _MAX_ROWS_IN_BATCH
    return min(_MAX_ROWS_IN_BATCH, max(1, _AIM_MB * _MB * metadata.num_rows // num_bytes))


def _decoded_bytes(array: pa.Array) -> int:
    """Returns how much memory an array's values take when each text is stored by itself."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        if kind.value_type not in (pa.string(), pa.binary(), pa.large_string(), pa.large_binary()):
            return array.nbytes
        lengths = pc.call_function("binary_length", [array.dictionary]).take(array.indices)
        return pc.call_function("sum", [pc.cast(lengths, pa.int64())]).as_py() or 0
    if pa.types.is_struct(kind):
        return sum(_decoded_bytes(child) for child in array.flatten())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        return _decoded_bytes(array.flatten() if not pa.types.is_map(kind) else array.items) + array.nbytes
    return array.nbytes
