"""Reads a user's Python file and its imports from the same folder as text, so that any machine can run the file.

`sys.path` isn't changed. On every node, `import helpers` finds the `helpers.py` that was in the same folder as the
file, even if another reward file has a different `helpers.py` in its own folder. As for a script, the file's folder is
searched before installed packages, but after the standard library. Packages (folders) beside the file are not shipped.

cloudpickle's `register_pickle_by_value` can't be used instead, for three reasons. It pickles a function with the
globals that the function uses, and fails if one of them is a lock, a socket or a client. An import inside a function
fails, because `helpers.py` is missing on the worker. The file is also run on the driver, where packages that are
installed on the workers may be missing.
"""

import ast
import builtins
import hashlib
import linecache
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedCode:
    """Text of a Python file, and of those files in the same folder that it imports.

    Example: ShippedCode(path="/home/me/mine.py", text="import helpers…", beside={"helpers": "def …"})
    """

    path: str
    """Path of the file, for tracebacks and error messages; the machine that runs the code need not have the file."""
    text: str
    """Source code of the file."""
    beside: Mapping[str, str]
    """Source code of each imported file of the same folder, by module name. Files imported indirectly are included."""

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the file's text, followed by the module name and text of each file in `beside`."""
        digest = hashlib.sha256(self.text.encode())
        for name, text in sorted(self.beside.items()):
            digest.update(f"\0{name}\0{text}".encode())
        return digest.hexdigest()


def read_code(path: Path) -> ShippedCode:
    """Reads a Python file and the files that it imports, directly or indirectly, from the same folder.

    Raises: OSError if one of the files can't be read, UnicodeDecodeError if one isn't UTF-8.
    """
    text = path.read_text(encoding="utf-8")
    beside: dict[str, str] = {}
    open_texts = [text]
    while open_texts:
        for name in _imported(open_texts.pop()):
            sibling = path.with_name(f"{name}.py")
            if name not in beside and name not in sys.stdlib_module_names and name != path.stem and sibling.is_file():
                beside[name] = sibling.read_text(encoding="utf-8")
                open_texts.append(beside[name])
    return ShippedCode(path=str(path), text=text, beside=beside)


def run_code(code: ShippedCode) -> types.ModuleType:
    """Runs the shipped file and returns it as a module; later calls in the same process return the same module.

    Raises: any exception that the file's code raises.
    """
    name = f"vaserl_shipped_{code.sha256[:16]}"
    if name not in sys.modules:
        _run(name, code.path, code.text, code)
    return sys.modules[name]


def _imported(text: str) -> set[str]:
    """Returns the top-level names of all modules that the source code `text` imports, even inside a function.

    The set is empty if the source code has a syntax error.
    """
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except SyntaxError:  # reported with its line when the code is run
        return set()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level and node.module}
    return {name.partition(".")[0] for name in names}


def _run(name: str, path: str, text: str, code: ShippedCode) -> None:
    module = types.ModuleType(name)
    module.__file__ = path
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _importer(code)}
    # so that tracebacks show the lines even on a machine without the file
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    sys.modules[name] = module  # dataclasses and pickle look up a class's module
    try:
        exec(compile(text, path, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise


def _importer(code: ShippedCode) -> Any:
    """Returns a replacement for `__import__` that imports the files in `code.beside` from their text.

    For all other modules it calls Python's own `__import__`.
    """

    def import_(name: str, globals_: Any = None, locals_: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if level or name not in code.beside:
            return builtins.__import__(name, globals_, locals_, fromlist, level)
        private = f"vaserl_shipped_{code.sha256[:16]}_{name}"
        if private not in sys.modules:
            _run(private, str(Path(code.path).with_name(f"{name}.py")), code.beside[name], code)
        return sys.modules[private]

    return import_
