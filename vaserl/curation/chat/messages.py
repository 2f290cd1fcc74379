"""Reads a row's messages, or its single question and answer, as turns."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vaserl.curation.chat.chat import UnusableRow
from vaserl.curation.chat.media import Media, file_of
from vaserl.settings import CAPTION_PROMPT

PAIRS = (
    ("problem", ("solution", "answer")),
    ("question", ("answer", "ground_truth", "solution", "response")),
    ("query", ("response", "answer", "solution")),
    ("instruction", ("output",)),
    ("prefix", ("suffix",)),
    ("prompt", ("response", "completion", "answer", "solution", "ground_truth")),
)
"""Columns of a question, each with those of its answer, for rows without messages."""

_ROLES = {
    **{"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant", "model": "assistant"},
    "system": "system",
}
_CAPTIONS = ("caption", "text")
"""Columns of a caption, for rows that have no question."""
_PLACEHOLDER = re.compile(r"<(?:__dj__)?(?:video|image)(?:_\d+)?>\s*|\s*<\|__dj__eoc\|>")
_MARKED = re.compile(r"\s*<answer>(.*)</answer>\s*", re.DOTALL)
_AUDIO = re.compile(r"<audio(?:_\d+)?>")
_MEDIA_PARTS = {"video": "video", "image": "image", "video_url": "video", "image_url": "image"}
"""Types of the parts that are videos and pictures."""


def turns_of(row: Mapping[str, Any], media: Media, folder: Path) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Returns a row's system message, "" if there is none, and its turns; the last answer may be missing, "". Adds the
    files in the parts of messages to `media`.

    Raises: UnusableRow if the row has no messages, or they are not of user and assistant by turns.
    """
    system = _stated_system(row)
    messages = _messages(row)
    turns: list[tuple[str, str]] = []
    question: str | None = None
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise UnusableRow("message", f"a message must be an object, got {type(message).__name__}")
        stated = str(message.get("role") or message.get("from"))
        role = _ROLES.get(stated)
        if role is None:
            raise UnusableRow("roles", f"a message has the role {stated!r}; roles are system, user and assistant")
        text = _text(message.get("content", message.get("value")), media, folder)
        if role == "system" and number == 0:
            system = text
        elif role == "system" or (role == "user") != (question is None):
            raise UnusableRow("roles", "messages must be of the user and the assistant by turns, the user's first")
        elif role == "user":
            question = text
        else:
            turns.append((question or "", text))
            question = None
    if question is not None:
        turns.append((question, ""))
    return system, tuple(turns)


def answer_text(answer: Any) -> Any:
    """Returns an answer as text: a number's digits, and the content of <answer> tags, with which some data sets mark
    the answer. Anything else is returned unchanged: true could be written as yes or as true."""
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return str(answer)
    marked = _MARKED.fullmatch(answer) if isinstance(answer, str) else None
    return marked[1].strip() if marked else answer


def _stated_system(row: Mapping[str, Any]) -> str:
    stated = row.get("system") or row.get("system_prompt") or ""
    if not isinstance(stated, str):
        raise UnusableRow("system message", f"the system message must be a text, got {type(stated).__name__}")
    return stated.strip()


def _messages(row: Mapping[str, Any]) -> Sequence[Any]:
    if row.get("chosen") is not None or row.get("rejected") is not None or row.get("rejected_response") is not None:
        raise UnusableRow(
            "preferences", "the row has chosen and rejected answers; keep one, as the assistant's message"
        )
    prompt = row.get("prompt")
    stated = row.get("messages") or row.get("conversations") or (prompt if isinstance(prompt, list) else None)
    if isinstance(row.get("caption"), str) and row["caption"].strip() and isinstance(stated, list):
        # as in the training data of VaseVQA-3D: the caption, and questions in the conversation
        return [*_captioned(row["caption"]), *_unpaired(stated)]
    if isinstance(stated, Sequence) and not isinstance(stated, str):
        completion = row.get("completion")
        return [*stated, *completion] if stated is prompt and isinstance(completion, list) else _unpaired(stated)
    for key, answers in PAIRS:
        if isinstance(question := row.get(key), str) and question:
            extra = row.get("input") if key == "instruction" else ""
            asked = f"{question}\n{extra}" if isinstance(extra, str) and extra else question
            answer = next((row[name] for name in answers if row.get(name) not in (None, "")), None)
            said = [] if answer is None else [{"role": "assistant", "content": answer_text(answer)}]
            return [*_earlier(row), {"role": "user", "content": asked}, *said]
    for name in _CAPTIONS:
        if isinstance(row.get(name), str) and row[name].strip():
            return _captioned(row[name])
    known = ", ".join(f"{key}/{answers[0]}" for key, answers in PAIRS)
    raise UnusableRow(
        "no messages", f'there is no list "messages" or "conversations", nor one of the pairs {known}, nor a "caption"'
    )


def _captioned(caption: str) -> list[dict[str, Any]]:
    """Returns the messages of a caption for which nobody asked in the data."""
    return [{"role": "user", "content": CAPTION_PROMPT}, {"role": "assistant", "content": caption}]


def _unpaired(messages: Sequence[Any]) -> Sequence[Any]:
    """Returns the messages of turns that are pairs of question and answer; other messages unchanged."""
    if not messages or not all(isinstance(turn, list) and len(turn) == 2 for turn in messages):
        return messages
    return _earlier({"history": list(messages)})


def _earlier(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the messages of the turns in "history", pairs of question and answer."""
    history = row.get("history") or []
    if not isinstance(history, list) or not all(isinstance(turn, list) and len(turn) == 2 for turn in history):
        raise UnusableRow("history", '"history" must be a list of pairs of question and answer')
    roles = ("user", "assistant")
    return [{"role": role, "content": text} for turn in history for role, text in zip(roles, turn, strict=True)]


def _text(content: Any, media: Media, folder: Path) -> str:
    if isinstance(content, str):
        return _plain(content)
    if not isinstance(content, Sequence) or isinstance(content, bytes):
        raise UnusableRow("message", "the content of a message must be a text or a list of parts")
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text":
            texts.append(str(part.get("text") or ""))
        elif kind in _MEDIA_PARTS:
            # without a file, the part only marks the place of one of the row's files
            found = next((part[key] for key in (kind, "path", "url") if part.get(key)), None)
            if found is not None:
                media[_MEDIA_PARTS[kind]].append(file_of(found, folder))
        else:
            raise UnusableRow("message", f"a part of the type {kind!r} can't be used; types are text, video and image")
    return _plain(" ".join(texts))


def _plain(text: str) -> str:
    if _AUDIO.search(text):
        raise UnusableRow("audio", "the conversation is about a sound, which the model can't hear; leave the row out")
    return _PLACEHOLDER.sub("", text).strip()
