"""Generates docs/configuration.md from the settings classes: python -m launch.configuration"""

import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import tomli_w

from launch.jobs import JOBS
from launch.main import settings_class
from vaserl.curation.settings.lift import GENERATOR_OPTIONS
from vaserl.settings.keys import ABSENT, REQUIRED, Key, KeyTable, key_tables

CONFIGURATION_PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
_MAX_DEFAULT = 60
"""Maximum length, in characters, of a default value in a table's cell. A longer value is printed below the table."""

_OPENING = """# Configuration

This page is generated from the settings classes by `python -m launch.configuration`; edit the docstrings there.

A job reads one TOML file: `python -m launch JOB CONFIG`. Any key can be overridden on the command line with
`--section.key VALUE`, where VALUE is TOML or plain text. An unknown key or a value of the wrong type stops the job with
file, line and key. Relative paths start in the working directory. `--dry-run` prints the config with all overrides and
defaults, and a job writes the same text as config.toml into the folder of its results.

A default of *required* means that the config must have the key, *absent* that the key has no value unless the config
has it.
"""


def configuration_page() -> str:
    """Returns the Markdown text of docs/configuration.md."""
    parts = [_OPENING, _jobs()]
    places: defaultdict[tuple[str, type], list[tuple[str, KeyTable]]] = defaultdict(list)
    for job in _configured():
        root, *tables = key_tables(settings_class(job))
        parts.append(f"## {job}\n\n{_sentence(root.meaning)}\n\n{_table([(job, root)])}")
        for table in tables:
            places[table.path, table.section].append((job, table))
    parts.append("## Tables\n\nTables that several jobs have mean the same in each of them.\n")
    parts += [_section(tables) for _, tables in sorted(places.items(), key=lambda item: item[0][0].split("."))]
    parts.append(
        "## Options of the generators\n\n`[lift.generator_args]` of curate holds the options of `lift.generator`.\n"
    )
    parts += [
        f'### generator = "{name}"\n\n{table.meaning}\n\n{_table([("curate", table)])}' for name, table in _generators()
    ]
    return "\n".join(parts)


def undocumented() -> list[str]:
    """Returns the configuration keys and tables without a docstring: "job: section.key" or "job: [section]"."""
    found = []
    for job in _configured():
        for table in key_tables(settings_class(job)):
            found += [f"{job}: [{table.path}]"] * (not table.meaning)
            found += [f"{job}: {table.path}.{key.name}" for key in table.keys if not key.meaning]
    for name, table in _generators():
        found += [f"generator {name}"] * (not table.meaning)
        found += [f"generator {name}: {key.name}" for key in table.keys if not key.meaning]
    return found


def _generators() -> list[tuple[str, KeyTable]]:
    return [(name, key_tables(options)[0]) for name, options in GENERATOR_OPTIONS.items()]


def _configured() -> list[str]:
    return [name for name, job in JOBS.items() if job.settings is not None]


def _jobs() -> str:
    lines = ["| job | does | example | tables |", "|---|---|---|---|"]
    for name in _configured():
        paths = [table.path for table in key_tables(settings_class(name)) if table.path and "." not in table.path]
        links = ", ".join(f"[{path}](#{path})" for path in paths)
        lines.append(f"| [{name}](#{name}) | {JOBS[name].line} | `{JOBS[name].example}` | {links} |")
    return "\n".join(lines) + "\n"


def _section(tables: list[tuple[str, KeyTable]]) -> str:
    first = tables[0][1]
    jobs = ", ".join(f"[{job}](#{job})" for job, _ in tables)
    absent = " The table is optional: if the config lacks it, its defaults have no effect." if first.optional else ""
    return f"### `[{first.path}]`\n\n{_sentence(first.meaning)}{absent} Jobs: {jobs}.\n\n{_table(tables)}"


def _table(tables: list[tuple[str, KeyTable]]) -> str:
    """Returns a Markdown table of the keys of one configuration section. `tables` contains one entry for each job that
    has the section. If the jobs have different defaults for a key, its cell lists each default with its jobs."""
    first = tables[0][1]
    if not first.keys:
        return ""
    lines, long = ["| key | type | default | meaning |", "|---|---|---|---|"], []
    for index, key in enumerate(first.keys):
        jobs_of: defaultdict[str, list[str]] = defaultdict(list)
        for job, table in tables:
            jobs_of[_cell(table.keys[index])].append(job)
        defaults = [text if len(jobs_of) == 1 else f"{text} ({', '.join(jobs)})" for text, jobs in jobs_of.items()]
        lines.append(f"| `{key.name}` | {_escaped(key.kind)} | {'; '.join(defaults)} | {_escaped(key.meaning)} |")
        if len(key.default) > _MAX_DEFAULT:
            long.append(_in_full(first.path, key))
    return "\n".join(lines) + "\n" + ("\nLong defaults:\n\n" + "\n".join(long) if long else "")


def _cell(key: Key) -> str:
    if key.default in (REQUIRED, ABSENT):
        return f"*{key.default}*"
    return "below" if len(key.default) > _MAX_DEFAULT else f"`{_escaped(key.default)}`"


def _in_full(path: str, key: Key) -> str:
    """Returns a Markdown code block of TOML that sets the key to its default, which is too long for a table's cell."""
    value: Any = {key.name: tomllib.loads(f"default = {key.default}")["default"]}
    for part in reversed(path.split(".") if path else []):
        value = {part: value}
    return f"```toml\n{tomli_w.dumps(value)}```\n"


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", ":")) else f"{text}."


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;") if "`" not in text else text.replace("|", "\\|")


def main() -> int:
    """Writes docs/configuration.md. Returns: exit code 0. If keys have no docstring, prints them, writes nothing and
    returns 1."""
    if missing := undocumented():
        print(f"give each key a docstring that states its meaning: {', '.join(missing)}", file=sys.stderr)
        return 1
    CONFIGURATION_PAGE.write_text(configuration_page(), encoding="utf-8")
    print(CONFIGURATION_PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
