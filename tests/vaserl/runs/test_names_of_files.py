"""Tests that only vaserl/runs contains the file names of a run's folder."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]

OWNED = {
    *("metrics.jsonl", "timeline.jsonl", "pieces.jsonl", "features.json", "status.json"),
    *("captions.jsonl", "evaluation.json", "evaluation.md", "summary.json", "report.html", ".quickstart"),
}


def strings(path: Path) -> Iterator[str]:
    """Yields the strings in the code of a file. A docstring or message may name a file inside a longer text."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.rpartition("/")[2]


def test_names_of_files_are_spelled_in_runs_alone():
    owner = ROOT / "vaserl" / "runs"
    paths = [path for layer in ("vaserl", "actors", "launch") for path in (ROOT / layer).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): OWNED & {*strings(path)} for path in paths if owner not in path.parents}
    assert not {path: names for path, names in found.items() if names}
    assert set().union(*({*strings(path)} for path in owner.glob("*.py"))) >= OWNED
