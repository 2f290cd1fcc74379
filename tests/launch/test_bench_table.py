"""Tests that the table of benches has one line for each bench of the folder, and no other line."""

import ast
from pathlib import Path

from launch.bench.__main__ import BENCHES

FOLDER = Path(__file__).parents[2] / "launch" / "bench"


def test_benches_names_each_module_that_is_a_bench():
    interface = {"add_arguments", "run", "words"}
    benches = set()
    for path in FOLDER.glob("*.py"):
        functions = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
        if interface <= functions:
            benches.add(path.stem)
    assert benches == set(BENCHES)
    assert all(line and "\n" not in line for line in BENCHES.values())
