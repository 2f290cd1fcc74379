"""The folder of a quick start, and of what is laid out like one: a data set and the runs that were made from it.

world/  models/{quality,clip,tiny}/  dataset/  sft/  grpo/  evaluation/  export/  summary.json  report.html
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.runs.evaluation_run import EvaluationRun
from vaserl.runs.run import Run, SftRun


@dataclass(frozen=True, slots=True)
class QuickstartFolder:
    """Paths, atomic writes and typed reads; each run owns its own files. Making the object touches no disk."""

    path: Path

    @property
    def world(self) -> Path:
        """The synthetic photographs and records."""
        return self.path / "world"

    @property
    def quality_model(self) -> Path:
        return self.path / "models" / "quality"

    @property
    def clip_model(self) -> Path:
        return self.path / "models" / "clip"

    @property
    def tiny_model(self) -> Path:
        """The model that supervised fine-tuning starts from."""
        return self.path / "models" / "tiny"

    @property
    def dataset(self) -> DataSet:
        return DataSet(self.path / "dataset")

    @property
    def sft(self) -> SftRun:
        return SftRun(self.path / "sft")

    @property
    def grpo(self) -> Run:
        return Run(self.path / "grpo")

    @property
    def evaluation(self) -> EvaluationRun:
        return EvaluationRun(self.path / "evaluation")

    @property
    def export(self) -> Path:
        """The trained model as an ordinary Hugging Face folder."""
        return self.path / "export"

    @property
    def report_file(self) -> Path:
        return self.path / "report.html"

    @property
    def is_finished(self) -> bool:
        return self._summary_file.is_file()

    @property
    def summary(self) -> dict[str, Any]:
        """The numbers of all stages; a key is absent where its stage did not run.

        Raises: UserError when the file is absent or damaged.
        """
        if not self.is_finished:
            raise UserError(f"{self.path} holds no finished quick start: it has no {self._summary_file.name}")
        try:
            return json.loads(self._summary_file.read_text())
        except json.JSONDecodeError as error:
            raise UserError(f"{self._summary_file} is not JSON: {error}") from error

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Writes the numbers of all stages."""
        write_atomic(self._summary_file, (json.dumps(summary, indent=1, ensure_ascii=False) + "\n").encode())

    def make_room(self) -> None:
        """Makes the folder, and empties it where an earlier quick start made it.

        Raises: UserError when the folder holds anything else.
        """
        if self.path.exists() and any(self.path.iterdir()):
            if not self._marker.is_file():
                raise UserError(f"run_dir {self.path} holds something that no quick start made; give another --run_dir")
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._marker.touch()

    @property
    def _summary_file(self) -> Path:
        return self.path / "summary.json"

    @property
    def _marker(self) -> Path:
        """The empty file that tells a quick start's folder from any other."""
        return self.path / ".quickstart"
