"""The store of a judge's replies: resumable, and bound to one judge, prompt and way of rendering.

    binding.json     judge, mode, prompt hash and render hash that all replies share
    replies.jsonl    one reply a line, with the hashes of photograph and meshes
    unusable.jsonl   pairs that no judge can be asked about, with the reason

Verdicts of another judge, prompt or render refuse to mix with these, and so do replies about a file that has changed
since.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vaserl.errors import UserError
from vaserl.files import sha256_of, write_atomic
from vaserl.files.json_lines import json_lines, read_json_lines
from vaserl.judge.judge import JudgeCard
from vaserl.judge.mode import MODES, JudgeMode
from vaserl.judge.montage import render_sha256
from vaserl.judge.pair import ORDERS, MeshPair, Order
from vaserl.judge.reply import Reply, parse_reply
from vaserl.judge.verdict import EvaluationVerdict, TrainingVerdict, verdict_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreBinding:
    """What all replies of a store have in common."""

    judge: JudgeCard
    mode: JudgeMode
    prompt_sha256: str
    render_sha256: str

    @classmethod
    def of(cls, judge: JudgeCard, mode: JudgeMode, tile_side: int) -> "StoreBinding":
        """Returns the binding of a judge that is asked now, in this version of the program."""
        return cls(
            judge=judge,
            mode=mode,
            prompt_sha256=MODES[mode].prompt_sha256,
            render_sha256=render_sha256(mode, tile_side),
        )

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "StoreBinding":
        """Returns the binding that `asdict` made these values of."""
        return cls(**{**values, "judge": JudgeCard(**values["judge"])})

    def check_same(self, other: "StoreBinding", where: str) -> None:
        """Raises UserError, with what differs, unless the other binding is the same. where: file of the other one."""
        mine, theirs = _flat(self), _flat(other)
        differing = [key for key in mine if mine[key] != theirs[key]]
        if differing:
            raise UserError(
                f"{where}: verdicts with another {' and '.join(differing)} don't mix with new ones "
                f"({'; '.join(f'{key}: {theirs[key]} there, {mine[key]} now' for key in differing)}). Choose another "
                "run_dir, or calibrate again"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairHashes:
    """SHA-256 of a pair's files; "" for a file that doesn't exist."""

    photo: str
    a: str
    b: str

    @classmethod
    def of(cls, pair: MeshPair) -> "PairHashes":
        """Returns the hashes of the files as they are now."""
        return cls(**{name: _hash(getattr(pair, name)) for name in ("photo", "a", "b")})


class VerdictStore:
    """A judge's replies in a folder."""

    def __init__(self, folder: Path, binding: StoreBinding) -> None:
        """Opens the store, or makes it. Raises: UserError if the folder holds verdicts with another binding."""
        self.folder, self.binding = folder, binding
        self._replies_file, self._unusable_file = folder / "replies.jsonl", folder / "unusable.jsonl"
        file = folder / "binding.json"
        if file.is_file():
            binding.check_same(StoreBinding.read(json.loads(file.read_text())), str(file))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(file, (json.dumps(asdict(binding), indent=1) + "\n").encode())
        self._replies: dict[tuple[str, Order], dict[str, Any]] = {}
        self._unusable: dict[str, dict[str, Any]] = {}
        for path, take in ((self._replies_file, self._take_reply), (self._unusable_file, self._take_unusable)):
            _drop_torn_line(path)
            for row in read_json_lines(path):
                take(row)

    def add(self, pair: MeshPair, hashes: PairHashes, replies: Mapping[Order, Reply]) -> None:
        """Appends the replies about a pair in both orders, durably."""
        rows = [
            {
                "pair": pair.id,
                "order": order,
                "text": reply.text,
                "parsed": parse_reply(reply.text),
                "probability": reply.probability,
                **asdict(hashes),
            }
            for order, reply in replies.items()
        ]
        _append(self._replies_file, rows)
        for row in rows:
            self._take_reply(row)

    def add_unusable(self, pair: MeshPair, hashes: PairHashes, reason: str) -> None:
        """Appends the reason why no judge can be asked about a pair."""
        row = {"pair": pair.id, "reason": reason, **asdict(hashes)}
        _append(self._unusable_file, [row])
        self._take_unusable(row)

    def is_settled(self, pair: MeshPair, hashes: PairHashes) -> bool:
        """Returns True if nothing remains to be asked about a pair: both replies are there, or it is unusable.

        Raises: UserError if a file has changed since the judge was asked about it.
        """
        stored = [self._replies[pair.id, order] for order in ORDERS if (pair.id, order) in self._replies]
        now = asdict(hashes)
        for row in stored:
            changed = [name for name in now if row[name] != now[name]]
            if changed:
                files = ", ".join(str(getattr(pair, name)) for name in changed)
                raise UserError(
                    f"{self._replies_file}: pair {pair.id!r} was judged with another content of {files}. Restore the "
                    "file, or choose another run_dir"
                )
        if len(stored) == len(ORDERS):
            return True
        row = self._unusable.get(pair.id)
        return row is not None and all(row[name] == now[name] for name in now)

    def verdicts(self, pairs: Iterable[MeshPair]) -> dict[str, TrainingVerdict | EvaluationVerdict]:
        """Returns the verdict on each pair of which both replies are stored, by pair, in the order of the pairs."""
        found = {}
        for pair in pairs:
            replies = self._of_pair(pair.id)
            if len(replies) == len(ORDERS):
                found[pair.id] = verdict_of(self.binding.judge.role, pair.id, replies)
        return found

    def texts(self, pair_id: str) -> dict[Order, str]:
        """Returns the judge's answers about a pair as it gave them."""
        return {order: reply.text for order, reply in self._of_pair(pair_id).items()}

    def unusable(self, pairs: Iterable[MeshPair]) -> dict[str, str]:
        """Returns the reason for each pair that no judge could be asked about, by pair."""
        return {
            pair.id: str(self._unusable[pair.id]["reason"])
            for pair in pairs
            if pair.id in self._unusable and (pair.id, "ab") not in self._replies
        }

    def _of_pair(self, pair_id: str) -> dict[Order, Reply]:
        found: dict[Order, Reply] = {}
        for order in ORDERS:
            row = self._replies.get((pair_id, order))
            if row is not None:
                found[order] = Reply(text=row["text"], probability=row["probability"])
        return found

    def _take_reply(self, row: dict[str, Any]) -> None:
        self._replies[row["pair"], row["order"]] = row

    def _take_unusable(self, row: dict[str, Any]) -> None:
        self._unusable[row["pair"]] = row


def _append(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("ab") as file:
        file.write(json_lines(rows))
        file.flush()
        os.fsync(file.fileno())


def _drop_torn_line(path: Path) -> None:
    """Cuts off a last line without a line break, which a killed process can leave: the next append would extend it."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        write_atomic(path, whole)


def _flat(binding: StoreBinding) -> dict[str, Any]:
    values = asdict(binding)
    judge = values.pop("judge")
    return {**{f"judge {key}": value for key, value in judge.items()}, **values}


def _hash(path: Path) -> str:
    return sha256_of(path) if path.is_file() else ""
