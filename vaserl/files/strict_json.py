"""Standard JSON, which has neither NaN nor infinity; Python's `json.dumps` writes both, and other readers fail on
them."""

import json
from collections.abc import Mapping
from typing import Any


def strict_json(value: Any, *, indent: int | None = None) -> str:
    """Returns `value` as standard JSON, with null in place of NaN and infinity. Characters beyond ASCII stay as they
    are."""
    return json.dumps(_null_for_nonfinite(value), indent=indent, ensure_ascii=False, allow_nan=False)


def _null_for_nonfinite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _null_for_nonfinite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_null_for_nonfinite(item) for item in value]
    return None if isinstance(value, float) and value - value != 0 else value
