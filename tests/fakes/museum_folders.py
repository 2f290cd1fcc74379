"""Helpers to write folders of photographs and records, and to read them as the curation source does."""

import json
from pathlib import Path

from PIL import Image

from vaserl.curation.settings import SourceSettings
from vaserl.curation.source import SOURCE_SCHEMA, read_photograph_source

RECORD = {"Fabric": "ATHENIAN", "Date": "-525 to -475"}


def write_image(path: Path, colour: tuple[int, int, int] = (200, 80, 40)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), colour).save(path)


def write_lines(path: Path, *entries: dict) -> None:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def rows(folder: Path | str, **sections) -> list[dict]:
    """Returns the rows that the curation source reads from the folder, with their records decoded from JSON."""
    table = read_photograph_source(SourceSettings(path=str(folder), **sections))
    assert table.schema == SOURCE_SCHEMA
    return [row | {"record": json.loads(row["record"])} for row in table.to_pylist()]
