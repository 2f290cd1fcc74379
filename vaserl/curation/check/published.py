"""Checks a published data set before it is imported."""

from collections import Counter
from pathlib import Path

from vaserl.curation.check.checked import Checked
from vaserl.curation.check.prompts import evenly_spaced, example_of_record, prompt_text
from vaserl.curation.published import problem_of, published_record, read_layout
from vaserl.errors import Problem


def check_published(source: Path, model: Path | None = None) -> Checked:
    """Returns the counts, problems and examples of the data set that `vaserl import-published` would write from the
    folder. Decodes every picture in it.

    Raises: UserError when the folder has neither layout of a published data set.
    """
    problems: list[Problem] = []
    vases = read_layout(source, problems.append)
    usable = []
    for vase in vases:
        reason = problem_of(vase)
        if reason:
            problems.append(Problem(kind="vase unusable", where=vase.name, message=reason, effect="drops the row"))
        else:
            usable.append(vase)
    render = prompt_text(model)
    splits = Counter(vase.split or "unnamed" for vase in vases)
    return Checked(
        counts=[
            ("vases", f"{len(vases):,}, of which {len(usable):,} can be used"),
            ("models", f"{sum(vase.model is not None for vase in vases):,}"),
            ("captions", f"{sum(bool(vase.caption) for vase in vases):,}"),
            ("questions", f"{sum(len(vase.questions) for vase in vases):,}"),
            ("metadata", f"of {sum(bool(vase.record) for vase in vases):,} vases"),
            ("splits", ", ".join(f"{number:,} {name}" for name, number in sorted(splits.items()))),
        ],
        problems=problems,
        examples=[example_of_record(vase.name, published_record(vase), render) for vase in evenly_spaced(usable)],
    )
