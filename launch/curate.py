"""Curation: python -m launch.curate CONFIG [--section.key value …]

Its quality filter is trained by python -m launch.curate train-quality CONFIG.
"""

import sys
from collections.abc import Sequence

from actors.curate import curate
from launch.main import command
from vaserl.curation.outcome.summary import CurationSummary
from vaserl.curation.settings import CurateSettings
from vaserl.errors import UserError


def run(settings: CurateSettings) -> CurationSummary:
    """Turns photographs and records into a data set and says what became of them."""
    if settings.tiny_filters is not None:
        from vaserl.synthetic.models.tiny_filters import train_tiny_filters

        if settings.quality.path is None or settings.clip.path is None:
            raise UserError("tiny_filters needs quality.path and clip.path, the folders to write the models to")
        train_tiny_filters(settings.tiny_filters, settings.quality.path, settings.clip.path)
    summary = curate(settings)
    for entry in summary.retention:
        print(f"{entry['stage']:>10} {entry['in']:>7,} -> {entry['out']:>7,}", file=sys.stderr)
    for report in summary.filters:
        print(
            f"{report.stage}: precision {report.precision:.3f}, recall {report.recall:.3f}, F1 {report.f1:.3f}",
            file=sys.stderr,
        )
    if summary.best_view is not None and summary.best_view.num_vases:
        best = summary.best_view
        print(f"best_view: right for {best.num_right} of {best.num_vases} vases, {best.share:.3f}", file=sys.stderr)
    vases = ", ".join(f"{count} {split}" for split, count in summary.num_vases.items()) or "none"
    print(f"{settings.dataset}: vases: {vases}", file=sys.stderr)
    return summary


def main(argv: Sequence[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["train-quality"]:
        from launch.train_quality import main as train_quality

        return train_quality(argv[1:])
    return command(CurateSettings, run, "Photographs and records to a data set of turntables and captions.", argv)


if __name__ == "__main__":
    sys.exit(main())
