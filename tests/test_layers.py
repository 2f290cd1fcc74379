"""Imports run one way: launch -> actors -> vaserl, and vaserl knows no cluster."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "vaserl": {"ray", "vllm", "deepspeed", "actors", "launch", "tests"},
    "actors": {"launch", "tests"},
    "launch": {"tests"},
}


def imported(path: Path) -> set[str]:
    """Top-level names of every import in a file, those inside functions included."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("layer", sorted(FORBIDDEN))
def test_layer_imports_nothing_above_it(layer: str):
    files = sorted((ROOT / layer).rglob("*.py"))
    assert files
    wrong = {str(path.relative_to(ROOT)): sorted(imported(path) & FORBIDDEN[layer]) for path in files}
    assert not {path: names for path, names in wrong.items() if names}


def test_imported_sees_imports_inside_functions(tmp_path: Path):
    file = tmp_path / "x.py"
    file.write_text("def f():\n    import ray.data\n    from vllm import LLM\n")
    assert imported(file) == {"ray", "vllm"}


def test_every_package_folder_has_an_init():
    missing = [
        str(folder.relative_to(ROOT))
        for layer in FORBIDDEN
        for folder in (ROOT / layer).rglob("*")
        if folder.is_dir() and list(folder.glob("*.py")) and not (folder / "__init__.py").is_file()
    ]
    assert not missing
