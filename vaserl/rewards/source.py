"""Resolves the name of a reward function in a config to its code: a hash and, for a file, its text.

vaserl.rewards:VaseReward        a dotted name; it must be importable on every node that has reward workers
rewards/mine.py:concise          a file; its text is sent to the workers, together with the files of its folder that
                                 it imports, so the workers need no copy
trl+rewards/mine.py:concise      either of the two, written for another trainer; `vaserl.rewards.adapters` wraps it
"""

import hashlib
import importlib
import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.errors import UserError
from vaserl.rewards.adapters import ADAPTERS
from vaserl.rewards.shipped_code import ShippedCode, read_code, run_code


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardSource:
    """Location, hash and, for a file, source code of a reward function.

    Example: RewardSource(name="mine.py:concise", adapter="", module="/home/me/mine.py", function="concise",
    code=ShippedCode(path=…, text="def concise(…", beside={}), sha256="3b1f…")
    """

    name: str
    """Name of the function in the config."""
    adapter: str
    """Key of `ADAPTERS`; empty for a function with a signature of vaserl's own."""
    module: str
    """Dotted name of the module, or absolute path of the file."""
    function: str
    """Name of the function or class in the module; also its short name in the config and in the parts of scores."""
    code: ShippedCode | None
    """Text of the file and of the files of its folder that it imports; None for a dotted module."""
    sha256: str
    """SHA-256 (hex) of the file and the files that it imports from its folder, or of all files of a dotted module."""


def read_reward_source(name: str) -> RewardSource:
    """Finds the code of a reward function by its name in a config, without running it.

    Raises: UserError when the name is malformed, the code can't be found, or there is no such adapter.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise UserError(f"reward {name!r}: write it as package.module:function or path/to/file.py:function")
    adapter, module, function = match["adapter"] or "", match["module"], match["function"]
    if adapter and adapter not in ADAPTERS:
        raise UserError(f"reward {name!r}: there is no adapter {adapter!r}; there are {', '.join(sorted(ADAPTERS))}")
    code = None
    if module.endswith(".py"):
        path = Path(module).expanduser().absolute()
        module, code = str(path), _read_code(path, name)
        digest = code.sha256
    else:
        digest = _sha256_of_module(module, name)
    return RewardSource(name=name, adapter=adapter, module=module, function=function, code=code, sha256=digest)


def check_reward_source(source: RewardSource) -> str:
    """Returns the SHA-256 of the code that this machine runs for `source`.

    This is the hash of the installed module or, for a file, that of the text in `source`.

    Raises: UserError when a dotted module isn't installed on this machine.
    """
    return source.sha256 if source.code is not None else read_reward_source(source.name).sha256


def import_source(source: RewardSource) -> Any:
    """Runs the module and returns its function or class, wrapped by the adapter if the name has one.

    Raises: UserError when the module raises or lacks the function.
    """
    try:
        module = importlib.import_module(source.module) if source.code is None else run_code(source.code)
    except SyntaxError as error:
        raise UserError(f"reward {source.name!r}: {error.filename}:{error.lineno}: {error.msg}") from error
    except Exception as error:  # a user's module may raise anything on import
        hint = ""
        if source.code and isinstance(error, ModuleNotFoundError) and error.name:
            folder = Path(source.module).parent / error.name.partition(".")[0]
            hint = f"; {folder} isn't shipped: put its code into .py files beside the reward file" * folder.is_dir()
        raise UserError(f"reward {source.name!r} can't be imported: {error!r}{hint}") from error
    try:
        found = getattr(module, source.function)
    except AttributeError:
        raise UserError(f"reward {source.name!r}: module {source.module} has no {source.function}") from None
    return ADAPTERS[source.adapter](found) if source.adapter else found


def mismatches(sources: Sequence[RewardSource], found: Sequence[tuple[str, dict[str, str]]]) -> str:
    """Formats a table of the workers whose code differs from `sources`; an empty string if there are none.

    found: for each worker its host and, by reward name, the hash of the code or the reason why the worker has none.
    """
    rows = [
        (f"{index} on {host}", source.name, source.sha256[:12], here.get(source.name, "nothing"))
        for index, (host, here) in enumerate(found)
        for source in sources
        if here.get(source.name) != source.sha256
    ]
    if not rows:
        return ""
    lines = [f"{'worker':24} {'reward':40} {'here':14} there"]
    # hashes are shortened, reasons are printed in full
    lines += [f"{w:24} {name:40} {h:14} {t[:12] if _HASH.fullmatch(t) else t}" for w, name, h, t in rows]
    return "\n".join(lines)


_NAME = re.compile(r"(?:(?P<adapter>[a-z][a-z-]*)\+)?(?P<module>[^:]+):(?P<function>[A-Za-z_]\w*)")
_HASH = re.compile(r"[0-9a-f]{64}")


def _read_code(path: Path, name: str) -> ShippedCode:
    try:
        return read_code(path)
    except (OSError, UnicodeDecodeError) as error:
        file, reason = (error.filename or path, error.strerror) if isinstance(error, OSError) else (path, str(error))
        raise UserError(f"reward {name!r}: {file} can't be read: {reason}") from error


def _sha256_of_module(module: str, name: str) -> str:
    try:
        spec = importlib.util.find_spec(module)
    except Exception as error:  # finding a submodule imports the packages around it
        raise UserError(f"reward {name!r} can't be imported: {error!r}") from error
    if spec is None:
        raise UserError(f"reward {name!r} can't be imported: there is no module {module}")
    digest = hashlib.sha256()
    for relative, path in _files(spec.origin, list(spec.submodule_search_locations or ())):
        digest.update(f"{relative}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _files(origin: str | None, folders: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yields the relative name and the path of every file of a package, or of a module's only file."""
    if not folders:
        if origin and Path(origin).is_file():
            yield Path(origin).name, Path(origin)
        return
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(folder).as_posix(), path
