"""The output folder of a training run: paths of its files, atomic writes, and reads that return typed objects.

    config.toml  versions.json  features.json  metrics.jsonl  timeline.jsonl  pieces.jsonl  tensorboard/
    checkpoints/step=00001/  starts.jsonl  finished.json  fingerprint.json  lock  epoch
    rollouts/step=00001.parquet  weights/v00002/        (GRPO)
    validation.jsonl  validation/step=00010.jsonl       (GRPO with validation)
    model/                                              (supervised fine-tuning)

Timings are not in metrics.jsonl, so that two runs with the same seed produce identical metrics.jsonl files.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from vaserl.errors import UserError
from vaserl.files import UNFINISHED, json_lines, read_json_lines, write_atomic
from vaserl.policy.weights import FINGERPRINT_FILE, fingerprint_content, read_fingerprint
from vaserl.runs.claim import CLAIM_FILES
from vaserl.runs.job_folder import JobFolder, SettingsT
from vaserl.runs.rows import PhasePieces, RolloutRow, TimelineSpan, read_rollout_rows, write_rollout_rows
from vaserl.runs.validation_row import ValidationRow, read_validation_rows
from vaserl.settings import SftSettings, TrainSettings
from vaserl.types import Fingerprint

_RowT = TypeVar("_RowT", TimelineSpan, PhasePieces)


class RecordedRun(JobFolder[SettingsT]):
    """The output folder of a training run, which records metrics and a timeline step by step."""

    JOB: ClassVar[Literal["train", "sft"]]
    """Kind of the run's job."""

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

    @property
    def starts_file(self) -> Path:
        """Path of the JSON-lines file with one row for each job that wrote to the run: its epoch, the step after which
        it began, the time, and the settings that it changed."""
        return self.path / "starts.jsonl"

    @property
    def finished_file(self) -> Path:
        """Path of the JSON file that a job writes when the run is complete."""
        return self.path / "finished.json"

    @property
    def initial_fingerprint(self) -> Fingerprint:
        """Log-probabilities of a fixed probe text that the learner computed before the first step."""
        return read_fingerprint(self.path)

    def write_initial_fingerprint(self, fingerprint: Fingerprint) -> None:
        """Writes the log-probabilities of the probe text that the learner computed before the first step."""
        write_atomic(self.path / FINGERPRINT_FILE, fingerprint_content(fingerprint))

    @property
    def checkpoints_folder(self) -> Path:
        """Folder of the run's checkpoints, unless the setting checkpoint.path names another place."""
        return self.path / "checkpoints"

    def check_usable(self) -> None:
        """Raises UserError if the folder has files but no run."""
        if not self.path.is_dir() or self.config_file.is_file():
            return
        found = {path.name for path in self.path.iterdir() if not path.match(UNFINISHED)}
        if found - CLAIM_FILES:
            raise UserError(
                f"run_dir {self.path} is not empty and contains no run, because it has no {self.config_file.name}; "
                "name another folder with --run_dir"
            )

    def drop_after(self, step: int) -> None:
        """Removes what was recorded of the steps after `step`, so that the steps can be made again. Step 0 stands for
        what is recorded before the first step, so -1 removes everything.

        An incomplete last line, which a killed job can leave in a file, is removed too.
        """
        for path in (self.metrics_file, self.timeline_file, self.pieces_file):
            _drop_rows_after(path, step)
        self.finished_file.unlink(missing_ok=True)

    def is_finished(self, num_steps: int) -> bool:
        """Tells whether the run is complete. A run that took all its steps isn't if `num_steps` is larger now."""
        if not self.finished_file.is_file():
            return False
        finished = self._finished()
        return finished["stopped_early"] or finished["steps"] >= num_steps

    @property
    def is_stopped_early(self) -> bool:
        """True if the run is complete, but ended before its last step."""
        return self.finished_file.is_file() and self._finished()["stopped_early"]

    @property
    def outcome(self) -> str:
        """Why a complete run ended, in words. Raises: UserError if finished.json can't be read."""
        return self._finished()["reason"]

    def write_finished(self, *, steps: int, reason: str, stopped_early: bool) -> None:
        """Marks the run as complete."""
        self._write_json(self.finished_file, {"steps": steps, "reason": reason, "stopped_early": stopped_early})

    def _finished(self) -> dict[str, Any]:
        try:
            found = json.loads(self.finished_file.read_text())
            return {"steps": int(found["steps"]), "reason": found["reason"], "stopped_early": found["stopped_early"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self.finished_file} can't be read: {error!r}. Delete this file: the same command then continues the "
                "run after its last checkpoint"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedWeights:
    """One saved version of a run's weights. The folder contains a LoRA adapter or the weights of the whole model."""

    version: int
    """Version number. Training step k updates version k and produces version k + 1."""
    folder: Path


class Run(RecordedRun[TrainSettings]):
    """The output folder of a GRPO run."""

    JOB = "train"

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
        return sorted(_numbered(self._rollouts_folder.glob("step=*.parquet"), "step="))

    def rollouts(self, step: int) -> list[RolloutRow]:
        """Returns the completions of a step, ordered by group. Raises: UserError if the step's file can't be read."""
        return read_rollout_rows(self._rollouts_file(step))

    def drop_after(self, step: int) -> None:
        """Removes what was recorded of the steps after `step`, completions and saved weights included.

        It also removes the temporary files that a killed job left while it wrote them.
        """
        super().drop_after(step)
        for folder in (self._rollouts_folder, self._weights_folder, self.validation_captions_file(0).parent):
            for unfinished in folder.glob(UNFINISHED):
                shutil.rmtree(unfinished) if unfinished.is_dir() else unfinished.unlink()
        _drop_rows_after(self.validation_file, step)
        captions = self.validation_captions_file(0).parent.glob("step=*.jsonl")
        for later, file in _numbered(captions, "step=").items():
            if later > step:
                file.unlink()
        for later in self.steps:
            if later > step:
                self._rollouts_file(later).unlink()
        for saved in self.weights:
            if saved.version > step + 1:
                shutil.rmtree(saved.folder)

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
        folders = _numbered(self._weights_folder.glob("v[0-9]*"), "v")
        return [SavedWeights(version=version, folder=folder) for version, folder in sorted(folders.items())]

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

    JOB = "sft"

    def __init__(self, path: Path):
        super().__init__(path, SftSettings)

    @property
    def model_folder(self) -> Path:
        """Path of the folder with the fine-tuned model, its tokenizer and its processor."""
        return self.path / "model"


def _numbered(paths: Iterable[Path], prefix: str) -> dict[int, Path]:
    """Returns the paths by the number in their names; leaves out copies such as "v00003 old" that a person made."""
    numbers = ((path.name.partition(".")[0].removeprefix(prefix), path) for path in paths)
    return {int(number): path for number, path in numbers if number.isdecimal()}


def _drop_rows_after(path: Path, step: int) -> None:
    if path.is_file():
        rows = read_json_lines(path, drop_torn=True)
        if any(not isinstance(row.get("step"), int) for row in rows):
            raise UserError(f'{path}: a line has no whole number "step", so the file is damaged; remove the line')
        lines = [line for line in path.read_bytes().splitlines(keepends=True) if line.strip()]
        kept = [line for line, row in zip(lines, rows, strict=False) if row["step"] <= step]
        write_atomic(path, b"".join(kept))


def _typed(kind: type[_RowT], path: Path, rows: list[dict[str, Any]]) -> list[_RowT]:
    try:
        return [kind(**row) for row in rows]
    except TypeError as error:
        raise UserError(f"{path} was written by another version of vaserl: {error}") from error
