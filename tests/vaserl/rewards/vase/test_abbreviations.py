"""Tests the abbreviations of museum catalogues."""

import pytest

from vaserl.rewards.vase.abbreviations import expand


@pytest.mark.parametrize("after", ["", ".", ", 480 bc", "; lekythos", " lekythos", ")", "\nlekythos"])
def test_expand_writes_out_figures_whatever_follows(after: str) -> None:
    rest = after.removeprefix(".")
    assert expand(f"attic red fig{after}") == f"attic red-figure{rest}"
    assert expand(f"blk-fig{after}") == f"black-figure{rest}"
    assert expand(f"a red figure{after}") == f"a red figure{after}"
