"""The folder of a run: every path and file name in it, atomic writes, typed reads.

    config.toml  versions.json  features.json  metrics.jsonl  timeline.jsonl  pieces.jsonl  tensorboard/
    rollouts/step=00001.parquet  weights/v00002/        (GRPO)
    model/                                              (supervised fine-tuning)

Timings lie apart from the metrics, so that two runs with one seed have identical metrics files.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vaserl.errors import UserError
from vaserl.files import UNFINISHED, read_json_lines
from vaserl.runs.job_folder import JobFolder, SettingsT
from vaserl.runs.rows import PhasePieces, RolloutRow, TimelineSpan, read_rollout_rows, write_rollout_rows
from vaserl.settings import SftSettings, TrainSettings

_RowT = TypeVar("_RowT", TimelineSpan, PhasePieces)


class RecordedRun(JobFolder[SettingsT]):
    """The folder of a run that records metrics and a timeline step by step."""

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
        """One row for each step: "step" and the named scalars. Empty before the first step.

        Raises: UserError that names a line that can't be read; `timeline` and `pieces` raise it too.
        """
        return read_json_lines(self.metrics_file)

    @property
    def timeline(self) -> list[TimelineSpan]:
        """Time spans of the phases, in the order in which they ended."""
        return _typed(TimelineSpan, self.timeline_file, read_json_lines(self.timeline_file))

    @property
    def pieces(self) -> list[PhasePieces]:
        """Seconds of the phases' pieces (timed parts), in the order in which they were recorded."""
        rows = [
            {"step": row.pop("step", None), "phase": row.pop("phase", None), "seconds": row}
            for row in read_json_lines(self.pieces_file)
        ]
        return _typed(PhasePieces, self.pieces_file, rows)

    def set_aside(self) -> None:
        """Renames the folder to <name>.before-<n> if it contains a run.

        Raises: UserError when the folder contains anything else.
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
    """Weights that a run saved: the folder of an adapter, or of a whole model."""

    version: int
    """Number of the version: step k samples and trains with version k and produces version k + 1."""
    folder: Path


class Run(RecordedRun[TrainSettings]):
    """The folder of a GRPO run."""

    def __init__(self, path: Path):
        super().__init__(path, TrainSettings)

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Returns the run of an existing folder.

        Raises: UserError when the folder holds no run, naming the run beside it that may be meant, or when its format
        is newer than this vaserl.
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
        """Steps whose rollouts are stored, ascending."""
        files = self._rollouts_folder.glob("step=*.parquet")
        return sorted(int(file.stem.removeprefix("step=")) for file in files)

    def rollouts(self, step: int) -> list[RolloutRow]:
        """Returns the completions of a step, group after group. Raises: UserError when they can't be read."""
        return read_rollout_rows(self._rollouts_file(step))

    def write_rollouts(self, step: int, rows: Iterator[RolloutRow]) -> None:
        """Writes the completions of a step."""
        self._rollouts_folder.mkdir(exist_ok=True)
        write_rollout_rows(self._rollouts_file(step), rows)

    @property
    def weights(self) -> list[SavedWeights]:
        """Every saved version of the weights, the latest last."""
        folders = self._weights_folder.glob("v[0-9]*")
        saved = [SavedWeights(version=int(folder.name.removeprefix("v")), folder=folder) for folder in folders]
        return sorted(saved, key=lambda weights: weights.version)

    def weights_folder(self, version: int) -> Path:
        """Returns the folder of a version of the weights, saved or not."""
        return self._weights_folder / f"v{version:05d}"

    @contextmanager
    def saving_weights(self, version: int) -> Iterator[Path]:
        """Yields an empty folder, which is renamed to the version's folder when the block ends: a killed run leaves no
        part of a version under its name."""
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
    """The folder of a supervised fine-tuning run."""

    def __init__(self, path: Path):
        super().__init__(path, SftSettings)

    @property
    def model_folder(self) -> Path:
        """The fine-tuned model, complete with tokenizer and processor."""
        return self.path / "model"


def _typed(kind: type[_RowT], path: Path, rows: list[dict[str, Any]]) -> list[_RowT]:
    try:
        return [kind(**row) for row in rows]
    except TypeError as error:
        raise UserError(f"{path} was written by another version of vaserl: {error}") from error
