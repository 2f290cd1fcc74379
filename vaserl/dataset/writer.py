"""The version of vaserl that wrote a data set, as it is stated in the summary of the curation run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import vaserl

DATASET_FORMAT = 1
"""Number of the data set format. It is increased when a file or a column changes its meaning or its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Version of vaserl and of the data set format that a data set was written with."""

    vaserl: str
    """Version of vaserl."""
    format: int
    """Number of the data set format; see `DATASET_FORMAT`."""

    @classmethod
    def of_summary(cls, summary: Mapping[str, Any]) -> "Writer":
        """Returns the versions that are stated in a run's summary; vaserl 0.1.0 and format 0 if there are none."""
        return cls(vaserl=summary.get("vaserl", "0.1.0"), format=summary.get("format", 0))

    def __str__(self) -> str:
        return f"vaserl {self.vaserl} (data set format {self.format})"


CURRENT_WRITER = Writer(vaserl=vaserl.__version__, format=DATASET_FORMAT)
