"""A stage before it is made: its name, how its process makes it, and what its outcomes depend on.

A row's outcome is a pure function of the photograph, its record and what `digest` was taken of. That makes finished
work reusable: whoever finds rows under the same digests need not do them again.
"""

import hashlib
import inspect
import json
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vaserl.curation.job.batch import RowBatch
from vaserl.settings.section import Section

PACKAGE = Path(__file__).parents[2]
CODE = ("curation", "dataset", "encoders", "files", "meshes", "rewards", "types.py")
"""What of the package decides a row's outcome, lexicons included; after a change there, old work is not reused."""

HOW_AND_NOT_WHAT = frozenset({"pool", "enabled"})
"""Settings that decide where and how fast rows are done, not what becomes of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Example: stage_of("quality", Quality, (settings.quality,), weights=fingerprint(settings.quality.path))"""

    name: str
    """As `rejected_by` says it."""
    maker: bytes
    """(class, arguments) pickled; opened in the process that runs the stage only, because opening imports a model's
    library."""
    digest: str
    """Of everything that decides outcomes besides the row: settings, models, code; hex."""


def stage_of(
    name: str, make: Callable[..., Callable[[RowBatch], RowBatch]], arguments: tuple[Any, ...] = (), **depends: Any
) -> Stage:
    """A stage that is made by `make(*arguments)`.

    Its outcomes depend on the settings among the arguments, on the package's code and that of the file that defines
    `make`, and on what else `depends` names: seeds, models' files.
    """
    settings = [_what(argument.model_dump(mode="json")) for argument in arguments if isinstance(argument, Section)]
    own = hashlib.sha256(Path(inspect.getfile(make)).read_bytes()).hexdigest()
    content = json.dumps([name, settings, depends, code_of(PACKAGE), own], sort_keys=True, default=str)
    return Stage(
        name=name,
        maker=pickle.dumps((make, arguments)),
        digest=hashlib.sha256(content.encode()).hexdigest(),
    )


def file_stamps(path: Path | None) -> Mapping[str, tuple[int, int]]:
    """Size and time of change, in ns, of a file, or of each file in a folder, by name; {} where there is none.

    It tells that weights were exchanged under their name, without reading gigabytes.
    """
    if path is None:
        return {}
    files = [path] if path.is_file() else sorted(file for file in path.glob("*") if file.is_file())
    return {file.name: (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


@cache
def code_of(package: Path) -> str:
    """Digest of the package's CODE, hex; read once in a process."""
    digest = hashlib.sha256()
    for name in CODE:
        path = package / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix in (".py", ".tsv", ".txt"):
                digest.update(str(file.relative_to(package)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _what(settings: Any) -> Any:
    if not isinstance(settings, dict):
        return settings
    return {name: _what(value) for name, value in settings.items() if name not in HOW_AND_NOT_WHAT}
