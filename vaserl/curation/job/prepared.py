"""A stage in the form that is sent to its process: how to build it there, and a digest of what decides its outcomes."""

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
"""Parts of the package that decide a row's outcome, lexicons included; a change in them invalidates finished work."""

LAYOUT = "2"
"""Version of the journal's layout and of the way digests are computed; every digest includes it."""

HOW_AND_NOT_WHAT = frozenset({"enabled"})
"""Settings left out of digests: they decide whether a stage runs, not what its outcomes are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedStage:
    """A stage that is not built yet, in a form that can be sent to the process that runs it."""

    name: str
    maker: bytes
    """Pickled (callable, arguments) that build the stage. Only the process that runs the stage unpickles it, because
    that imports the library of a neural network."""
    digest: str
    """Hexadecimal SHA-256 of everything besides the row that decides outcomes: settings, weights, code."""
    files: Mapping[str, str]
    """File pattern of each column that names files, for the rows that leave the stage; see `Column.file`."""


class StageOverBatches:
    """Runs a stage's body over batches: judges the rows that are not rejected yet, and adds the stage's columns."""

    def __init__(self, name: str, columns: Sequence[Column], recipe: Recipe) -> None:
        self._name, self._columns = name, columns
        self._body = recipe.make(*recipe.arguments)

    def __call__(self, batch: RowBatch) -> RowBatch:
        rows = remaining(batch)
        verdicts = dict(zip(rows, judged(self._body, [_photograph(batch, row) for row in rows]), strict=True))
        known = {column.name for column in self._columns}
        unknown = {name for verdict in verdicts.values() for name in verdict.columns} - known
        assert not unknown, f"{self._name} adds columns that it does not declare: {sorted(unknown)}"
        for column in self._columns:
            values = {row: v.columns[column.name] for row, v in verdicts.items() if column.name in v.columns}
            batch = with_column(batch, column.name, values, column.default)
        return rejecting(batch, self._name, {row: v.reason for row, v in verdicts.items() if isinstance(v, Rejected)})


def judged(body: StageBody | BatchStageBody, photographs: Sequence[Photograph]) -> Sequence[Verdict]:
    """Returns the verdict of a stage's body on each photograph, in their order."""
    if hasattr(body, "judge_all"):
        return cast(BatchStageBody, body).judge_all(photographs)
    return [cast(StageBody, body).judge(photograph) for photograph in photographs]


def prepare(stage: Stage, recipe: Recipe, files: Mapping[str, str] = MappingProxyType({})) -> PreparedStage:
    """Returns a stage in the form that is sent to its process. `files` becomes `PreparedStage.files`.

    The digest covers the settings among the recipe's arguments, the package's code, the file that defines
    `recipe.make`, and what `recipe.depends` names.
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
    """Returns the hexadecimal SHA-256 of the package's files that `CODE` names; cached, so they are read only once."""
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
