"""The folder of a quick start, or one with the same layout: a data set and the runs that were trained on it.

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
    """The folder of a quick start: paths, atomic writes, typed reads. The object itself reads and writes nothing."""

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
        """The small vision-language model that supervised fine-tuning starts from."""
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
        """Content of summary.json: the numbers of all stages; a key is absent where its stage did not run.

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
        """Creates the folder, and empties it if an earlier quick start created it.

        Raises: UserError when the folder contains anything else.
        """
        if self.path.exists() and any(self.path.iterdir()):
            if not self._marker.is_file():
                raise UserError(f"run_dir {self.path} contains files that no quick start wrote; give another --run_dir")
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        self._marker.touch()

    @property
    def _summary_file(self) -> Path:
        return self.path / "summary.json"

    @property
    def _marker(self) -> Path:
        """An empty file in each folder that a quick start created, and that another one may therefore empty."""
        return self.path / ".quickstart"
