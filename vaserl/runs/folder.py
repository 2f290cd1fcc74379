"""A finished run as it lies on disk. What is absent is noted in words, so the page can say so instead of hiding it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.dataset.dataset import MANIFEST, read_rows
from vaserl.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """Everything the report reads. A list is empty where its file is absent; `absent` then says which."""

    path: Path
    """The run's folder."""
    summary: dict[str, Any]
    """summary.json."""
    photographs: list[dict[str, Any]]
    """Rows of the data set's manifest, one for each photograph, rejected ones included."""
    sft: list[dict[str, Any]]
    """One mapping of metrics for each step of supervised fine-tuning."""
    grpo: list[dict[str, Any]]
    """One for each step of GRPO."""
    timeline: list[dict[str, Any]]
    """Spans of GRPO: step, phase, worker, start_s, end_s."""
    captions: list[dict[str, Any]]
    """One line for each held-out vase: record, reference, captions, scores, values, clip."""
    absent: dict[str, str]
    """Part to a sentence that says which file is missing: "sft" -> "sft/metrics.jsonl is not in this run folder"."""

    def clip(self, digest: str) -> Path | None:
        """The file of a turntable, if it is there."""
        path = self.path / "dataset" / "clips" / f"{digest}.mp4"
        return path if digest and path.is_file() else None

    def photograph(self, name: str) -> Path | None:
        """The file of a photograph, whose path the manifest keeps absolute or relative to the data set or the run."""
        candidates = (self.path / "dataset" / name, self.path / name, Path(name))
        return next((path for path in candidates if name and path.is_file()), None)


LINES = {
    "sft": "sft/metrics.jsonl",
    "grpo": "grpo/metrics.jsonl",
    "timeline": "grpo/timeline.jsonl",
    "captions": "evaluation/captions.jsonl",
}


def read_run(run_dir: Path) -> RunFolder:
    """Read a run folder. UserError if it has no summary.json, or if one of its files can't be read."""
    run_dir = Path(run_dir)
    path = run_dir / "summary.json"
    if not path.is_file():
        raise UserError(f"{run_dir} has no summary.json: a report needs the folder of a finished run")
    try:
        summary = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    absent = {}
    found: dict[str, list[dict[str, Any]]] = {}
    for part, name in LINES.items():
        found[part] = read_lines(run_dir / name)
        if not found[part]:
            state = "is empty" if (run_dir / name).is_file() else "is not in this run folder"
            absent[part] = f"{name} {state}"
    photographs = []
    if (run_dir / "dataset" / MANIFEST).is_file():
        photographs = read_rows(run_dir / "dataset")
    if not photographs:
        absent["photographs"] = f"dataset/{MANIFEST} is not in this run folder, or has no rows"
    return RunFolder(path=run_dir, summary=summary, photographs=photographs, absent=absent, **found)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file, none if there is no file. UserError names a line that isn't an object."""
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise UserError(f"{path}, line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise UserError(f"{path}, line {number}: expected an object, got {type(row).__name__}")
        rows.append(row)
    return rows
