"""Reads what a report shows from the folder of a quick start, and lists the absent parts, which the page names."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.dataset import Row
from vaserl.runs.evaluation_run import EvaluatedVase
from vaserl.runs.quickstart_folder import QuickstartFolder
from vaserl.runs.rows import TimelineSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContents:
    """Everything that a report shows. A list is empty where its file is absent; `absent` then names it."""

    folder: QuickstartFolder
    summary: dict[str, Any]
    """Content of summary.json: the numbers of all stages."""
    photographs: list[Row]
    """Rows of the data set's manifest, one for each photograph, rejected ones included."""
    sft: list[dict[str, float]]
    """Metrics of each step of supervised fine-tuning."""
    grpo: list[dict[str, float]]
    """Metrics of each step of GRPO."""
    timeline: list[TimelineSpan]
    """Time spans of the phases of each GRPO step."""
    captions: list[EvaluatedVase]
    """Held-out vases with the captions of both systems."""
    absent: dict[str, str]
    """Reason why a list is empty, by the list's name: "sft" -> "sft/metrics.jsonl is not in this run folder"."""

    def clip(self, digest: str) -> Path | None:
        """Returns the file of the turntable video with this content hash, None where it is absent."""
        path = self.folder.dataset.clip_path(digest)
        return path if digest and path.is_file() else None

    def photograph(self, name: str) -> Path | None:
        """Returns the file of a photograph, None where it is absent.

        name: its path in the manifest; absolute, or relative to the data set or to the folder."""
        candidates = (self.folder.dataset.path / name, self.folder.path / name, Path(name))
        return next((path for path in candidates if name and path.is_file()), None)


def read_contents(folder: QuickstartFolder) -> ReportContents:
    """Reads everything that a report shows.

    Raises: UserError when the folder has no summary or an unreadable file, or when a newer vaserl wrote it.
    """
    summary = folder.summary
    for run in (folder.sft, folder.grpo, folder.evaluation):
        run.check_format()
    sft, grpo, timeline = folder.sft.metrics, folder.grpo.metrics, folder.grpo.timeline
    captions = folder.evaluation.captions
    files = {
        "sft": (folder.sft.metrics_file, sft),
        "grpo": (folder.grpo.metrics_file, grpo),
        "timeline": (folder.grpo.timeline_file, timeline),
        "captions": (folder.evaluation.captions_file, captions),
    }
    absent = {part: _reason(folder.path, file) for part, (file, rows) in files.items() if not rows}
    dataset = folder.dataset
    photographs = list(dataset.rows) if dataset.exists else []
    if not photographs:
        manifest = dataset.rows.path.relative_to(folder.path)
        absent["photographs"] = f"{manifest} is not in this run folder, or has no rows"
    return ReportContents(
        folder=folder,
        summary=summary,
        photographs=photographs,
        sft=sft,
        grpo=grpo,
        timeline=timeline,
        captions=captions,
        absent=absent,
    )


def _reason(root: Path, file: Path) -> str:
    return f"{file.relative_to(root)} {'is empty' if file.is_file() else 'is not in this run folder'}"
