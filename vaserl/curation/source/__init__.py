"""Reads the input of curation and joins each photograph with the museum's record of the vase that it shows.

The photographs are listed in a table (CSV, JSON, JSONL or parquet) with the columns file, vase_id and view. Without
such a table, all image files of a folder are used, and their names contain the vase's id and the view. The records use
the field names of the Beazley Archive. They are the rows of a second table, or one file `<vase_id>.json` for each vase.
Photographs and records are local files, or URLs that fsspec can open.
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
