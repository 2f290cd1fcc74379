"""Tests docs/configuration.md: every key has a docstring, and the committed page equals the generated one."""

import pytest

from launch import configuration
from launch.jobs import JOBS
from launch.main import settings_class
from vaserl.settings.keys import key_tables


def test_undocumented_finds_no_key_of_any_job():
    assert not configuration.undocumented(), "give each key a docstring that states its meaning"


def test_page_is_current():
    assert configuration.CONFIGURATION_PAGE.read_text(encoding="utf-8") == configuration.configuration_page(), (
        "docs/configuration.md is out of date: run `python -m launch.configuration`"
    )


@pytest.mark.parametrize("name", [name for name, job in JOBS.items() if job.settings is not None])
def test_page_has_a_row_for_every_key(name: str):
    text = configuration.configuration_page()
    for table in key_tables(settings_class(name)):
        heading = f"\n### `[{table.path}]`\n" if table.path else f"\n## {name}\n"
        section = text.partition(heading)[2].partition("\n## ")[0].partition("\n### ")[0]
        assert section
        assert all(f"\n| `{key.name}` | " in section for key in table.keys)


def test_page_gives_a_default_that_differs_for_each_job():
    lines = configuration.configuration_page().split("\n")
    rows = [line.split(" | ") for line in lines if line.startswith("| `learning_rate` | ")]
    assert "`0.0001` (sft); `1e-05` (train)" in [row[2] for row in rows]
