"""A stage in the form that is sent to its process: how to build it, and a digest of what its results depend on."""

import hashlib
import json
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from vaserl.curation.job.batch import RowBatch, rejecting, remaining, with_column
from vaserl.curation.stage import BatchStageBody, Column, Photograph, Recipe, Rejected, Stage, StageBody, Verdict
from vaserl.curation.stamps import code_of_file
from vaserl.settings.section import Section

PACKAGE = Path(__file__).parents[2]
CODE = ("curation", "dataset", "encoders", "files", "meshes", "rewards", "types.py")
"""Folders and files of the package on which results depend, lexicons included. A change in them invalidates finished
work."""

LAYOUT = "2"
"""Version of the journal's layout and of the way digests are computed; every digest includes it."""

HOW_AND_NOT_WHAT = frozenset({"enabled"})
"""Settings that are left out of digests, because they decide whether a stage runs and not what its results are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedStage:
    """A stage that is not built yet, in a form that can be sent to the process that runs it."""

    name: str
    maker: bytes
    """Pickled pair of a callable and its arguments; the call builds the stage. Only the process that runs the stage
    unpickles the pair, because unpickling imports the library of a neural network."""
    digest: str
    """Hexadecimal SHA-256 of everything that the stage's results depend on besides the row: settings, weights, code."""
    files: Mapping[str, str]
    """Path pattern, such as "clips/{}.mp4", of each column that refers to files, by name of the column; see
    `Column.file`. Includes the columns of earlier stages."""


class StageOverBatches:
    """Runs a stage's body (the object that judges photographs) over batches, and adds the stage's columns to each.

    Rows that are rejected already are not judged.
    """

    def __init__(self, name: str, columns: Sequence[Column], recipe: Recipe) -> None:
        self._name, self.columns = name, columns
        self._body = recipe.make(*recipe.arguments)

    def __call__(self, batch: RowBatch) -> RowBatch:
        rows = remaining(batch)
        verdicts = dict(zip(rows, judged(self._body, [_photograph(batch, row) for row in rows]), strict=True))
        known = {column.name for column in self.columns}
        unknown = {name for verdict in verdicts.values() for name in verdict.columns} - known
        assert not unknown, f"{self._name} adds columns that it does not declare: {sorted(unknown)}"
        for column in self.columns:
            values = {row: v.columns[column.name] for row, v in verdicts.items() if column.name in v.columns}
            batch = with_column(batch, column.name, values, column.default)
        return rejecting(batch, self._name, {row: v.reason for row, v in verdicts.items() if isinstance(v, Rejected)})


def judged(body: StageBody | BatchStageBody, photographs: Sequence[Photograph]) -> Sequence[Verdict]:
    """Returns the verdict of a stage's body (the object that judges) on each photograph, in their order."""
    if hasattr(body, "judge_all"):
        return cast(BatchStageBody, body).judge_all(photographs)
    return [cast(StageBody, body).judge(photograph) for photograph in photographs]


def prepare(stage: Stage, recipe: Recipe, files: Mapping[str, str] = MappingProxyType({})) -> PreparedStage:
    """Returns a stage in the form that is sent to its worker process. `files` is stored as `PreparedStage.files`.

    The stage's digest is computed from the settings among the recipe's arguments, the package's code, the file that
    defines `recipe.make`, and `recipe.depends`.
    """
    settings = [_what(a.model_dump(mode="json")) for a in recipe.arguments if isinstance(a, Section)]
    own = code_of_file(recipe.make)
    content = json.dumps(
        [LAYOUT, stage.name, settings, dict(recipe.depends), code_of(PACKAGE), own], sort_keys=True, default=str
    )
    return PreparedStage(
        name=stage.name,
        maker=pickle.dumps((StageOverBatches, (stage.name, stage.columns, recipe))),
        digest=hashlib.sha256(content.encode()).hexdigest(),
        files=dict(files),
    )


@cache
def code_of(package: Path) -> str:
    """Returns the hexadecimal SHA-256 of the package's files in `CODE`. Cached, so the files are read only once."""
    digest = hashlib.sha256()
    for name in CODE:
        path = package / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix in (".py", ".tsv", ".txt"):
                digest.update(str(file.relative_to(package)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _photograph(batch: RowBatch, row: int) -> Photograph:
    columns = {name: values[row] for name, values in batch.items()}
    known = {name: columns[name] for name in ("photo", "vase_id", "view", "record") if name in columns}
    return Photograph(columns=columns, **{"photo": "", **known})


def _what(settings: Any) -> Any:
    if not isinstance(settings, dict):
        return settings
    return {name: _what(value) for name, value in settings.items() if name not in HOW_AND_NOT_WHAT}
