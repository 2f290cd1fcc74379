"""Finds the videos and pictures of a row: in its columns, or in the parts of its messages.

A video or picture is a path, an object {"path": …} or {"url": …} with a local path, or, as `datasets` stores pictures
in parquet, an object {"bytes": …, "path": …} that holds the file's content. Nothing is downloaded.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from vaserl.curation.chat.chat import UnusableRow
from vaserl.files.storage import is_url

COLUMNS = {
    "video": ("videos", "video", "video_path", "video_paths"),
    "image": ("images", "image", "image_path", "image_paths"),
    "audio": ("audios", "audio"),
}
"""Names of the columns that hold the files of a kind; the first that is filled counts."""

Media = dict[str, list[Path | bytes]]
"""Files of a row by kind: "video", "image" and "audio"."""


def media_of_columns(row: Mapping[str, Any], folder: Path) -> Media:
    """Returns the files that the row's columns name. folder: folder that relative paths begin at.

    Raises: UnusableRow if a column holds something else than files.
    """
    media: Media = {}
    for kind, columns in COLUMNS.items():
        name = next((column for column in columns if row.get(column) not in (None, "", [])), "")
        found = row.get(name) or []
        if isinstance(found, Mapping) and not _is_file(found):
            found = list(found.values())  # {"<image_00>": path, …}
        items = [found] if isinstance(found, str | bytes | Mapping) else found
        if not isinstance(items, list):
            raise UnusableRow("media", f'"{name}" must be a path or a list of paths, got {type(found).__name__}')
        media[kind] = [file_of(item, folder) for item in items]
    return media


def file_of(item: Any, folder: Path) -> Path | bytes:
    """Returns the path of a video or picture, or the content that the item itself holds.

    Raises: UnusableRow for a URL that is not local, and for anything else.
    """
    if isinstance(item, bytes):
        return item
    if isinstance(item, Mapping):
        if isinstance(item.get("bytes"), bytes):
            return item["bytes"]
        item = next((item[key] for key in ("path", "url", "image", "video", "file") if item.get(key)), None)
    if not isinstance(item, str) or not item:
        raise UnusableRow("media", f"the path of a video or picture must be a text, got {type(item).__name__}")
    if item.startswith("data:"):
        raise UnusableRow("media", "a data: URL; write the picture to a file and give its path")
    if item.startswith("file://"):
        return Path(unquote(urlsplit(item).path))
    if is_url(item):
        raise UnusableRow("media", f"{item} is a URL; download the file and give its path")
    return folder / item


def _is_file(found: Mapping[str, Any]) -> bool:
    return any(key in found for key in ("path", "url", "bytes"))
