"""Reads the input of curation: photographs, joined with the museum's records of the vases on them into one table.

Photographs are listed in a table (CSV, JSON, JSONL, parquet) with the columns file, vase_id and view, or else are the
image files of a folder, whose names contain vase and view. Records are another such table, with the field names of the
Beazley archive, or one `<vase_id>.json` for each vase. Both are local files, or URLs that fsspec reads.
"""

from vaserl.curation.source.problem import Report
from vaserl.curation.source.read import (
    SOURCE_SCHEMA,
    Inspected,
    check_apart,
    folder_of,
    inspect_source,
    read_photograph_source,
)

__all__ = [
    "SOURCE_SCHEMA",
    "Inspected",
    "Report",
    "check_apart",
    "folder_of",
    "inspect_source",
    "read_photograph_source",
]
