"""The output folder of the quick-start job: a data set, the runs trained on it, their evaluation and a report.

Its content: world/  models/{quality,clip,tiny}/  dataset/  sft/  grpo/  evaluation/  export/  summary.json  report.html
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
from vaserl.files.strict_json import strict_json
from vaserl.runs.evaluation_run import EvaluationRun
from vaserl.runs.run import Run, SftRun


@dataclass(frozen=True, slots=True)
class QuickstartFolder:
    """The output folder of the quick-start job: paths, atomic writes, and reads that return typed objects.

    The constructor reads and writes no files.
    """

    path: Path

    @property
    def world(self) -> Path:
        """Path of the folder with the synthetic photographs and museum records."""
        return self.path / "world"

    @property
    def quality_model(self) -> Path:
        return self.path / "models" / "quality"

    @property
    def clip_model(self) -> Path:
        return self.path / "models" / "clip"

    @property
    def tiny_model(self) -> Path:
        """Path of the small vision-language model with which supervised fine-tuning starts."""
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
        """Path of the exported trained model, an ordinary Hugging Face model folder."""
        return self.path / "export"

    @property
    def report_file(self) -> Path:
        return self.path / "report.html"

    @property
    def is_finished(self) -> bool:
        return self._summary_file.is_file()

    @property
    def summary(self) -> dict[str, Any]:
        """Content of summary.json: the results of all stages. The key of a stage that did not run is absent.

        Raises: UserError if summary.json is absent or damaged.
        """
        if not self.is_finished:
            raise UserError(f"{self.path} holds no finished quick start: it has no {self._summary_file.name}")
        try:
            return json.loads(self._summary_file.read_text())
        except json.JSONDecodeError as error:
            raise UserError(f"{self._summary_file} is not JSON: {error}") from error

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Writes the results of all stages to summary.json."""
        write_atomic(self._summary_file, (strict_json(summary, indent=1) + "\n").encode())

    def make_room(self) -> None:
        """Creates the folder. If it exists and an earlier quick start created it, deletes its content.

        Raises: UserError if the folder has content but no quick start created it.
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
        """Path of an empty file that shows that a quick start created the folder. Only such a folder may be emptied."""
        return self.path / ".quickstart"
