"""Tests of names and docstrings in the code: no public name is defined in two modules."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

INTERFACES = {
    "add": "declares a verb's arguments; each module of vaserl/commands has one",
    "add_arguments": "declares a bench's arguments; each module of launch/bench has one",
    "main": "the entry point of a module that `python -m` starts",
    "run": "does the work of a verb, a job or a bench, each of which is a module",
    "words": "prints a bench's measurement; each module of launch/bench has one",
}
"""Names that several modules define on purpose, because their callers know the module and not what it does."""

MAX_PARAMETERS = 8
"""Most parameters that a function may have. Constructors may have more."""


def modules() -> Iterator[Path]:
    """Yields the files of all modules of the three layers."""
    for layer in ("vaserl", "actors", "launch"):
        yield from sorted((ROOT / layer).rglob("*.py"))


def public_names(path: Path) -> set[str]:
    """Returns the functions, classes and variables at a module's top level whose names have no leading underscore."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_")}


def test_public_names_are_defined_once():
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in modules():
        for name in public_names(path) - INTERFACES.keys():
            places[name].append(str(path.relative_to(ROOT)))
    assert not {name: where for name, where in places.items() if len(where) > 1}


def test_public_names_exceptions_are_needed():
    counts = {name: sum(name in public_names(path) for path in modules()) for name in INTERFACES}
    assert not {name: count for name, count in counts.items() if count < 2}


def test_public_names_sees_every_kind_of_definition(tmp_path: Path):
    file = tmp_path / "x.py"
    file.write_text("A = 1\nB: int = 2\n_C = 3\ndef d(): ...\nclass E: ...\nif A:\n    f = 1\n")
    assert public_names(file) == {"A", "B", "d", "E"}


def test_signatures_have_at_most_eight_parameters():
    long = {}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "__init__":
                names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                count = len(names) - (names[:1] in (["self"], ["cls"]))
                if count > MAX_PARAMETERS:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = count
    assert not long


FRAGMENTS = ("Of ", "Whether ", "In words", "By what ", "As it ")
"""Beginnings that a docstring must not have, because it would neither be a sentence nor name a thing."""


def docstrings(path: Path) -> Iterator[str]:
    """Yields all docstrings of a module, including those of fields and constants."""
    for node in ast.walk(ast.parse(path.read_text())):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else []:
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value.strip()


def test_docstrings_begin_with_a_verb_or_name_the_thing():
    wrong = [
        f"{path.relative_to(ROOT)}: {text.splitlines()[0]}"
        for path in modules()
        for text in docstrings(path)
        if text.startswith(FRAGMENTS)
    ]
    assert not wrong


def test_docstrings_sees_those_of_fields(tmp_path: Path):
    file = tmp_path / "x.py"
    file.write_text('"""M."""\nA = 1\n"""Of A."""\n\n\nclass C:\n    """C."""\n\n    b: int\n    """B."""\n')
    assert list(docstrings(file)) == ["M.", "Of A.", "C.", "B."]
