"""The manifest: a parquet file with one row for each input photograph.

`rejected_by` is empty for a photograph that was kept; otherwise it is the name of the stage that rejected the
photograph, and `reason` states why. So a query over the manifest gives the number of photographs that each stage kept,
and every photograph is accounted for.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vaserl.dataset.row import ROW_SCHEMA, Row
from vaserl.errors import UserError
from vaserl.files import atomic_file
from vaserl.files.parquet import open_parquet, rows_of_parquet
from vaserl.files.storage import is_file, is_url, no_answer, read_bytes

_OPTIONAL = frozenset({"view", "kind", "rights", "credit", "other_photos", "instead_of", "caption_fallback"})
"""Columns that manifests written by older versions lack."""
_ROWS_IN_GROUP = 2048


class Manifest(Collection[Row]):
    """The rows of a manifest file. Each iteration reads the file again and holds one batch of rows in memory.

    Raises: UserError on every access when the file is missing or is not a manifest.
    """

    def __init__(self, place: Path | str) -> None:
        """place: path or URL of the manifest."""
        self.place = str(place)

    @property
    def path(self) -> Path:
        """Path of the file. Raises: UserError for a manifest behind a URL."""
        if is_url(self.place):
            raise UserError(f"{self.place} must be on a file system (POSIX) for this. Copy the data set to a folder")
        return Path(self.place)

    def __len__(self) -> int:
        with self._open() as file:
            return file.metadata.num_rows

    def __contains__(self, row: object) -> bool:
        return any(row == other for other in self)

    def __iter__(self) -> Iterator[Row]:
        with self._open() as file:
            present = [name for name in ROW_SCHEMA.names if name in file.schema_arrow.names]
            for number, columns in enumerate(rows_of_parquet(file, self.place, present), start=1):
                try:
                    yield Row.from_columns(columns)
                except ValueError as error:
                    raise UserError(f"{self.place}, row {number} is damaged: {error}") from error

    def write(self, rows: Iterable[Row]) -> None:
        """Writes the rows to the file atomically, in the order of `rows`; holds one row group in memory.

        Row groups have a fixed length, so the same rows always give the same bytes.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        columns = (row.as_columns() for row in rows)
        with atomic_file(self.path) as file, pq.ParquetWriter(file, ROW_SCHEMA) as writer:
            while group := list(itertools.islice(columns, _ROWS_IN_GROUP)):
                writer.write_table(pa.Table.from_pylist(group, schema=ROW_SCHEMA))

    def _open(self) -> pq.ParquetFile:
        folder, _, name = self.place.rpartition("/")
        try:
            if not is_file(self.place):
                raise UserError(f"data set {folder} has no {name}. Make one with `python -m launch curate CONFIG`.")
            # a remote manifest is some megabytes, and parquet readers ask for many small parts of a file
            source = pa.BufferReader(read_bytes(self.place)) if is_url(self.place) else self.place
        except OSError as error:
            raise no_answer(self.place, error) from error
        file = open_parquet(source, self.place)
        missing = [n for n in ROW_SCHEMA.names if n not in file.schema_arrow.names and n not in _OPTIONAL]
        if missing:
            file.close()
            raise UserError(
                f"{self.place} lacks the columns {', '.join(missing)}; it was not written by the curate job"
            )
        return file
