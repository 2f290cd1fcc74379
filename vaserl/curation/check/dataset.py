"""Checks a curated data set before a model is trained on it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from vaserl.curation.check.checked import Checked
from vaserl.curation.check.prompts import evenly_spaced, example_of_vase, prompt_text
from vaserl.curation.pipeline import PIPELINE
from vaserl.dataset import MANIFEST, SPLITS, DataSet, Row, Vase, clip_name
from vaserl.errors import Effect, Problem, UserError
from vaserl.files import sha256_of
from vaserl.files.clip import read_mp4
from vaserl.rewards.vase import parse_record
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION


def check_dataset(dataset: DataSet, model: Path | None = None) -> Checked:
    """Checks a data set. Returns the numbers of its photographs, vases and questions, its problems, and examples of the
    prompts and answers for training. Reads and hashes every turntable video.

    model: folder of the vision-language model whose chat template is applied to the prompts of the examples. If None,
    the examples contain the plain prompts.
    Raises: UserError when the data set has no manifest, or the folder `model` contains no model.
    """
    rows = list(dataset.rows)
    kept = [row for row in rows if row.kept]
    render = prompt_text(model)
    problems = [*_structure(rows), *(problem for row in kept for problem in _vase(dataset, row))]
    broken = {problem.where for problem in problems if problem.effect == "stops the run"}
    vases = sorted((Vase.of_row(row) for row in kept if _where(row) not in broken), key=lambda vase: vase.id)
    return Checked(
        counts=_counts(rows, kept),
        problems=problems,
        examples=[example_of_vase(vase, render) for vase in evenly_spaced(_trained(vases))],
    )


def _trained(vases: Sequence[Vase]) -> list[Vase]:
    return [vase for vase in vases if vase.split == "train"] or list(vases)


def _counts(rows: Sequence[Row], kept: Sequence[Row]) -> list[tuple[str, str]]:
    splits = Counter(row.split for row in kept)
    rejected = Counter(row.rejected_by for row in rows if row.rejected_by)
    order = {stage: index for index, stage in enumerate(PIPELINE.names)}
    stages = sorted(rejected.items(), key=lambda item: order.get(item[0], len(order)))
    questions = sum(len(row.questions) for row in kept)
    num_rights, num_credits = sum(bool(row.rights) for row in kept), sum(bool(row.credit) for row in kept)
    return [
        ("photographs", f"{len(rows):,}"),
        ("rejected", ", ".join(f"{number:,} by {stage}" for stage, number in stages) or "none"),
        ("vases", f"{len(kept):,}: " + ", ".join(f"{splits[name]:,} {name}" for name in SPLITS if splits[name])),
        ("questions", f"{questions:,}"),
        ("rights", f"stated for {num_rights:,} vases, a credit line for {num_credits:,}"),
    ]


def _structure(rows: Sequence[Row]) -> Iterator[Problem]:
    """Yields problems that concern several rows of the manifest, such as a photograph that is listed twice, and
    rejected rows without a reason."""
    photos = Counter(row.photo for row in rows)
    vases: defaultdict[str, list[str]] = defaultdict(list)
    pictures: dict[str, Row] = {}
    for row in rows:
        if photos[row.photo] > 1:
            yield _problem("photograph listed twice", row, "remove one of the rows", "stops the run")
        if row.rejected_by and not row.reason:
            yield _problem("rejected without a reason", row, f"by {row.rejected_by}; curate again", "keeps the row")
        if row.kept:
            other = pictures.setdefault(row.photo_sha256 or row.photo, row)
            if other.vase_id != row.vase_id:
                message = f"vases {row.vase_id} (in {row.split}) and {other.vase_id} (in {other.split})"
                message += " have the same photograph; remove one of the vases"
                yield _problem("one picture for two vases", row, message, "keeps the row")
            vases[row.vase_id].append(row.split)
            if len(vases[row.vase_id]) > 1:
                splits = " and ".join(sorted(set(vases[row.vase_id])))
                message = f"vase {row.vase_id} has several kept photographs, in {splits}; keep one of them"
                yield _problem("vase twice", row, message, "stops the run")


def _vase(dataset: DataSet, row: Row) -> Iterator[Problem]:
    if row.split not in SPLITS:
        message = f"split {row.split!r} is none of {', '.join(SPLITS)}; curate again"
        yield _problem("no split", row, message, "drops the row")
    if not any(row.record.get(field) for field in FIELD_OF_DIMENSION.values()):
        message = f"its record states none of {', '.join(FIELD_OF_DIMENSION.values())}; remove the vase"
        yield _problem("record without a dimension", row, message, "stops the run")
    yield from _clip(dataset, row)
    if not row.mesh or not dataset.mesh(row).is_file():
        message = f"{row.mesh or 'its 3D model'} is missing; training works without it, viewers and mesh judges don't"
        yield _problem("model missing", row, message, "keeps the row")
    for name, text in (("caption", row.caption), ("reference", row.reference)):
        if not text.strip():
            yield _problem(f"no {name}", row, "write one, or curate again", "stops the run")
    known = parse_record(row.record)
    for question in row.questions:
        texts = asdict(question)
        if not all(text.strip() for text in texts.values()):
            yield _problem("question incomplete", row, f"{texts}; complete or remove it", "stops the run")
        elif question.dimension in DIMENSIONS and not known[question.dimension]:
            message = f"asks for {question.dimension}, which the record doesn't state; remove the question"
            yield _problem("question without an answer", row, message, "keeps the row")


def _clip(dataset: DataSet, row: Row) -> Iterator[Problem]:
    path, name = dataset.clip_path(row.clip), clip_name(row.clip or "…")
    if not row.clip or not path.is_file():
        message = f"{name} is missing; curate again"
        yield _problem("clip missing", row, message, "stops the run")
    elif sha256_of(path) != row.clip:
        message = f"the content hash of {name} is not its name, so the file was changed; remove it and curate again"
        yield _problem("clip changed", row, message, "stops the run")
    else:
        try:
            read_mp4(path)
        except UserError as error:
            yield _problem("clip unreadable", row, f"{error}; remove it and curate again", "stops the run")


def _where(row: Row) -> str:
    return f"{MANIFEST}, {row.photo}"


def _problem(kind: str, row: Row, message: str, effect: Effect) -> Problem:
    return Problem(kind=kind, where=_where(row), message=message, effect=effect)
