"""Trains the filter that rejects bad photographs: python -m launch train-quality CONFIG [--section.key value …]"""

import sys
from collections.abc import Sequence

from launch.main import start_job
from vaserl.curation.train_quality.report import MARKDOWN, QualityReport
from vaserl.curation.train_quality.settings import TrainQualitySettings
from vaserl.curation.train_quality.train import train_quality


def run(settings: TrainQualitySettings) -> QualityReport:
    """Trains the quality filter's classifier and prints its precision and recall on the test photographs."""
    report = train_quality(settings)
    for doubt in report.doubts:
        print(f"train-quality: warning: {doubt}", file=sys.stderr)
    print(
        f"test: precision {report.precision.mean:.3f}, recall {report.recall.mean:.3f}, F1 {report.f1.mean:.3f}; "
        f"report: {settings.out / 'report' / MARKDOWN}",
        file=sys.stderr,
    )
    return report


def main(argv: Sequence[str] | None = None) -> int:
    return start_job("train-quality", argv)


if __name__ == "__main__":
    sys.exit(main())
