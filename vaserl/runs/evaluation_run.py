"""The output folder of an evaluation job: answers of each system, and the metrics of their captions.

Its files: config.toml  versions.json  features.json  answers/  captions.jsonl  evaluation.json  evaluation.md
evaluation.csv  evaluation.tex  evaluation.html  finished.json  status.json
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vaserl.errors import UserError
from vaserl.files import read_json_lines, write_atomic
from vaserl.files.strict_json import strict_json
from vaserl.runs.job_folder import JobFolder
from vaserl.settings import EvaluateSettings
from vaserl.types import Dimension, Score


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedVase:
    """A held-out vase with the caption of each system, and the scores of the captions."""

    id: str
    record: Mapping[str, str]
    """The museum's record of the vase, with the field names of the Beazley archive."""
    reference: str
    """Text of a perfect caption."""
    captions: Mapping[str, str]
    """Caption by each system: {system: caption}."""
    scores: Mapping[str, Score]
    """Score of each system's caption: {system: score}."""
    values: Mapping[str, Mapping[Dimension, str | None]]
    """Value of each dimension ("fabric", …) in each system's caption: {system: {dimension: value}}.

    None if the caption doesn't mention the dimension. The extra key "truth" has the values in the museum's record. The
    mapping is empty if captions.jsonl has no values."""
    clip: str
    """Content hash of the vase's turntable video; empty if captions.jsonl has no hash."""


class EvaluationRun(JobFolder[EvaluateSettings]):
    """The output folder of an evaluation job: paths, atomic writes, and reads that return typed objects."""

    def __init__(self, path: Path):
        super().__init__(path, EvaluateSettings)

    @property
    def captions_file(self) -> Path:
        return self.path / "captions.jsonl"

    @property
    def summary_file(self) -> Path:
        return self.path / "evaluation.json"

    @property
    def answers_folder(self) -> Path:
        """Path of the folder with the answers of each system, from which a killed evaluation goes on; see
        `CaptionStore`."""
        return self.path / "answers"

    @property
    def finished_file(self) -> Path:
        """Path of the JSON file that is written last. It has the hashes and settings that the results depend on."""
        return self.path / "finished.json"

    @property
    def table_file(self) -> Path:
        """Path of the file with the metrics as a Markdown table."""
        return self.path / "evaluation.md"

    @property
    def has_results(self) -> bool:
        """True if the folder has captions or metrics of an evaluation, finished or not."""
        return self.answers_folder.is_dir() or any(f.is_file() for f in (self.captions_file, self.summary_file))

    @property
    def origin(self) -> dict[str, Any] | None:
        """What the results in the folder depend on, as `finish` wrote it; None if the evaluation is not finished."""
        if not self.summary_file.is_file():
            return None
        try:
            found = json.loads(self.finished_file.read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def finish(self, origin: Mapping[str, Any]) -> None:
        """Marks the evaluation as finished. origin: everything that its results depend on, as JSON values."""
        self._write_json(self.finished_file, origin)

    @property
    def captions(self) -> list[EvaluatedVase]:
        """The held-out vases in captions.jsonl; an empty list if that file is absent.

        Raises: UserError with the number of the row if a row can't be read.
        """
        rows = enumerate(read_json_lines(self.captions_file), start=1)
        return [_evaluated_vase(row, f"{self.captions_file}, row {number}") for number, row in rows]

    @property
    def summary(self) -> dict[str, Any]:
        """Content of evaluation.json: metrics of all systems and their paired differences; see `evaluate_captions`.

        Raises: UserError if evaluation.json is absent or is not JSON.
        """
        try:
            return json.loads(self.summary_file.read_text())
        except (OSError, json.JSONDecodeError) as error:
            raise UserError(f"{self.summary_file} can't be read: {error}") from error

    def write(self, summary: Mapping[str, Any], captions: Sequence[EvaluatedVase], tables: Mapping[str, str]) -> None:
        """Writes the metrics to evaluation.json, the captioned vases to captions.jsonl, and each text of `tables` to
        evaluation.SUFFIX. tables: texts by suffix: {"md": …, "csv": …}."""
        lines = "".join(strict_json(asdict(vase)) + "\n" for vase in captions)
        write_atomic(self.captions_file, lines.encode())
        for suffix, text in tables.items():
            write_atomic(self.table_file.with_suffix(f".{suffix}"), text.encode())
        self._write_json(self.summary_file, summary)


def _evaluated_vase(row: Mapping[str, Any], where: str) -> EvaluatedVase:
    try:
        scores = {system: Score(**score) for system, score in row["scores"].items()}
        return EvaluatedVase(**{"values": {}, "clip": "", **row, "scores": scores})
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{where} was written by another version of vaserl: {error!r}") from error
