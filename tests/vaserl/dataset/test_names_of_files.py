"""Tests that only vaserl/dataset contains the names of a data set's files and folders."""

import ast
from collections.abc import Iterator
from pathlib import Path

from vaserl.dataset import names

ROOT = Path(__file__).parents[3]
NAMES = {names.MANIFEST, names.CARD, names.SHEET, names.SUMMARY, names.WORK, names.CLIPS}
"""models/ and views/ are left out: worlds, quick starts and published data sets have folders of these names too."""


def texts(path: Path) -> Iterator[str]:
    """Returns the string constants of a file, with the parts of f-strings and without docstrings."""
    tree = ast.parse(path.read_text())
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def test_names_stand_in_the_room_of_the_data_set_only():
    elsewhere = {
        str(path.relative_to(ROOT)): found
        for layer in ("vaserl", "actors", "launch")
        for path in (ROOT / layer).rglob("*.py")
        if (ROOT / "vaserl" / "dataset") not in path.parents
        and (found := {text for text in texts(path) if text.rstrip("/") in NAMES or text.startswith("clips/")})
    }
    assert not elsewhere
