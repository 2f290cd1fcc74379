"""Checks a published data set before it is imported."""

from collections import Counter
from pathlib import Path

from vaserl.curation.check.checked import Checked
from vaserl.curation.check.prompts import evenly_spaced, example_of_record, prompt_text
from vaserl.curation.published import problem_of, published_record, read_layout
from vaserl.errors import Problem


def check_published(source: Path, model: Path | None = None) -> Checked:
    """Checks a published data set. Returns the numbers of its vases, 3D models, captions and questions, its problems,
    and examples of the prompts and answers that the imported data set would contain. Decodes every view of every vase.

    source: folder of the published data set.
    model: folder of the vision-language model whose chat template is applied to the prompts of the examples. If None,
    the examples contain the plain prompts.
    Raises: UserError when `source` has neither of the two layouts of a published data set.
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
