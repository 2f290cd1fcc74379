"""Ships a user's Python file as text, with the files of its folder that it imports, and runs it on any machine.

Nothing is put on `sys.path`: `import helpers` finds the file's own sibling on every node, also where another reward
file has a different sibling of that name. Like a script's folder, the file's folder comes before installed packages,
but not before the standard library. Packages (folders) beside the file don't travel.

cloudpickle's `register_pickle_by_value` can't replace this. It pickles a function together with the globals that it
uses, so a module that holds a lock, a socket or a client can't be pickled, and an import inside a function looks for
the sibling on the worker and fails. It also runs the file on the driver, which may lack what the workers have.
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
    """Text of a Python file and of its siblings.

    Example: ShippedCode(path="/home/me/mine.py", text="import helpers…", beside={"helpers": "def …"})
    """

    path: str
    """Path of the file, for messages; the file need not exist where the code runs."""
    text: str
    """Content of the file."""
    beside: Mapping[str, str]
    """Module name to text of each file of its folder that it imports, directly or through another of these."""

    @property
    def sha256(self) -> str:
        """Hex digest over the file's text, then over the name and text of each sibling."""
        digest = hashlib.sha256(self.text.encode())
        for name, text in sorted(self.beside.items()):
            digest.update(f"\0{name}\0{text}".encode())
        return digest.hexdigest()


def read_code(path: Path) -> ShippedCode:
    """Reads a file and the files of its folder that it imports. Raises: OSError, UnicodeDecodeError."""
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
    """Runs the file once in a process and returns it as a module. Raises: what the code raises."""
    name = f"vaserl_shipped_{code.sha256[:16]}"
    if name not in sys.modules:
        _run(name, code.path, code.text, code)
    return sys.modules[name]


def _imported(text: str) -> set[str]:
    """Returns the top-level names of the modules that a text imports anywhere; none if it doesn't parse."""
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
    # so that tracebacks show the lines even where the file doesn't exist
    linecache.cache[path] = (len(text), None, text.splitlines(True), path)
    sys.modules[name] = module  # dataclasses and pickle look up a class's module
    try:
        exec(compile(text, path, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise


def _importer(code: ShippedCode) -> Any:
    """Returns an `__import__` that resolves the names of the shipped siblings and leaves all others to Python's."""

    def import_(name: str, globals_: Any = None, locals_: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        if level or name not in code.beside:
            return builtins.__import__(name, globals_, locals_, fromlist, level)
        private = f"vaserl_shipped_{code.sha256[:16]}_{name}"
        if private not in sys.modules:
            _run(private, str(Path(code.path).with_name(f"{name}.py")), code.beside[name], code)
        return sys.modules[private]

    return import_
