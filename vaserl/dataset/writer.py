"""Which version of the software wrote a data set, as its summary states it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import vaserl

DATASET_FORMAT = 1
"""Number of the data set's layout. It grows when a file or a column changes its meaning or its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """The software that wrote a data set."""

    vaserl: str
    """Version of vaserl."""
    format: int
    """Number of the folder's layout; see `DATASET_FORMAT`."""

    @classmethod
    def of_summary(cls, summary: Mapping[str, Any]) -> "Writer":
        """Returns the writer that a summary states; one that states none is of format 0, which vaserl 0.1.0 wrote."""
        return cls(vaserl=summary.get("vaserl", "0.1.0"), format=summary.get("format", 0))

    def __str__(self) -> str:
        return f"vaserl {self.vaserl} (data set format {self.format})"


CURRENT_WRITER = Writer(vaserl=vaserl.__version__, format=DATASET_FORMAT)
