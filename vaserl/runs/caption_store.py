"""The answers that an evaluation has got so far from one system, from which a killed evaluation goes on.

The file is named after everything that the answers depend on, so an evaluation with one more system finds those of the
others. It has a header with the same, then one line for each task, in the order of the data set. Lines are only
appended. Each has a checksum, so that a damaged answer is generated again and not scored.
"""

import hashlib
import json
import math
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_FORMAT = 2
"""Number of the layout of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemAnswer:
    """A system's caption of a vase, or its answer to a question about it."""

    text: str
    """The text; empty if the system failed."""
    failure: str = ""
    """Why there is no text; empty if there is one."""
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    """Natural log-probability of each token; empty for a system that doesn't give them."""
    finish_reason: str = "stop"


class CaptionStore:
    """The file of the answers of one system.

    Answers are added and kept in whole batches. An engine's rounding can depend on the prompts that it processes
    together, so a batch that is only partly stored, because the job was killed while it wrote, is generated again.
    """

    def __init__(
        self,
        folder: Path,
        origin: Mapping[str, Any],
        *,
        ids: Sequence[str],
        batch_size: int,
        check: Callable[[], None] = lambda: None,
    ):
        """Reads the file if there is one.

        folder: folder of the files of all systems. origin: everything that the answers depend on, as JSON values. ids:
        ids of the tasks, in order. batch_size: number of tasks of a batch. check: function called before each write,
        which raises when the job may not write to the folder any more.
        """
        self._check = check
        self.ids, self.batch_size = list(ids), batch_size
        self._header = _line({"format": _FORMAT, "origin": {**origin, "batch_size": batch_size}})
        self.path = folder / f"{hashlib.sha256(self._header).hexdigest()[:20]}.jsonl"
        self.answers: list[SystemAnswer] = []
        """The stored answers, in the order of the tasks."""
        self._length = 0
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.is_file() else []
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()  # the job was killed while it wrote the line
        if lines and lines[0] == self._header:
            self._length = len(lines[0]) + self._take(lines[1:])

    @property
    def is_complete(self) -> bool:
        """True if every task has an answer."""
        return len(self.answers) == len(self.ids)

    def add(self, answers: Sequence[SystemAnswer]) -> None:
        """Appends the answers to the next batch of tasks, and flushes them to disk."""
        self._check()
        start = len(self.answers)
        rows = [{"id": self.ids[start + offset], **_fields(answer)} for offset, answer in enumerate(answers)]
        content = (b"" if self._length else self._header) + b"".join(map(_line, rows))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("r+b" if self.path.exists() else "xb") as file:
            file.truncate(self._length)  # drops what a killed job left of a batch
            file.seek(self._length)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._length += len(content)
        self.answers += answers

    def _take(self, lines: Sequence[bytes]) -> int:
        """Keeps the answers of the whole batches at the beginning of `lines`; returns their number of bytes."""
        taken = 0
        for start in range(0, len(self.ids), self.batch_size):
            ids = self.ids[start : start + self.batch_size]
            found = [_answer(line, id) for line, id in zip(lines, ids, strict=False)]
            batch = [answer for answer in found if answer is not None]
            if len(batch) < len(ids):
                return taken
            self.answers += batch
            taken += sum(map(len, lines[: len(ids)]))
            lines = lines[len(ids) :]
        return taken


def changes_of_origin(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Returns the names whose values differ between two origins (descriptions of what answers depend on), sorted."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def _fields(answer: SystemAnswer) -> dict[str, Any]:
    """Returns an answer as JSON values; JSON has no NaN, which broken weights give."""
    finite = [value if math.isfinite(value) else None for value in answer.logprobs]
    return {**asdict(answer), "logprobs": finite}


def _line(values: Mapping[str, Any]) -> bytes:
    """Returns a line of the file: the values as a JSON object in ASCII, with the CRC-32 of its text without the
    checksum."""
    text = json.dumps(values, allow_nan=False)
    return (json.dumps({**values, "crc32": zlib.crc32(text.encode())}) + "\n").encode()


def _values(line: bytes) -> dict[str, Any] | None:
    """Returns the values of a line, or None if the line is damaged."""
    try:
        values = json.loads(line)
        values.pop("crc32")
        return values if _line(values) == line else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _answer(line: bytes, id: str) -> SystemAnswer | None:
    """Returns the answer in a line, or None if the line is damaged or belongs to another task."""
    row = _values(line)
    if row is None or row.pop("id", None) != id:
        return None
    logprobs = tuple(math.nan if value is None else value for value in row["logprobs"])
    return SystemAnswer(**{**row, "token_ids": tuple(row["token_ids"]), "logprobs": logprobs})
