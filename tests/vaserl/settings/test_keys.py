"""Tests the keys of a settings class: types and defaults in words, and tables inside tables."""

from pathlib import Path
from typing import Any, Literal

import pydantic

from vaserl.settings.keys import ABSENT, REQUIRED, key_tables, to_toml
from vaserl.settings.section import Section


class Inner(Section):
    """An inner table."""

    rate: float = pydantic.Field(default=0.5, gt=0, le=1)
    """A rate."""


class Outer(Section):
    """The outer
    table."""

    path: Path
    """A path."""
    mode: Literal["a", "b"] | float = "a"
    names: tuple[str, ...] = ()
    pair: tuple[int, int] = (1, 2)
    options: dict[str, Any] = pydantic.Field(default_factory=lambda: {"x": {"y": True}})
    limit: int | None = pydantic.Field(default=None, ge=3)
    inner: Inner = Inner(rate=0.25)
    maybe: Inner | None = None
    many: dict[str, Inner] = pydantic.Field(default_factory=dict)


def test_key_tables_words_types_bounds_and_defaults():
    outer = key_tables(Outer)[0]
    assert outer.meaning == "The outer table."
    assert [(key.name, key.kind, key.default) for key in outer.keys] == [
        ("path", "path", REQUIRED),
        ("mode", '"a" or "b" or number', '"a"'),
        ("names", "list of string", "[]"),
        ("pair", "list of 2 × integer", "[1, 2]"),
        ("options", "table", "{ x = { y = true } }"),
        ("limit", "integer ≥ 3", ABSENT),
    ]
    assert [key.meaning for key in outer.keys][:2] == ["A path.", ""]


def test_key_tables_follows_inner_tables():
    inner = key_tables(Outer)[1:]
    assert [(table.path, table.optional, table.keys[0].default) for table in inner] == [
        ("inner", False, "0.25"),
        ("maybe", True, "0.5"),
        ("many.<name>", True, "0.5"),
    ]
    assert inner[0].keys[0].kind == "number > 0, ≤ 1"


class WithExtra(Section):
    model_config = pydantic.ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Inner] = pydantic.Field(init=False)  # pyright: ignore

    size: int = 1


class WithTables(Section):
    pool: WithExtra = WithExtra()


def test_key_tables_follows_the_tables_of_any_name():
    assert [(table.path, [key.name for key in table.keys]) for table in key_tables(WithTables)] == [
        ("", []),
        ("pool", ["size"]),
        ("pool.<name>", ["rate"]),
    ]


def test_to_toml_quotes_what_is_no_bare_key():
    assert to_toml({"penalty/overlong": -0.5, "a-b": "ä"}) == '{ "penalty/overlong" = -0.5, a-b = "ä" }'
