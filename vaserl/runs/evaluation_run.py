"""The folder of an evaluation: captions of held-out vases by two systems, and their metrics.

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
    """A held-out vase with the captions of two systems, "sft" and "rl", and their scores."""

    id: str
    record: Mapping[str, str]
    """The museum's record in the Beazley form."""
    reference: str
    """The text of a perfect answer."""
    captions: Mapping[str, str]
    """Caption of each system."""
    scores: Mapping[str, Score]
    """Score of each system's caption."""
    values: Mapping[str, Mapping[Dimension, str | None]]
    """Value of each dimension that a system's caption states, None where it states none: {system: {dimension: value}}.
    The key "truth" has the record's values. Empty if captions.jsonl has no values."""
    clip: str
    """Content hash of the turntable video; empty if captions.jsonl has none."""


class EvaluationRun(JobFolder[EvaluateSettings]):
    """The folder of an evaluation: paths, atomic writes and typed reads."""

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
        """The held-out vases; empty where the file is absent. Raises: UserError that names the unreadable row."""
        rows = enumerate(read_json_lines(self.captions_file), start=1)
        return [_evaluated_vase(row, f"{self.captions_file}, row {number}") for number, row in rows]

    @property
    def summary(self) -> dict[str, Any]:
        """Metrics of both systems and their paired difference; see `evaluate_captions`.

        Raises: UserError when the file is absent or is not JSON.
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
