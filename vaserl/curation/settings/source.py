"""The places of photographs and records, and the names of their columns."""

import re
from pathlib import Path
from typing import Any, ClassVar

import pydantic

from vaserl.curation.fields import FIELDS
from vaserl.files.storage import normalised
from vaserl.settings.nearest import nearest_name
from vaserl.settings.section import Section


class SourceSettings(Section):
    """The photographs and the records."""

    RENAMED: ClassVar = {"pool": "[pool.source]"}

    path: str
    """Folder with the photographs and the records, or the table that lists the photographs: a local path, or a URL of
    a file system that fsspec supports, such as s3://bucket/vases."""
    photographs: str | None = None
    """Table that lists the photographs, relative to `path` or a URL; absent: photographs.csv, .json, .jsonl or .parquet
    if there is one, else the image files below `path`."""
    records: str | None = None
    """Table of the records, likewise; absent: records.csv, .json, .jsonl or .parquet, else one <vase_id>.json each."""
    id_field: str = ""
    """The records' column that holds the id of the vase; empty: "id", else the end of "URI", else "Vase Number"."""
    fields: dict[str, str] = pydantic.Field(default_factory=dict)
    """Column of the records or of the list of photographs for each field that has another name there, such as
    Fabric = "fabric_name" or vase_id = "object"."""
    pattern: str = r"(?P<vase_id>.+?)(?:_(?P<view>\d+|front|back|left|right|top|bottom))?"
    """Regular expression over a file's name without suffix, where no list says which vase it shows; names the groups
    vase_id and, if there are several views, view. With a "/" in it, it is matched against the path below `path`."""
    storage_options: dict[str, Any] = pydantic.Field(default_factory=dict, exclude=True)
    """What fsspec opens the file system of a URL with, such as endpoint_url; never written beside the results, because
    it may hold keys."""

    @pydantic.field_validator("path", mode="before")
    @classmethod
    def _a_place(cls, value: Any) -> Any:
        return normalised(str(value)) if isinstance(value, str | Path) else value

    @pydantic.field_validator("fields")
    @classmethod
    def _known_fields(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = [name for name in value if name not in FIELDS]
        if unknown:
            meant = nearest_name(unknown[0], FIELDS)
            hint = f"; did you mean {meant!r}?" if meant else ""
            raise ValueError(f"no field {unknown[0]!r}{hint} The fields are {', '.join(FIELDS)}")
        return value

    @pydantic.field_validator("pattern")
    @classmethod
    def _names_its_groups(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if "vase_id" not in groups:
            raise ValueError("the pattern must name the group (?P<vase_id>…), and may name (?P<view>…)")
        return value
