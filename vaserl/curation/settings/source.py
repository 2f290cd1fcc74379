"""Settings of the input: the places of photographs and records, and the names of their columns."""

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pydantic

from vaserl.curation.fields import FIELDS
from vaserl.files.pixel_limit import MAX_PIXELS
from vaserl.files.storage import normalised
from vaserl.settings.nearest import nearest_name
from vaserl.settings.section import Section
from vaserl.settings.submitted import READ_OR_URL


class SourceSettings(Section):
    """Settings of the input: the photographs, and the museum's records of the vases on them."""

    RENAMED: ClassVar = {"pool": "[pool.source]"}

    path: Annotated[str, READ_OR_URL]
    """Folder with the photographs and the records, or the table that lists the photographs: a local path, or a URL of
    a file system that fsspec supports, such as s3://bucket/vases."""
    photographs: str | None = None
    """Table that lists the photographs: its path relative to `path`, or its URL. If absent: photographs.csv, .json,
    .jsonl or .parquet in `path`; if there is no such table, every image file below `path`."""
    records: str | None = None
    """Table of the records: its path relative to `path`, or its URL. If absent: records.csv, .json, .jsonl or .parquet
    in `path`; if there is no such table, one file <vase_id>.json for each vase."""
    id_field: str = ""
    """Column of the records that holds the vase's id. If empty, the first of these that is present: the column "id",
    the last part of the column "URI", the column "Vase Number"."""
    fields: dict[str, str] = pydantic.Field(default_factory=dict)
    """Maps a field to the column that contains it in the records or in the list of photographs, if the column has
    another name. Example: Fabric = "fabric_name", vase_id = "object"."""
    pattern: str = (
        r"(?i)(?P<vase_id>.+?)(?:[_ -]+(?P<view>(?<=_)\d+|"
        r"(?:front|back|rear|left|right|top|bottom|base|side|profile|three.?quarter|obverse|reverse|recto|verso"
        r"|detail|interior|inside|tondo|mouth|handle|view|overall)"
        r"(?:[_ -]?(?:[a-d]|\d{1,2}|front|back|left|right|side|view))*))?"
    )
    """Regular expression that finds the vase's id in the file name (without suffix) of a photograph, if no table states
    the id. It contains a group vase_id and, if vases have several views, a group view. If it contains "/", it is
    matched against the path below `path`."""
    max_pixels: int = pydantic.Field(default=MAX_PIXELS, ge=1)
    """Largest number of pixels of a photograph. A JPEG with up to four times as many is decoded at half its width and
    height; any other picture that is larger is rejected. A photograph needs about 10 bytes of memory for each pixel in
    each process that reads it."""
    storage_options: dict[str, Any] = pydantic.Field(default_factory=dict, exclude=True)
    """Options with which fsspec opens the file system of a URL, such as endpoint_url. They are never written beside the
    results, because they may contain keys."""

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
            hint = f" (did you mean {meant!r}?)" if meant else ""
            raise ValueError(f"unknown field {unknown[0]!r}{hint}; known fields: {', '.join(FIELDS)}")
        return value

    @pydantic.field_validator("pattern")
    @classmethod
    def _names_its_groups(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if "vase_id" not in groups:
            raise ValueError("the pattern must contain the group (?P<vase_id>…), and may contain (?P<view>…)")
        return value
