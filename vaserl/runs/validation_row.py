"""The row of one validation in validation.jsonl, and the choice of the best row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.errors import UserError
from vaserl.files import read_json_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRow:
    """The metrics of one validation: greedy captions of held-out vases with the weights that a step produced."""

    step: int
    """Training step that produced the weights; 0 for the weights before the first step."""
    weights_version: int
    """Version number of the weights, as the engines reported it."""
    split: str
    """Name of the split of the data set whose vases were captioned."""
    num_vases: int
    """Number of captioned vases."""
    num_split_vases: int
    """Number of vases in the split."""
    sample_seed: int | None
    """Seed by which the captioned vases were drawn from the split; None if all were captioned."""
    interval: str
    """Kind of the intervals in `metrics`, in words."""
    metrics: Mapping[str, Any]
    """Metrics under the names of evaluation.json: {"reward": {"mean": …, "low": …, "high": …}, …, "dimensions": …}."""

    def means(self) -> dict[str, float]:
        """Returns the mean of each metric by name: {"reward": 0.81, "accuracy/shape": 0.9, …}.

        A metric that is undefined, because no vase states the dimension, is left out.
        """
        found = {name: _mean(value) for name, value in self.metrics.items() if name != "dimensions"}
        for dimension, results in self.metrics.get("dimensions", {}).items():
            found |= {f"{name}/{dimension}": _mean(value) for name, value in results.items()}
        return {name: mean for name, mean in found.items() if mean is not None}

    def measured(self, metric: str) -> Mapping[str, float]:
        """Returns the mean, low and high of a metric that `means` has."""
        name, _, dimension = metric.partition("/")
        return self.metrics["dimensions"][dimension][name] if dimension else self.metrics[metric]


def read_validation_rows(path: Path) -> list[ValidationRow]:
    """Reads the rows of validation.jsonl; none if the file is absent.

    Raises: UserError with the number of the row if a row can't be read.
    """
    rows = []
    for number, values in enumerate(read_json_lines(path), start=1):
        try:
            rows.append(ValidationRow(**values))
        except TypeError as error:
            raise UserError(f"{path}, row {number} was written by another version of vaserl: {error}") from error
    return rows


def best_validation(rows: Sequence[ValidationRow], metric: str) -> ValidationRow | None:
    """Returns the row with the highest mean of a metric, the earliest of equal ones; None if no row has the metric."""
    known = [row for row in rows if metric in row.means()]
    return max(known, key=lambda row: (row.means()[metric], -row.step), default=None)


def _mean(value: Any) -> float | None:
    return value.get("mean") if isinstance(value, Mapping) else value
