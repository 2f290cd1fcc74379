"""Reads conversations from a file or folder, one about each vase.

A row is a JSON object in one of the common forms:

* "messages": [{"role": "user" | "assistant", "content": text or parts}, …], with parts like {"type": "video", "video":
  path}, {"type": "image", "image": path} and {"type": "text", "text": …};
* "conversations": [{"from": "human" | "gpt", "value": text}, …];
* a question and its answer in two columns, see `vaserl.curation.chat.messages.PAIRS`.

A text may contain the placeholders <video> and <image>; the files are then in columns, see
`vaserl.curation.chat.media.COLUMNS`. Optional: "id"; a first message with the role "system", or "system"; "solution" or
"reference", the complete caption; "record", the museum's record; "split".
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vaserl.curation.chat.chat import Chat, UnusableRow
from vaserl.curation.chat.media import media_of_columns
from vaserl.curation.chat.messages import answer_text, turns_of
from vaserl.curation.chat.table import SPLIT_NAMES, read_chat_rows
from vaserl.dataset import SPLITS
from vaserl.errors import Problem, UserError


def read_chats(path: Path, report: Callable[[Problem], None]) -> list[Chat]:
    """Returns the conversations in a .jsonl, .json or .parquet file, or in a folder that `datasets` or the hub made. A
    row that can't be used is reported and left out.

    Raises: UserError if the file can't be read, or has no row.
    """
    chats: list[Chat] = []
    seen: dict[str, str] = {}
    number = 0
    for number, (where, folder, row) in enumerate(read_chat_rows(path), start=1):
        try:
            chat = _chat(row, where, number, folder)
            if chat.id in seen:
                raise UnusableRow("id used twice", f"id {chat.id!r} is that of {seen[chat.id]} too")
        except UnusableRow as error:
            report(Problem(kind=error.kind, where=where, message=str(error)))
            continue
        seen[chat.id] = where
        chats.append(chat)
    if number == 0:
        raise UserError(f"{path} has no rows")
    return chats


def _chat(row: Mapping[str, Any], where: str, number: int, folder: Path) -> Chat:
    media = media_of_columns(row, folder)
    system, turns = turns_of(row, media, folder)
    reference = _reference(row) or (turns[0][1] if turns else "")
    if not isinstance(reference, str) or not reference.strip():
        raise UnusableRow("no answer", 'there is no answer of the assistant, and no "solution"')
    if not turns:
        raise UnusableRow("no question", 'there is no message with the role "user"')
    videos, pictures = media["video"], media["image"]
    if media["audio"]:
        raise UnusableRow("audio", "the row has sounds, which the model can't hear; leave it out")
    if bool(videos) == bool(pictures) or len(videos) > 1:
        found = f"{len(videos)} videos and {len(pictures)} pictures"
        raise UnusableRow("no single video", f"expected one video or some pictures, got {found}")
    video = videos[0] if videos else None
    if isinstance(video, bytes):
        raise UnusableRow("media", "the video's content is in the table; write it to a file and give its path")
    return Chat(
        id=str(row.get("id") if row.get("id") not in (None, "") else f"{number:06d}"),
        where=where,
        video=video,
        pictures=tuple(pictures),
        system=system,
        turns=((turns[0][0], turns[0][1] or reference), *turns[1:]),
        reference=reference.strip(),
        record=_record(row),
        split=_split(row),
    )


def _reference(row: Mapping[str, Any]) -> Any:
    stated = next((row[name] for name in ("solution", "reference") if row.get(name) not in (None, "")), "")
    return answer_text(stated)


def _record(row: Mapping[str, Any]) -> Mapping[str, str]:
    record = row.get("record") or {}
    if isinstance(record, Mapping):
        record = {field: value for field, value in record.items() if value is not None}  # parquet fills in nulls
    if not isinstance(record, Mapping) or not all(isinstance(value, str) for value in record.values()):
        raise UnusableRow("record", '"record" must be an object whose values are texts')
    return record


def _split(row: Mapping[str, Any]) -> str:
    stated = str(row.get("split") or "")
    split = SPLIT_NAMES.get(stated, stated)
    if split and split not in SPLITS:
        raise UnusableRow("unknown split", f'"split": {split!r} is none of {", ".join(SPLITS)}')
    return split
