"""Checks photographs and records before a curation run."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
from rapidfuzz import fuzz, process

from vaserl.curation.check.checked import Checked
from vaserl.curation.check.prompts import evenly_spaced, example_of_record, prompt_text
from vaserl.curation.settings import SourceSettings
from vaserl.curation.source import Inspected, inspect_source
from vaserl.errors import Effect, Problem
from vaserl.files.photograph import UnreadablePhotograph, decode_photograph
from vaserl.files.picture_kind import OTHER_SUFFIXES, PICTURE_SUFFIXES
from vaserl.files.storage import files_below, is_for_good, joined, no_answer, read_bytes
from vaserl.rewards.vase import parse_record
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION

_KINDS = {
    "no such file": ("no such file", "add the file, or remove the row from the list"),
    "its name does not fit": ("name fits no pattern", "rename it, or change source.pattern"),
    "no record with the id": (
        "photograph without a record",
        "add the record, or see source.id_field and source.pattern",
    ),
    "its record states none": ("record without a dimension", "fill in one of them, or map its column in source.fields"),
}
"""Maps the first words of a row's rejection reason to (kind of problem, remedy)."""


def check_photographs(settings: SourceSettings, max_photographs: int, model: Path | None = None) -> Checked:
    """Checks the input of a curation run with these settings. Returns the numbers of its photographs, vases and
    records, its problems, and examples of the prompts and answers that would be generated about its vases.

    max_photographs: maximum number of photographs to decode; they are evenly spaced among those without a problem.
    Files with the suffix of a kind that isn't read are looked at in addition.
    model: folder of the vision-language model whose chat template is applied to the prompts of the examples. If None,
    the examples contain the plain prompts.
    Raises: UserError when the input has no photographs or no records.
    """
    problems: list[Problem] = []
    inspected = inspect_source(settings, problems.append)
    problems += _rejected(inspected)
    usable = inspected.rows.filter(pa.array([not stage for stage in inspected.rows["rejected_by"].to_pylist()]))
    looked_at = _looked_at(usable, max_photographs)
    unreadable = list(_unreadable(inspected.folder, looked_at))
    num_unreadable = sum(problem.effect == "drops the row" for problem in unreadable)
    problems += [*unreadable, *_unlisted(inspected), *_misunderstood(inspected, usable)]
    render = prompt_text(model)
    vases = sorted(set(usable["vase_id"].to_pylist()))
    records = _records(usable)
    return Checked(
        counts=_counts(inspected, usable.num_rows - num_unreadable, usable, looked_at),
        problems=problems,
        examples=[example_of_record(vase_id, records[vase_id], render) for vase_id in evenly_spaced(vases)],
    )


def _counts(inspected: Inspected, num_usable: int, usable: pa.Table, looked_at: pa.Table) -> list[tuple[str, str]]:
    rows = inspected.rows
    vases = Counter(usable["vase_id"].to_pylist())
    views = Counter(vases.values())
    histogram = ", ".join(f"{number:,} with {views_each}" for views_each, number in sorted(views.items())[:6])
    unused = len(inspected.records.ids - set(rows["vase_id"].to_pylist()))
    stated = {name: sum(map(bool, rows[name].to_pylist())) for name in ("rights", "credit", "kind")}
    return [
        ("photographs", f"{rows.num_rows:,}, of which {num_usable:,} can be used"),
        ("vases", f"{len(vases):,}" + (f", by number of photographs: {histogram}" if views else "")),
        ("records", f"{len(inspected.records.ids):,} in {inspected.records.origin}, {unused:,} without a photograph"),
        ("stated", _stated(inspected)),
        ("not read", _unread(inspected)),
        ("rights", f"stated for {stated['rights']:,} photographs, a credit line for {stated['credit']:,}"),
        ("labels", f"{stated['kind']:,} photographs have a labelled kind"),
        ("decoded", f"{looked_at.num_rows:,} photographs" + _rest(usable.num_rows - looked_at.num_rows)),
    ]


def _stated(inspected: Inspected) -> str:
    """Returns the number of records that state each dimension: "Fabric 12, Technique 12, … of 12 records"."""
    numbers = ", ".join(f"{field} {number:,}" for field, number in inspected.records.num_stated.items())
    return f"{numbers} of {len(inspected.records.ids):,} records"


def _unread(inspected: Inspected) -> str:
    names = ", ".join(column.name for column in inspected.records.unread)
    return f"columns of {inspected.records.origin}: {names}" if names else "all columns are read"


