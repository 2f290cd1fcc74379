"""Turns photographs and records into a data set: python -m launch curate CONFIG [--section.key value …]

The quality filter, which rejects bad photographs, is trained with `python -m launch train-quality CONFIG`:
see launch/train_quality.py.
"""

import sys
from collections.abc import Sequence

from actors.curate import curate
from launch.main import start_job
from vaserl.curation.outcome.summary import CurationSummary
from vaserl.curation.settings import CurateSettings
from vaserl.errors import UserError


def run(settings: CurateSettings) -> CurationSummary:
    """Turns photographs and records into a data set. Prints the number of photographs before and after each stage."""
    if settings.tiny_filters is not None:
        from vaserl.synthetic.models.tiny_filters import train_tiny_filters

        if settings.quality.path is None or settings.open_clip.path is None:
            raise UserError("tiny_filters needs quality.path and open_clip.path, the folders to write the models to")
        train_tiny_filters(settings.tiny_filters, settings.quality.path, settings.open_clip.path)
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
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["train-quality"]:
        return start_job("train-quality", given[1:])
    return start_job("curate", given)


if __name__ == "__main__":
    sys.exit(main())
