"""The folder of an evaluation: captions of held-out vases by two systems, and what they are worth.

config.toml  versions.json  features.json  captions.jsonl  evaluation.json
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vaserl.errors import UserError
from vaserl.files import read_json_lines, write_atomic
from vaserl.runs.job_folder import JobFolder
from vaserl.settings import EvaluateSettings
from vaserl.types import Dimension, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedVase:
    """A held-out vase as two systems, "sft" and "rl", captioned it."""

    id: str
    record: Mapping[str, str]
    """The museum's record, Beazley form."""
    reference: str
    """The text of a perfect answer."""
    captions: Mapping[str, str]
    """System to caption."""
    scores: Mapping[str, Score]
    """System to score."""
    values: Mapping[str, Mapping[Dimension, str | None]]
    """System to dimension to the value that its caption states, None where it states none; the record's values under
    "truth". Empty where the file has none."""
    clip: str
    """Content hash of the turntable; empty where the file has none."""


class EvaluationRun(JobFolder[EvaluateSettings]):
    """Paths, atomic writes and reads of an evaluation."""

    def __init__(self, path: Path):
        super().__init__(path, EvaluateSettings)

    @property
    def captions_file(self) -> Path:
        return self.path / "captions.jsonl"

    @property
    def summary_file(self) -> Path:
        return self.path / "evaluation.json"

    @property
    def captions(self) -> list[EvaluatedVase]:
        """The held-out vases; empty where the file is absent. Raises: UserError naming a row that can't be read."""
        rows = enumerate(read_json_lines(self.captions_file), start=1)
        return [_evaluated_vase(row, f"{self.captions_file}, row {number}") for number, row in rows]

    @property
    def summary(self) -> dict[str, Any]:
        """Metrics of both systems and their paired difference; see `evaluate_captions`.

        Raises: UserError when there is none.
        """
        try:
            return json.loads(self.summary_file.read_text())
        except (OSError, json.JSONDecodeError) as error:
            raise UserError(f"{self.summary_file} can't be read: {error}") from error

    def write(self, summary: Mapping[str, Any], captions: Sequence[EvaluatedVase]) -> None:
        """Writes the metrics and the captioned vases that they were computed from."""
        lines = "".join(json.dumps(asdict(vase), ensure_ascii=False) + "\n" for vase in captions)
        write_atomic(self.captions_file, lines.encode())
        self._write_json(self.summary_file, summary)


def _evaluated_vase(row: Mapping[str, Any], where: str) -> EvaluatedVase:
    try:
        scores = {system: Score(**score) for system, score in row["scores"].items()}
        return EvaluatedVase(**{"values": {}, "clip": "", **row, "scores": scores})
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{where} was written by another version of vaserl: {error!r}") from error