def _rest(number: int) -> str:
    return f"; {number:,} more with a higher --max-photographs" if number else ""


def _rejected(inspected: Inspected) -> Iterator[Problem]:
    # only a record without photographs can be the one that a misspelt name means
    without = sorted(inspected.records.ids - set(inspected.rows["vase_id"].to_pylist()))
    rows = inspected.rows.filter(pa.array([bool(stage) for stage in inspected.rows["rejected_by"].to_pylist()]))
    for row in rows.select(["photo", "vase_id", "reason"]).to_pylist():
        kind, fix = next(found for beginning, found in _KINDS.items() if row["reason"].startswith(beginning))
        if kind == "photograph without a record":
            near = process.extractOne(row["vase_id"], without, scorer=fuzz.ratio, score_cutoff=80)
            fix = f"the nearest id there is {near[0]!r}; {fix}" if near else fix
        yield _problem(kind, _name(inspected.folder, row["photo"]), f"{row['reason']}; {fix}", "drops the row")


def _unreadable(folder: str, photographs: pa.Table) -> Iterator[Problem]:
    """Yields a problem for each photograph that the source stage would reject, and for each whose file leaves something
    open, such as a damaged colour profile."""
    for photo in photographs["photo"].to_pylist():
        try:
            notes = decode_photograph(read_bytes(photo)).notes
        except (UnreadablePhotograph, OSError) as error:
            if isinstance(error, OSError):
                if not is_for_good(error):
                    raise no_answer(photo, error) from error
                reason = f"can't be read: {error.strerror or type(error).__name__}"
            else:
                reason = str(error)
            message = reason if ";" in reason else f"{reason}; replace or remove the file"
            yield _problem("photograph that can't be read", _name(folder, photo), message, "drops the row")
            continue
        for note in notes:
            yield _problem("photograph read with an assumption", _name(folder, photo), note, "keeps the row")


def _unlisted(inspected: Inspected) -> Iterator[Problem]:
    """Yields a problem for each picture that is not in the list of photographs; no run uses these files."""
    listed = set(inspected.rows["photo"].to_pylist())
    for name in files_below(inspected.folder):
        if _suffix(name) in PICTURE_SUFFIXES and joined(inspected.folder, name) not in listed:
            yield _problem(
                "picture in no list",
                name,
                "the list of photographs doesn't name it; add it if it should be used",
                "keeps the row",
            )


def _misunderstood(inspected: Inspected, usable: pa.Table) -> Iterator[Problem]:
    """Yields a problem for each field of a record that the reward function can't parse; no question is asked about such
    a field."""
    for vase_id, record in _records(usable).items():
        facts = parse_record(record)
        for dimension in DIMENSIONS:
            field = FIELD_OF_DIMENSION[dimension]
            if record.get(field) and not facts[dimension]:
                message = f"{field} {record[field]!r} can't be parsed; {_expected(field)}"
                where = f"{inspected.records.origin}, {vase_id}"
                yield _problem(f"{field} not understood", where, message, "keeps the row")


def _expected(field: str) -> str:
    examples = {
        "Date": '"-525 to -475"',
        "Decoration": '"A: WARRIOR"',
        "Attributed To": '"ANTIMENES PAINTER by BEAZLEY"',
    }
    return f"expected something like {examples[field]}" if field in examples else "empty or correct it"


def _records(rows: pa.Table) -> dict[str, Mapping[str, str]]:
    """Returns the museum's record of each vase in the rows, by vase id."""
    return {
        row["vase_id"]: json.loads(row["record"])
        for row in {row["vase_id"]: row for row in rows.select(["vase_id", "record"]).to_pylist()}.values()
    }


def _looked_at(rows: pa.Table, number: int) -> pa.Table:
    """Returns `number` evenly spaced rows of the table, or all rows if there are fewer, and in addition those whose
    suffix is of a kind that isn't read."""
    num_rows, photos = rows.num_rows, rows["photo"].to_pylist()
    spaced = range(num_rows) if num_rows <= number else (k * num_rows // number for k in range(number))
    other = (k for k, photo in enumerate(photos) if _suffix(photo) in OTHER_SUFFIXES)
    return rows.take(pa.array(sorted({*spaced, *other}), pa.int64()))


def _suffix(name: str) -> str:
    return name[name.rfind(".") :].lower()


def _name(folder: str, photo: str) -> str:
    return photo.removeprefix(folder.rstrip("/") + "/")


def _problem(kind: str, where: str, message: str, effect: Effect) -> Problem:
    return Problem(kind=kind, where=where, message=message, effect=effect)
