"""The captions that an evaluation has generated so far, from which a killed evaluation goes on.

The file completions.jsonl in the run folder has a header with everything that the captions depend on, then one line for
each system and vase: all vases of the first system, then all of the second, each in the order of the data set. Lines
are only appended. Each has a checksum, so that a damaged caption is generated again and not scored.
"""

import json
import math
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vaserl.types import Completion

_FORMAT = 1
"""Number of the layout of the file."""


class CaptionStore:
    """The file of the captions that an evaluation has generated.

    Captions are added and kept in whole batches. An engine's rounding can depend on the prompts that it processes
    together, so a batch that is only partly stored, because the job was killed while it wrote, is generated again.
    """

    def __init__(
        self,
        path: Path,
        origin: Mapping[str, Any],
        *,
        systems: Sequence[str],
        ids: Sequence[str],
        batch_size: int,
        check: Callable[[], None] = lambda: None,
    ):
        """Reads the file if there is one.

        origin: everything that the captions depend on, as JSON values. systems, ids: names of the systems and ids of
        the vases, in the order in which they are captioned. batch_size: number of vases of a batch. check: function
        called before each write, which raises when the job may not write to the folder any more.
        """
        self._check = check
        self._path, self._ids, self._batch_size = path, list(ids), batch_size
        self._header = _line({"format": _FORMAT, "origin": {**origin, "batch_size": batch_size}})
        self._completions: dict[str, list[Completion]] = {system: [] for system in systems}
        self.changed: list[str] = []
        """Reasons why the captions of an existing file can't be used; empty if they can, or if there is no file."""
        self._length = 0
        lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()  # the job was killed while it wrote the line
        if lines and lines[0] == self._header:
            self._length = len(lines[0]) + self._take(lines[1:])
        elif lines:
            self.changed = _changes(lines[0], self._header)

    @property
    def num_stored(self) -> int:
        """Number of stored captions of all systems together."""
        return sum(map(len, self._completions.values()))

    @property
    def is_complete(self) -> bool:
        """True if every system has a caption of every vase."""
        return self.num_stored == len(self._completions) * len(self._ids)

    def completions(self, system: str) -> list[Completion]:
        """Returns the stored captions of a system, in the order of the vases."""
        return list(self._completions[system])

    def add(self, system: str, completions: Sequence[Completion]) -> None:
        """Appends the captions of a system's next batch of vases, and flushes them to disk."""
        self._check()
        start = len(self._completions[system])
        rows = [
            {"system": system, "id": self._ids[start + offset], **_fields(completion)}
            for offset, completion in enumerate(completions)
        ]
        content = (b"" if self._length else self._header) + b"".join(map(_line, rows))
        with self._path.open("r+b" if self._path.exists() else "xb") as file:
            file.truncate(self._length)  # drops what a killed job left of a batch
            file.seek(self._length)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._length += len(content)
        self._completions[system] += completions

    def _take(self, lines: Sequence[bytes]) -> int:
        """Keeps the completions of the whole batches at the beginning of `lines`; returns their number of bytes."""
        taken = 0
        for system, completions in self._completions.items():
            for start in range(0, len(self._ids), self._batch_size):
                ids = self._ids[start : start + self._batch_size]
                found = [_completion(line, system, id) for line, id in zip(lines, ids, strict=False)]
                batch = [completion for completion in found if completion is not None]
                if len(batch) < len(ids):
                    return taken
                completions += batch
                taken += sum(map(len, lines[: len(ids)]))
                lines = lines[len(ids) :]
        return taken


def changes_of_origin(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Returns the names whose values differ between two origins (descriptions of what captions depend on), sorted."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def _fields(completion: Completion) -> dict[str, Any]:
    """Returns a completion as JSON values; JSON has no NaN, which broken weights give."""
    finite = [value if math.isfinite(value) else None for value in completion.logprobs]
    return {**asdict(completion), "logprobs": finite}


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


def _changes(line: bytes, header: bytes) -> list[str]:
    before, now = _values(line), _values(header)
    if before is None or now is None:
        return ["the header, which is damaged"]
    if before["format"] != now["format"]:
        return ["the format of the file"]
    return changes_of_origin(before["origin"], now["origin"])


def _completion(line: bytes, system: str, id: str) -> Completion | None:
    """Returns the completion in a line, or None if the line is damaged or has another vase or system."""
    row = _values(line)
    if row is None or (row.pop("system", None), row.pop("id", None)) != (system, id):
        return None
    logprobs = tuple(math.nan if value is None else value for value in row["logprobs"])
    return Completion(**{**row, "token_ids": tuple(row["token_ids"]), "logprobs": logprobs})
