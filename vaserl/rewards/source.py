"""Finds the code of a reward function by the name that a config gives it. Such a name has one of three forms:

vaserl.rewards:VaseReward        a module and a function or class in it; every node with reward workers must be able
                                 to import the module
rewards/mine.py:concise          a file and a function in it; the text of the file, and of the files that it imports
                                 from its folder, is sent to the workers, so they need no copy
trl+rewards/mine.py:concise      a function, of a module or a file, that was written for another trainer; the prefix is
                                 the name of the adapter in `vaserl.rewards.adapters` that wraps the function

The code is identified by a hash, so that a run can check that all workers have the same code.
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
    """Location and hash of a reward function's code; if the function is in a file, also the source code.

    Example: RewardSource(name="mine.py:concise", adapter="", module="/home/me/mine.py", function="concise",
    code=ShippedCode(path=…, text="def concise(…", beside={}), sha256="3b1f…")
    """

    name: str
    """Name of the function in the config, with prefix and module: "trl+mine.py:concise"."""
    adapter: str
    """Prefix of the name ("trl"), a key of `ADAPTERS`; empty for a function written for vaserl."""
    module: str
    """Absolute path if the function is in a file, else the dotted name of its module."""
    function: str
    """Name of the function or class in its module; the config's tables and the parts of scores use this short name."""
    code: ShippedCode | None
    """Text of the file, and of the files that it imports from its folder; None if `module` is a dotted name."""
    sha256: str
    """SHA-256 (hex) of `code`; if `module` is a dotted name, of all files of that module or package."""


def read_reward_source(name: str) -> RewardSource:
    """Finds the code of a reward function by the function's name in a config; doesn't run the code.

    Raises: UserError if the name is malformed, the adapter is unknown, or the code can't be found.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise UserError(f"reward {name!r}: expected package.module:function or path/to/file.py:function")
    adapter, module, function = match["adapter"] or "", match["module"], match["function"]
    if adapter and adapter not in ADAPTERS:
        raise UserError(f"reward {name!r}: unknown adapter {adapter!r}; known adapters: {', '.join(sorted(ADAPTERS))}")
    code = None
    if module.endswith(".py"):
        path = Path(module).expanduser().absolute()
        module, code = str(path), _read_code(path, name)
        digest = code.sha256
    else:
        digest = _sha256_of_module(module, name)
    return RewardSource(name=name, adapter=adapter, module=module, function=function, code=code, sha256=digest)


def check_reward_source(source: RewardSource) -> str:
    """Returns the SHA-256 of the code that this machine would run for `source`.

    If the function is in a file, this is the hash of the text in `source`. Otherwise it is the hash of the module as
    installed on this machine.

    Raises: UserError if the module isn't installed on this machine.
    """
    return source.sha256 if source.code is not None else read_reward_source(source.name).sha256


def import_source(source: RewardSource) -> Any:
    """Imports the module or runs the file, and returns the reward function or class, wrapped by the adapter if any.

    Raises: UserError if the code raises an exception, or has no function or class of that name.
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
        raise UserError(
            f"reward {source.name!r}: {source.module} has no function or class {source.function!r}"
        ) from None
    return ADAPTERS[source.adapter](found) if source.adapter else found


def mismatches(sources: Sequence[RewardSource], found: Sequence[tuple[str, dict[str, str]]]) -> str:
    """Formats a table of the workers whose code differs from `sources`; returns an empty string if none differs.

    found: for each worker, its host and a dict. The dict's keys are the names of the reward functions; a value is the
    hash of the worker's code, or the reason why the worker can't find the code.
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
    """Yields (relative name, path) of every file in the folders of a package, or of the one file of a module."""
    if not folders:
        if origin and Path(origin).is_file():
            yield Path(origin).name, Path(origin)
        return
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(folder).as_posix(), path
