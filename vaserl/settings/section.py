"""Strict TOML configs: an unknown key or a wrong value stops the job with an error that contains file, line and key."""

import json
import os
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pydantic

from vaserl.errors import UserError
from vaserl.settings.config_file import ConfigFile, merge_values
from vaserl.settings.nearest import nearest_name
from vaserl.settings.submitted import READ, JobPlace, PathRole, has_password, job_place, without_password


class Section(pydantic.BaseModel):
    """Base class of all config sections: immutable, strictly typed, without unknown keys.

    The docstring under a field is printed as its meaning in `--help` and in docs/configuration.md.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    RENAMED: ClassVar[Mapping[str, str]] = {}
    """Renamed keys: each key of an earlier version, with the key or table that replaces it."""

    @pydantic.field_validator("*", mode="before")
    @classmethod
    def _fit_place(cls, value: Any, info: pydantic.ValidationInfo) -> Any:
        """Refuses a URL where only a path will do, which would become the folder a in a folder s3: for "s3://a", and a
        URL with a password, because settings are stored beside results."""
        field = cls.model_fields.get(info.field_name or "")
        if field is None or not isinstance(value, str) or "://" not in value:
            return value
        if field.annotation in (Path, Path | None):
            raise ValueError(
                f"{without_password(value)!r} is a URL, but this must be on a file system that all nodes mount "
                "(POSIX). Give a path"
            )
        if any(isinstance(role, PathRole) for role in field.metadata) and has_password(value):
            raise ValueError(
                f"the URL {without_password(value)!r} has a password, and settings are stored in clear beside the "
                "results. Put credentials into the environment of each process"
            )
        return value


_SectionT = TypeVar("_SectionT", bound=Section)


def load_config(
    kind: type[_SectionT],
    path: Path | str,
    overrides: Sequence[str] = (),
    *,
    overlays: Sequence[Path | str] = (),
    place: JobPlace | None = None,
    prepare: Callable[[dict[str, Any]], None] = lambda values: None,
) -> _SectionT:
    """Returns the settings in a TOML file as an instance of `kind`, after applying overlays and overrides like
    `--section.key value`.

    overlays: further TOML files, whose values replace those of the files before them.

    An override's value is parsed as TOML (`3`, `true`, `[1, 2]`); if it is not valid TOML, it is used as plain text.
    Paths are resolved against the working directory; in a submitted job, those that `JobPlace.resolve` names lead to
    the storage root. place: surroundings of the submitted job; default: those of this process, if it is such a job.
    prepare: called with the values of all files and overrides, which it may change.

    Raises: UserError with file, line and key of every unknown key, missing key and wrong value.
    """
    files = [ConfigFile.read(each) for each in (path, *overlays)]
    values: dict[str, Any] = {}
    for file in files:
        values = merge_values(values, file.values)
    flags: dict[tuple[str, ...], str] = {}
    for key, value in parse_overrides(overrides):
        _set(values, key, value)
        flags[tuple(key)] = f"--{'.'.join(key)}"
    prepare(values)
    place = place or job_place(os.environ)
    if place is not None:
        _place_paths(kind, values, place, lambda location: _where(location, files, flags))
    try:
        return _absolute(kind.model_validate(values))
    except pydantic.ValidationError as error:
        raise UserError("\n".join(_explain(kind, problem, files, flags) for problem in error.errors())) from None


def load_section(kind: type[Section], name: str, path: Path | str, values: Mapping[str, Any]) -> Section:
    """Returns the settings in one section of a TOML file; the file's other sections are not looked at.

    kind: class of the whole config, whose field `name` is the section. values: settings that replace those of the file.
    The section may be absent from the file.
    Raises: UserError with file, line and key of every unknown key, missing key and wrong value of the section.
    """
    file = ConfigFile.read(path)
    section = section_class(kind.model_fields[name].annotation)
    assert section is not None, f"{name} is no section"
    stated = file.values.get(name, {})
    if not isinstance(stated, dict):
        raise UserError(f"{file.where((name,))}: {name} must be a section")
    try:
        return _absolute(section.model_validate({**stated, **values}))
    except pydantic.ValidationError as error:
        problems = [{**problem, "loc": (name, *problem["loc"])} for problem in error.errors()]
        raise UserError("\n".join(_explain(kind, problem, [file], {}) for problem in problems)) from None


def parse_overrides(arguments: Sequence[str]) -> list[tuple[list[str], Any]]:
    """Returns the (dotted key, value) pairs of overrides: ["--a.b", "3", "--c=x"] -> [(["a", "b"], 3), (["c"], "x")].

    Raises: UserError for an override without a value.
    """
    pairs = []
    remaining = list(arguments)
    while remaining:
        key = remaining.pop(0)
        if not re.fullmatch(r"--[A-Za-z_][\w.-]*(=.*)?", key, re.DOTALL):
            raise UserError(f"expected an override like --section.key value, got {key!r}")
        name, equals, value = key[2:].partition("=")
        if not equals:
            if not remaining:
                raise UserError(f"override --{name} has no value")
            value = remaining.pop(0)
        pairs.append((name.replace("-", "_").split("."), _read_value(value)))
    return pairs


def dump_config(config: Section) -> str:
    """Returns the config with all defaults filled in, as TOML text that `load_config` can load once written to a
    file."""
    import tomli_w

    return tomli_w.dumps(json.loads(config.model_dump_json(exclude_none=True)))


def section_class(annotation: Any) -> type[Section] | None:
    """Returns the section class of a field's annotation (`LoraSettings`, `WriterSettings | None`), None for any other
    annotation."""
    candidates = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, Section)), None)


def mapped_class(annotation: Any) -> type[Section] | None:
    """Returns the section class S of an annotation `dict[str, S]`, None for another annotation."""
    arguments = typing.get_args(annotation)
    return section_class(arguments[1]) if typing.get_origin(annotation) is dict else None


def _read_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(values: dict[str, Any], key: list[str], value: Any) -> None:
    for part in key[:-1]:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise UserError(f"override --{'.'.join(key)}: {part} is a value, not a section")
    values[key[-1]] = value


def extra_class(kind: type[Section]) -> type[Section] | None:
    """Returns the class of a section's tables whose names the user chooses, such as [pool.NAME]; None if the section
    allows no such tables."""
    if kind.model_config.get("extra") != "allow":
        return None
    annotation = typing.get_type_hints(kind)["__pydantic_extra__"]
    return next((c for c in typing.get_args(annotation) if isinstance(c, type) and issubclass(c, Section)), None)


def path_roles(kind: type[Section]) -> Iterator[tuple[tuple[str, ...], PathRole]]:
    """Yields the dotted key, in parts, and the role of each setting of a config that is a path or a table of paths."""
    for name, field in kind.model_fields.items():
        section = section_class(field.annotation)
        stated = [role for role in field.metadata if isinstance(role, PathRole)]
        if section is not None:
            yield from (((name, *inner), role) for inner, role in path_roles(section))
        elif stated or field.annotation in (Path, Path | None, dict[str, Path]):
            yield (name,), stated[0] if stated else READ


def _mapped_tables(
    kind: type[Section], values: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], type[Section], dict[str, Any]]]:
    """Yields the key, the class and the values of each table whose name the user chose, such as [systems.NAME]."""
    for name, field in kind.model_fields.items():
        mapped, tables = mapped_class(field.annotation), values.get(name)
        if mapped is not None and isinstance(tables, dict):
            yield from (((name, key), mapped, table) for key, table in tables.items() if isinstance(table, dict))


def _place_paths(
    kind: type[Section], values: dict[str, Any], place: JobPlace, where: Callable[[tuple[str, ...]], str]
) -> None:
    """Replaces each path in a config's values by the path that it stands for in a submitted job.

    Raises: UserError with the place and key of each path that stands for none.
    """
    problems = []
    for above, mapped, inner_values in _mapped_tables(kind, values):
        try:
            _place_paths(mapped, inner_values, place, lambda location, above=above: where((*above, *location)))
        except UserError as error:
            problems.append(str(error))
    for location, role in path_roles(kind):
        table: Any = values
        for part in location[:-1]:
            table = table.get(part) if isinstance(table, dict) else None
        stated = table.get(location[-1]) if isinstance(table, dict) else None
        inner = stated if isinstance(stated, dict) else {location[-1]: stated}
        for name, path in inner.items():
            key = (*location, name) if inner is stated else location
            try:
                resolved = place.resolve(path, role) if isinstance(path, str) else path
            except ValueError as error:
                problems.append(f"{where(key)}: {'.'.join(key)}: {error}")
                continue
            if inner is stated:
                inner[name] = resolved
            elif stated is not None and isinstance(table, dict):
                table[name] = resolved
    if problems:
        raise UserError("\n".join(problems))


def _absolute(config: _SectionT) -> _SectionT:
    """Returns the config with every Path made absolute, because workers start in other working directories."""
    changes: dict[str, Any] = {}
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, Path):
            changes[name] = value.expanduser().absolute()
        elif isinstance(value, Section):
            changes[name] = _absolute(value)
        elif isinstance(value, dict) and mapped_class(type(config).model_fields[name].annotation):
            changes[name] = {key: _absolute(section) for key, section in value.items()}
    return config.model_copy(update=changes)


def _explain(
    kind: type[Section], problem: Any, files: Sequence[ConfigFile], flags: Mapping[tuple[str, ...], str]
) -> str:
    """Returns the message for one of pydantic's errors.

    files: the config and its overlays; the last one that sets a key caused the error. flags: the overrides on the
    command line, by the dotted key that each one sets.
    """
    location = tuple(str(part) for part in problem["loc"])
    where = _where(location, files, flags)
    key = ".".join(location)
    if problem["type"] == "extra_forbidden":
        section = _section_at(kind, location[:-1])
        if section is not None and location[-1] in section.RENAMED:
            return f"{where}: key {key!r} is of an earlier version; use {section.RENAMED[location[-1]]} instead"
        known = _known_keys(kind, location[:-1])
        meant = nearest_name(location[-1], known)
        hint = f"did you mean {meant!r}?" if meant else f"known keys here: {', '.join(known)}"
        return f"{where}: unknown key {key!r}; {hint}"
    if problem["type"] == "missing":
        return f"{where}: key {key!r} is missing"
    if problem["type"] == "value_error":  # raised by a validator of ours: its message is complete
        return f"{where}: {key}: {problem['ctx']['error']}"
    return f"{where}: {key}: {problem['msg']} (got {problem['input']!r})"


def _where(location: tuple[str, ...], files: Sequence[ConfigFile], flags: Mapping[tuple[str, ...], str]) -> str:
    """Returns the place that set a key: the override on the command line, or the last file that sets it, with line."""
    # an error of a whole section is caused by one of its overridden keys, if any was overridden
    causes = [flag for key, flag in flags.items() if location and key[: len(location)] == location]
    cause = next((file for file in reversed(files) if file.sets(location)), files[0])
    return ", ".join(causes) or cause.where(location)


def _known_keys(kind: type[Section], location: Sequence[str]) -> list[str]:
    section = _section_at(kind, location)
    return sorted(section.model_fields) if section is not None else []


def _section_at(kind: type[Section], location: Sequence[str]) -> type[Section] | None:
    """Returns the class of the table at a dotted key; None if there is no table at that key."""
    named: type[Section] | None = None  # class of the tables of which the next part is the user's name
    for part in location:
        if named is not None:
            kind, named = named, None
            continue
        field = kind.model_fields.get(part)
        named = mapped_class(field.annotation) if field else None
        section = section_class(field.annotation) if field else extra_class(kind)
        if named is None and section is None:
            return None
        kind = section or kind
    return kind if named is None else None
