"""Reads conversations from a file, one about each vase.

A row of the file is a JSON object in one of the common forms:

* "messages": [{"role": "user" | "assistant", "content": text or parts}, …], with parts like {"type": "video", "video":
  path}, {"type": "image", "image": path} and {"type": "text", "text": …};
* "conversations": [{"from": "human" | "gpt", "value": text}, …].

A text may contain the placeholders <video> and <image>; the files are then in "videos" or "images" (lists), or "video"
or "image". Optional: "id"; "solution" or "reference", the complete caption; "record", the museum's record; "split".
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from vaserl.dataset import SPLITS
from vaserl.errors import Problem, UserError
from vaserl.files import read_json_lines
from vaserl.files.storage import is_url

_ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant", "system": "system"}
_PLACEHOLDER = re.compile(r"<(?:video|image)>\s*")
_TAKES_MEDIA = ("video", "image")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A conversation about a vase."""

    id: str
    where: str
    """File and number of the row."""
    video: Path | None
    """The video, or None if the conversation is about pictures."""
    pictures: tuple[Path, ...]
    turns: tuple[tuple[str, str], ...]
    """Question and answer of each turn; the first question asks for the caption."""
    reference: str
    """The complete caption: the row's own, else the first answer."""
    record: Mapping[str, str]
    """The museum's record, by field name of the Beazley archive; empty if the row has none."""
    split: str
    """Split of the vase, or "" if the row states none."""


def read_chats(path: Path, report: Callable[[Problem], None]) -> list[Chat]:
    """Returns the conversations in a .jsonl, .json or .parquet file. A row that can't be used is reported and left out.

    Raises: UserError if the file can't be read, or has no row.
    """
    rows = _rows(path)
    if not rows:
        raise UserError(f"{path} has no rows")
    chats: list[Chat] = []
    seen: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        where = f"{path.name}, row {number}"
        try:
            chat = _chat(row, where, number, path.parent)
            if chat.id in seen:
                raise _Unusable("id used twice", f"id {chat.id!r} is that of {seen[chat.id]} too")
        except _Unusable as error:
            report(Problem(kind=error.kind, where=where, message=str(error)))
            continue
        seen[chat.id] = where
        chats.append(chat)
    return chats


class _Unusable(Exception):
    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise UserError(f"{path} does not exist" if not path.exists() else f"{path} is not a file")
    if path.suffix == ".parquet":
        try:
            return pq.read_table(path).to_pylist()
        except (OSError, ValueError) as error:
            raise UserError(f"{path} can't be read as parquet: {error}") from error
    if path.suffix != ".json":
        return read_json_lines(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise UserError(f"{path} must be a list of objects")
    return found


def _chat(row: Mapping[str, Any], where: str, number: int, folder: Path) -> Chat:
    media: dict[str, list[str]] = {kind: _listed(row, kind) for kind in _TAKES_MEDIA}
    turns = tuple(_turns(row, media))
    reference = row.get("solution") or row.get("reference") or (turns[0][1] if turns else "")
    if not isinstance(reference, str) or not reference.strip():
        raise _Unusable("no answer", 'there is no answer of the assistant, and no "solution"')
    if not turns:
        raise _Unusable("no question", 'there is no message with the role "user"')
    videos, pictures = media["video"], media["image"]
    if bool(videos) == bool(pictures) or len(videos) > 1:
        found = f"{len(videos)} videos and {len(pictures)} pictures"
        raise _Unusable("no single video", f"expected one video or some pictures, got {found}")
    record = row.get("record") or {}
    if not isinstance(record, Mapping) or not all(isinstance(value, str) for value in record.values()):
        raise _Unusable("record", '"record" must be an object whose values are texts')
    split = {"validation": "val", "valid": "val"}.get(str(row.get("split") or ""), str(row.get("split") or ""))
    if split and split not in SPLITS:
        raise _Unusable("unknown split", f'"split": {split!r} is none of {", ".join(SPLITS)}')
    return Chat(
        id=str(row.get("id") or f"{number:06d}"),
        where=where,
        video=folder / videos[0] if videos else None,
        pictures=tuple(folder / name for name in pictures),
        turns=((turns[0][0], turns[0][1] or reference), *turns[1:]),
        reference=reference.strip(),
        record=record,
        split=split,
    )


def _listed(row: Mapping[str, Any], kind: str) -> list[str]:
    found = row.get(f"{kind}s") or row.get(kind) or []
    if not isinstance(found, str | list):
        raise _Unusable("media", f'"{kind}s" must be a path or a list of paths, got {type(found).__name__}')
    return [_local(name) for name in ([found] if isinstance(found, str) else found)]


def _local(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise _Unusable("media", f"the path of a video or picture must be a text, got {type(name).__name__}")
    if is_url(name):
        raise _Unusable("media", f"{name} is a URL; download the file and give its path")
    return name


def _turns(row: Mapping[str, Any], media: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Yields question and answer of each turn; the last answer may be missing, "". Adds files in parts to `media`."""
    messages = row.get("messages") or row.get("conversations")
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        raise _Unusable("no messages", 'there is no list "messages" or "conversations"')
    question: str | None = None
    for message in messages:
        if not isinstance(message, Mapping):
            raise _Unusable("message", f"a message must be an object, got {type(message).__name__}")
        role = _ROLES.get(str(message.get("role") or message.get("from")))
        text = _text(message.get("content", message.get("value")), media)
        if role == "system":
            raise _Unusable("system message", "a system message has no place in a data set; set data.prompt instead")
        if role is None or (role == "user") != (question is None):
            raise _Unusable("roles", "messages must be of the user and the assistant by turns, the user's first")
        if role == "user":
            question = text
        else:
            yield question or "", text
            question = None
    if question is not None:
        yield question, ""


def _text(content: Any, media: dict[str, list[str]]) -> str:
    if isinstance(content, str):
        return _PLACEHOLDER.sub("", content).strip()
    if not isinstance(content, Sequence):
        raise _Unusable("message", "the content of a message must be a text or a list of parts")
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text":
            texts.append(str(part.get("text", "")))
        elif kind in _TAKES_MEDIA:
            media[str(kind)].append(_local(part.get(kind)))
        else:
            raise _Unusable("message", f"a part of the type {kind!r} can't be used; types are text, video and image")
    return _PLACEHOLDER.sub("", " ".join(texts)).strip()
