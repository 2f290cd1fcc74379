"""Tests that imports go one way: launch -> actors -> vaserl, and inside vaserl along the table of rooms (its parts)."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "vaserl": {"ray", "vllm", "deepspeed", "actors", "launch", "tests"},
    "actors": {"launch", "tests"},
    "launch": {"tests"},
}

ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "types": set(),
    "settings": {"errors"},
    "files": {"errors"},
    "statistics": set(),
    "dataset": {"errors", "files", "settings", "types"},
    "encoders": {"errors", "settings"},
    "rewards": {"encoders", "errors", "settings", "types"},
    "policy": {"errors", "files", "settings", "types"},
    "planning": {"errors", "settings"},
    "grpo": {"errors", "settings", "types"},
    "runs": {"dataset", "errors", "files", "grpo", "policy", "rewards", "settings", "types"},
    "meshes": {"encoders", "errors", "files", "statistics", "runs", "settings"},
    "evaluation": {
        *("dataset", "encoders", "errors", "files", "grpo", "meshes", "policy", "rewards", "runs"),
        *("settings", "statistics", "types"),
    },
    "report": {"dataset", "errors", "evaluation", "files", "statistics", "meshes", "runs", "types"},
    "curation": {
        *("dataset", "encoders", "errors", "files", "statistics", "meshes", "policy", "report", "rewards", "runs"),
        *("settings", "types"),
    },
    "synthetic": {
        *("curation", "dataset", "encoders", "errors", "files", "meshes", "planning", "policy", "rewards", "runs"),
        *("settings", "types"),
    },
    "commands": {
        *("curation", "dataset", "errors", "evaluation", "files", "meshes", "policy", "report", "rewards", "runs"),
        *("settings", "types"),
    },
    # rooms without code yet: the run browser, supervision of workers
    "judge": {"dataset", "errors", "files", "statistics", "meshes", "runs", "settings", "types"},
    "browser": {"dataset", "errors", "evaluation", "files", "report", "rewards", "runs", "settings", "types"},
    "supervision": {"errors", "files", "runs", "settings", "types"},
}
"""Each room of vaserl (a folder, or a module beside them) and the rooms that it may import."""

COMING = {"browser", "supervision"}
"""Rooms of the table that have no code yet."""


def imported(path: Path) -> set[str]:
    """Returns the dotted names of all imports in a file, including those inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            # `from vaserl import files` names a room after `import`
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def top_of(name: str) -> str:
    """Returns the first part of a dotted name: "ray" for "ray.data"."""
    return name.partition(".")[0]


def room_of(path: Path) -> str:
    """Returns the room that a file of vaserl lies in."""
    return path.relative_to(ROOT / "vaserl").parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    """Returns the other rooms that a file of vaserl imports."""
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("vaserl.")}
    return rooms - {room_of(path)}


def files_of(layer: str) -> Iterator[Path]:
    """Returns the files of all modules of a layer."""
    yield from sorted((ROOT / layer).rglob("*.py"))


@pytest.mark.parametrize("layer", sorted(FORBIDDEN))
def test_layer_imports_nothing_above_it(layer: str):
    files = list(files_of(layer))
    assert files
    wrong = {str(path.relative_to(ROOT)): sorted(set(map(top_of, imported(path))) & FORBIDDEN[layer]) for path in files}
    assert not {path: names for path, names in wrong.items() if names}


def test_rooms_table_names_every_room_and_no_other():
    there = {room_of(path) for path in files_of("vaserl")} - {"__init__"}
    assert there == set(ROOMS) - COMING
    assert set().union(*ROOMS.values()) <= set(ROOMS)


def test_rooms_import_along_the_table_only():
    wrong = {
        str(path.relative_to(ROOT)): sorted(rooms_imported(path) - ROOMS[room_of(path)])
        for path in files_of("vaserl")
        if room_of(path) != "__init__"
    }
    assert not {path: rooms for path, rooms in wrong.items() if rooms}


def test_rooms_table_has_no_circle():
    list(TopologicalSorter(ROOMS).static_order())  # raises CycleError


def test_rooms_number_at_most_twenty_entries():
    entries = [path for path in (ROOT / "vaserl").iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 20, sorted(path.name for path in entries)


def test_imported_sees_imports_inside_functions(tmp_path: Path):
    file = tmp_path / "x.py"
    file.write_text("def f():\n    import ray.data\n    from vllm import LLM\n    from vaserl import files\n")
    assert imported(file) == {"ray.data", "vllm.LLM", "vaserl.files"}


def test_every_package_folder_has_an_init_that_says_what_lives_there():
    folders = {path.parent for layer in FORBIDDEN for path in files_of(layer)}
    without = [
        str(folder.relative_to(ROOT))
        for folder in folders
        if not (init := folder / "__init__.py").is_file() or not ast.get_docstring(ast.parse(init.read_text()))
    ]
    assert not without
