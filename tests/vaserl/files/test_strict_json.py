"""Tests that no file gets NaN or infinity, which standard JSON lacks."""

import json
import math

import numpy as np

from vaserl.files.strict_json import strict_json


def refuse(constant: str):
    raise AssertionError(f"{constant} is not JSON")


def test_strict_json_writes_null_for_numbers_that_json_lacks():
    text = strict_json({"a": [1.5, math.nan], "b": {"c": -math.inf}, "d": (np.float64("nan"), "Gefäß", None, 1, True)})
    assert json.loads(text, parse_constant=refuse) == {
        "a": [1.5, None],
        "b": {"c": None},
        "d": [None, "Gefäß", None, 1, True],
    }
    assert "Gefäß" in text
