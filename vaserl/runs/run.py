"""The output folder of a training run: paths of its files, atomic writes, and reads that return typed objects.

    config.toml  versions.json  features.json  metrics.jsonl  timeline.jsonl  pieces.jsonl  tensorboard/
    rollouts/step=00001.parquet  weights/v00002/        (GRPO)
    validation.jsonl  validation/step=00010.jsonl       (GRPO with validation)
    model/                                              (supervised fine-tuning)

Timings are not in metrics.jsonl, so that two runs with the same seed produce identical metrics.jsonl files.
"""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from vaserl.errors import UserError
from vaserl.files import UNFINISHED, json_lines, read_json_lines, write_atomic
from vaserl.runs.job_folder import JobFolder, SettingsT
from vaserl.runs.rows import PhasePieces, RolloutRow, TimelineSpan, read_rollout_rows, write_rollout_rows
from vaserl.runs.validation_row import ValidationRow, read_validation_rows
from vaserl.settings import SftSettings, TrainSettings

_RowT = TypeVar("_RowT", TimelineSpan, PhasePieces)


class RecordedRun(JobFolder[SettingsT]):
    """The output folder of a training run, which records metrics and a timeline step by step."""

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def timeline_file(self) -> Path:
        return self.path / "timeline.jsonl"

    @property
    def pieces_file(self) -> Path:
        return self.path / "pieces.jsonl"

    @property
    def tensorboard_folder(self) -> Path:
        return self.path / "tensorboard"

    @property
    def metrics(self) -> list[dict[str, float]]:
        """One row for each finished step, with the key "step" and the step's metrics by name.

        Raises: UserError with the line's number if a line of metrics.jsonl can't be read.
        """
        return read_json_lines(self.metrics_file)

    @property
    def timeline(self) -> list[TimelineSpan]:
        """Start and end of each phase of each step, in the order in which the phases ended.

        Raises: UserError if timeline.jsonl can't be read.
        """
        return _typed(TimelineSpan, self.timeline_file, read_json_lines(self.timeline_file))

    @property
    def pieces(self) -> list[PhasePieces]:
        """Durations of the timed parts of each phase, in the order in which they were recorded.

        Raises: UserError if pieces.jsonl can't be read.
        """
        rows = [
            {"step": row.pop("step", None), "phase": row.pop("phase", None), "seconds": row}
            for row in read_json_lines(self.pieces_file)
        ]
        return _typed(PhasePieces, self.pieces_file, rows)

    def set_aside(self) -> None:
        """Renames the folder to <name>.before-<n> if it contains a run, so that a new run can use the name.

        Raises: UserError if the folder is not empty and contains no run.
        """
        if not self.path.exists() or not any(self.path.iterdir()):
            return
        if not self.metrics_file.is_file():
            raise UserError(f"run_dir {self.path} is not empty and contains no run; name another folder with --run_dir")
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.before-{number}")).exists():
            number += 1
        self.path.rename(aside)
        print(f"{self.path.name}: an earlier run was moved to {aside}", file=sys.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedWeights:
    """One saved version of a run's weights. The folder contains a LoRA adapter or the weights of the whole model."""

    version: int
    """Version number. Training step k updates version k and produces version k + 1."""
    folder: Path


class Run(RecordedRun[TrainSettings]):
    """The output folder of a GRPO run."""

    def __init__(self, path: Path):
        super().__init__(path, TrainSettings)

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Returns the GRPO run in an existing folder.

        Raises: UserError if the folder contains no run; if its subfolder grpo/ contains one, the message suggests that.
        Also UserError if the run's format is newer than this version of vaserl can read.
        """
        run = cls(path)
        if not run.config_file.is_file():
            inside = cls(run.path / "grpo")
            hint = f"; did you mean {inside.path}?" if inside.config_file.is_file() else ""
            raise UserError(f"{path} holds no run: it has no {run.config_file.name}{hint}")
        run.check_format()
        return run

    @property
    def steps(self) -> list[int]:
        """Numbers of the steps whose completions are stored, ascending."""
        files = self._rollouts_folder.glob("step=*.parquet")
        return sorted(int(file.stem.removeprefix("step=")) for file in files)

    def rollouts(self, step: int) -> list[RolloutRow]:
        """Returns the completions of a step, ordered by group. Raises: UserError if the step's file can't be read."""
        return read_rollout_rows(self._rollouts_file(step))

    def write_rollouts(self, step: int, rows: Iterator[RolloutRow]) -> None:
        """Writes the completions of a step to its parquet file in the folder rollouts/."""
        self._rollouts_folder.mkdir(exist_ok=True)
        write_rollout_rows(self._rollouts_file(step), rows)

    @property
    def validation_file(self) -> Path:
        """Path of the JSON-lines file with the metrics of each validation, in the order of the steps."""
        return self.path / "validation.jsonl"

    def validation_captions_file(self, step: int) -> Path:
        """Returns the path of the captions of one validation; it need not exist."""
        return self.path / "validation" / f"step={step:05d}.jsonl"

    @property
    def validations(self) -> list[ValidationRow]:
        """One row for each validation; empty if the run has none.

        Raises: UserError with the line's number if a line of validation.jsonl can't be read.
        """
        return read_validation_rows(self.validation_file)

    def write_validation(self, row: ValidationRow, captions: Sequence[Mapping[str, Any]]) -> None:
        """Writes the captions of a validation to a file of their own, then adds its row to validation.jsonl.

        Each file is written atomically, so a killed process leaves no incomplete line.
        """
        file = self.validation_captions_file(row.step)
        file.parent.mkdir(exist_ok=True)
        write_atomic(file, json_lines(captions))
        write_atomic(self.validation_file, json_lines([asdict(each) for each in (*self.validations, row)]))

    @property
    def weights(self) -> list[SavedWeights]:
        """All saved versions of the weights, sorted by version number."""
        folders = self._weights_folder.glob("v[0-9]*")
        saved = [SavedWeights(version=int(folder.name.removeprefix("v")), folder=folder) for folder in folders]
        return sorted(saved, key=lambda weights: weights.version)

    def weights_folder(self, version: int) -> Path:
        """Returns the path for a version of the weights, whether or not the version is saved."""
        return self._weights_folder / f"v{version:05d}"

    @contextmanager
    def saving_weights(self, version: int) -> Iterator[Path]:
        """Yields an empty temporary folder, and renames it to `weights_folder(version)` when the `with` block ends.

        A run that is killed while it saves therefore leaves no incomplete `weights_folder(version)`.
        """
        self._weights_folder.mkdir(exist_ok=True)
        aside = self._weights_folder / UNFINISHED.replace("*", f"v{version:05d}")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        yield aside
        aside.rename(self.weights_folder(version))

    @property
    def _rollouts_folder(self) -> Path:
        return self.path / "rollouts"

    def _rollouts_file(self, step: int) -> Path:
        return self._rollouts_folder / f"step={step:05d}.parquet"

    @property
    def _weights_folder(self) -> Path:
        return self.path / "weights"


class SftRun(RecordedRun[SftSettings]):
    """The output folder of a supervised fine-tuning run."""

    def __init__(self, path: Path):
        super().__init__(path, SftSettings)

    @property
    def model_folder(self) -> Path:
        """Path of the folder with the fine-tuned model, its tokenizer and its processor."""
        return self.path / "model"


def _typed(kind: type[_RowT], path: Path, rows: list[dict[str, Any]]) -> list[_RowT]:
    try:
        return [kind(**row) for row in rows]
    except TypeError as error:
        raise UserError(f"{path} was written by another version of vaserl: {error}") from error
