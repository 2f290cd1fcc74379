"""Tests the suggestions for misspelled names."""

import pytest

from vaserl.settings.nearest import nearest_name


@pytest.mark.parametrize(
    ("name", "expected"), [("group_sise", "group_size"), ("dataa", "data"), ("zzz", None), ("", None)]
)
def test_nearest_name_is_the_one_that_resembles(name: str, expected: str | None):
    assert nearest_name(name, ("group_size", "data", "seed")) == expected
