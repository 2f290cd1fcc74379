"""Tests that the documentation names files that exist and links to pages that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(ROOT / "docs").rglob("*.md"),
]
FOLDERS = {"vaserl", "actors", "launch", "configs", "tests", "docs"}
"""First folders of the paths that a page may name."""


def paths_named(text: str) -> set[str]:
    """Returns the texts in backticks that look like paths of the repository."""
    words = re.findall(r"`([\w.-]+(?:/[\w.-]+)*/?)`", text)
    return {word for word in words if "/" in word and word.partition("/")[0] in FOLDERS}


def links(text: str) -> set[str]:
    """Returns the targets of a page's links to other files."""
    return {target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target} - {""}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_paths_that_exist(page: Path):
    text = page.read_text(encoding="utf-8")
    assert not sorted(name for name in paths_named(text) if not (ROOT / name).exists())
    assert not sorted(target for target in links(text) if not (page.parent / target).exists())


def named_tests(text: str) -> set[tuple[str, str]]:
    """Returns (file, function) of the tests that a page names as `tests/….py::function`, without parameters."""
    return set(re.findall(r"`(tests/[\w/.]+\.py)::(\w+)", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_name_tests_that_exist(page: Path):
    named = named_tests(page.read_text(encoding="utf-8"))
    lacking = [
        f"{file}::{name}"
        for file, name in sorted(named)
        if not (ROOT / file).is_file() or f"def {name}(" not in (ROOT / file).read_text()
    ]
    assert not lacking


def test_named_tests_sees_the_function():
    assert named_tests("`tests/a/b.py::test_c[d-1]`, `tests/e.py`") == {("tests/a/b.py", "test_c")}


def test_decisions_are_all_listed():
    folder = ROOT / "docs" / "decisions"
    assert links((folder / "README.md").read_text()) == {path.name for path in folder.glob("0*.md")}


def test_paths_named_sees_files_and_folders():
    text = "`vaserl/types.py`, `launch/bench/`, `rollouts/`, `a/b`, `python -m launch`"
    assert paths_named(text) == {"vaserl/types.py", "launch/bench/"}


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("0*.md")), ids=lambda page: page.stem)
def test_decisions_name_what_the_code_has(page: Path):
    place = page.read_text(encoding="utf-8").partition("**In the code.**")[2]
    assert paths_named(place), "a decision says where in the code it stands"
    sources = "".join((ROOT / name).read_text() for name in paths_named(place) if name.endswith(".py"))
    names = set(re.findall(r"`([A-Za-z_]\w*)`", place))
    assert not sorted(name for name in names if name not in sources)
