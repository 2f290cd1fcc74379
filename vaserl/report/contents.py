"""Reads the data that a report shows from the folder of a quick start, and lists the files that are missing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.dataset import Row
from vaserl.runs.evaluation_run import EvaluatedVase
from vaserl.runs.quickstart_folder import QuickstartFolder
from vaserl.runs.rows import TimelineSpan
from vaserl.runs.validation_row import ValidationRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContents:
    """All data that a report shows. If a file is missing, its list is empty and `absent` contains the reason."""

    folder: QuickstartFolder
    summary: dict[str, Any]
    """Content of summary.json: the numbers of all stages."""
    photographs: list[Row]
    """Rows of the data set's manifest: one for each photograph, including rejected photographs."""
    sft: list[dict[str, float]]
    """Metrics of each step of supervised fine-tuning."""
    grpo: list[dict[str, float]]
    """Metrics of each step of GRPO."""
    timeline: list[TimelineSpan]
    """Start and end of each phase of each GRPO step."""
    validations: list[ValidationRow]
    """Validations of the GRPO run on held-out vases, in the order of the steps; empty if validation was off."""
    validation_metric: str
    """Name of the metric that decides which validated weights are the best."""
    captions: list[EvaluatedVase]
    """Held-out vases with their captions by both models, SFT and RL."""
    absent: dict[str, str]
    """Reason why a list is empty, by field name: {"sft": "sft/metrics.jsonl is not in this run folder"}."""

    def clip(self, digest: str) -> Path | None:
        """Returns the path of the turntable video with this content hash, or None if there is no such file."""
        path = self.folder.dataset.clip_path(digest)
        return path if digest and path.is_file() else None

    def photograph(self, name: str) -> Path | None:
        """Returns the path of a photograph's file, or None if there is no such file.

        name: the photograph's path in the manifest: absolute, or relative to the data set or to the run folder.
        """
        candidates = (self.folder.dataset.path / name, self.folder.path / name, Path(name))
        return next((path for path in candidates if name and path.is_file()), None)


def read_contents(folder: QuickstartFolder) -> ReportContents:
    """Reads all data that a report shows from the folder of a quick start.

    Raises: UserError if summary.json is missing, a file can't be read, or a newer version of vaserl made the folder.
    """
    summary = folder.summary
    for run in (folder.sft, folder.grpo, folder.evaluation):
        run.check_format()
    sft, grpo = folder.sft.metrics, folder.grpo.metrics
    # step 0 is the validation before the first step, which is no part of a step's time
    timeline = [span for span in folder.grpo.timeline if span.step > 0]
    validations, captions = folder.grpo.validations, folder.evaluation.captions
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
        validations=validations,
        validation_metric=folder.grpo.settings.validation.metric if validations else "",
        captions=captions,
        absent=absent,
    )


def _reason(root: Path, file: Path) -> str:
    return f"{file.relative_to(root)} {'is empty' if file.is_file() else 'is not in this run folder'}"
