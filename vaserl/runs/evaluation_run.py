"""The folder of an evaluation: captions of held-out vases by two systems, and what they are worth.

config.toml  versions.json  features.json  captions.jsonl  evaluation.json
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vaserl.errors import UserError
from vaserl.files import read_json_lines, write_atomic
from vaserl.runs.job_folder import JobFolder
from vaserl.settings import EvaluateSettings


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
    def captions(self) -> list[dict[str, Any]]:
        """One row a vase: id, record, reference, clip; captions, scores and values by system. Empty where the file is
        absent."""
        return read_json_lines(self.captions_file)

    @property
    def summary(self) -> dict[str, Any]:
        """Metrics of both systems and their paired difference; see `evaluate_captions`.

        Raises: UserError when there is none.
        """
        try:
            return json.loads(self.summary_file.read_text())
        except (OSError, json.JSONDecodeError) as error:
            raise UserError(f"{self.summary_file} can't be read: {error}") from error

    def write(self, summary: Mapping[str, Any], captions: Sequence[Mapping[str, Any]]) -> None:
        """Writes the metrics and the rows they were computed from."""
        lines = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in captions)
        write_atomic(self.captions_file, lines.encode())
        self._write_json(self.summary_file, summary)
