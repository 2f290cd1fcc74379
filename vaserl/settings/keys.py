"""Tables that list the keys of a settings class, for `--help` and docs/configuration.md."""

import inspect
import json
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic.fields import FieldInfo

from vaserl.settings.section import Section, extra_class, mapped_class, section_class

REQUIRED, ABSENT = "required", "absent"
"""Values of `Key.default`: REQUIRED for a key that the config must contain, ABSENT for a key without a value unless the
config sets it."""

_NAMES = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "path", type(None): "", Any: "any"}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "multiple of", "min_length": "length ≥"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Description of one key in a table of the config."""

    name: str
    kind: str
    """Type of the key's value in words, with bounds: "integer ≥ 1", "path", '"lora" or "full"'."""
    default: str
    """Default value as TOML; or REQUIRED or ABSENT for a key without a default."""
    meaning: str
    """Docstring of the settings field on one line; empty if it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTable:
    """Description of one TOML table of a config."""

    path: str
    """Dotted name of the table; empty for the keys above the first table. A name of the user's choice is written
    <name>, as in "reward.remote.<name>"."""
    section: type[Section]
    optional: bool
    """True if the config may omit the table; its defaults then have no effect either."""
    keys: tuple[Key, ...]
    """The table's keys whose values are not tables; each table inside this one has a `KeyTable` of its own."""

    @property
    def meaning(self) -> str:
        """Docstring of the table's settings class on one line; empty if it has none."""
        return _one_line(self.section.__dict__.get("__doc__"))


def key_tables(kind: type[Section]) -> list[KeyTable]:
    """Returns descriptions of all tables of a config of class `kind`, in the order of the class's fields."""
    return list(_tables(kind, None, "", optional=False))


def _tables(kind: type[Section], values: Section | None, path: str, *, optional: bool) -> Iterator[KeyTable]:
    inner: list[tuple[str, FieldInfo, type[Section]]] = []
    keys = []
    for name, field in kind.model_fields.items():
        section = section_class(field.annotation)
        if section is not None:
            inner.append((f"{path}.{name}".lstrip("."), field, section))
            continue
        mapped = mapped_class(field.annotation)
        if mapped is not None:
            inner.append((f"{path}.{name}.<name>".lstrip("."), field, mapped))
        else:
            keys.append(_key(name, field, _default(field, name, values)))
    yield KeyTable(path=path, section=kind, optional=optional, keys=tuple(keys))
    extra = extra_class(kind)
    if extra is not None:
        yield from _tables(extra, None, f"{path}.<name>".lstrip("."), optional=True)
    for where, field, section in inner:
        default = _default(field, where.split(".")[-1], values)
        given = default if isinstance(default, Section) else None
        yield from _tables(section, given, where, optional=given is None and not field.is_required())


def _key(name: str, field: FieldInfo, default: Any) -> Key:
    bounds = [
        f"{word} {getattr(m, part)}" for m in field.metadata for part, word in _BOUNDS.items() if hasattr(m, part)
    ]
    return Key(
        name=name,
        kind=" ".join([_type_words(field.annotation), ", ".join(bounds)]).strip(),
        default=REQUIRED if field.is_required() else ABSENT if default is None else to_toml(default),
        meaning=_one_line(field.description),
    )


def _default(field: FieldInfo, name: str, values: Section | None) -> Any:
    if values is not None and name in type(values).model_fields:
        return getattr(values, name)
    return None if field.is_required() else field.get_default(call_default_factory=True, validated_data={})


def to_toml(value: Any) -> str:
    """Returns a value as TOML on one line."""
    if isinstance(value, Mapping):
        return (
            "{ " + ", ".join(f"{_bare(key)} = {to_toml(item)}" for key, item in value.items()) + " }" if value else "{}"
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def _bare(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _type_words(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(filter(None, map(_type_words, arguments)))
    if origin is Literal:
        return " or ".join(json.dumps(value) for value in arguments)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return f"list of {len(arguments)} × {_type_words(arguments[0])}"
    if origin is tuple or origin is list:
        return f"list of {_type_words(arguments[0])}"
    if origin is dict:
        return "table" if arguments[1] is Any else f"table of {_type_words(arguments[1])}"
    return _NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _one_line(text: str | None) -> str:
    return " ".join(inspect.cleandoc(text).split()) if text else ""
