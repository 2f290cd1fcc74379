"""Where a published data set keeps its models, views and annotations: two layouts, one form.

    models/*.glb   images/{front,back,left,right,top,bottom}/*   annotations/{captions,qa_pairs,metadata}.json

is the data set's own. Its evaluation reads one folder for each model, with six views in it, and groundTruth.json, a
list of {"images": [name], "caption"}; a groundTruth.json beside the first layout names the vases that are held out.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from vaserl.curation.published.annotations import read_captions, read_metadata, read_questions, vase_key
from vaserl.curation.source.problem import Report
from vaserl.errors import Problem, UserError
from vaserl.files.photograph import IMAGE_SUFFIXES

PUBLISHED_VIEWS = ("front", "back", "left", "right", "top", "bottom")
GROUND_TRUTH = "groundTruth.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedVase:
    """A vase as it was published, unread."""

    name: str
    """What its files and annotations have in common."""
    model: Path | None
    """Its GLB; the evaluation's layout has none."""
    views: Mapping[str, Path]
    """By name, those of VIEWS that are there."""
    caption: str
    """"" if there is none."""
    questions: tuple[Mapping[str, str], ...]
    """{"dimension", "question", "answer"}."""
    record: Mapping[str, str]
    """The museum's, in the Beazley form; empty if there is none."""
    split: str
    """train, val or test; "" where nobody says."""


def is_published(folder: Path) -> bool:
    """Whether the folder has one of the two layouts."""
    return (folder / "annotations").is_dir() or (folder / GROUND_TRUTH).is_file()


def read_layout(source: Path, report: Report) -> list[PublishedVase]:
    """Every vase of the data set by name, with what is wrong in its annotations going to `report`.

    Raises: UserError when the folder has neither layout.
    """
    if (source / "annotations").is_dir():
        return _published(source, report)
    if (source / GROUND_TRUTH).is_file():
        return _evaluation(source, report)
    raise UserError(
        f"{source} is no published data set: expected models/, images/ and annotations/ in it, or {GROUND_TRUTH} and a "
        "folder of six views for each model"
    )


def _published(source: Path, report: Report) -> list[PublishedVase]:
    notes = source / "annotations"
    captions = read_captions(notes / "captions.json", report)
    questions = read_questions(notes / "qa_pairs.json", report)
    records, splits = read_metadata(notes / "metadata.json", report)
    models = {vase_key(path.name): path for path in sorted((source / "models").glob("*.glb"))}
    if not models:
        message = "no *.glb in it; the layout has one for each vase"
        report(Problem(where=str(source / "models"), kind="no models", message=message))
    views: dict[str, dict[str, Path]] = {}
    for view in PUBLISHED_VIEWS:
        folder = source / "images" / view
        if not folder.is_dir():
            report(Problem(where=str(folder), kind="no such view", message="no such folder; the layout has six views"))
            continue
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                views.setdefault(vase_key(path.name), {})[view] = path
    held_out: Collection[str] = ()
    if (source / GROUND_TRUTH).is_file():
        held_out = read_captions(source / GROUND_TRUTH, report)
    of = _Matching(models, report)
    return _vases(
        models,
        views={of(name, source / "images"): found for name, found in views.items()},
        captions={of(name, notes / "captions.json"): text for name, text in captions.items()},
        questions={of(name, notes / "qa_pairs.json"): found for name, found in questions.items()},
        records={of(name, notes / "metadata.json"): record for name, record in records.items()},
        splits={of(name, notes / "metadata.json"): split for name, split in splits.items()}
        | {of(name, source / GROUND_TRUTH): "test" for name in held_out},
    )


def _evaluation(source: Path, report: Report) -> list[PublishedVase]:
    captions = read_captions(source / GROUND_TRUTH, report)
    views: dict[str, dict[str, Path]] = {}
    for folder in sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith(".")):
        files = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGE_SUFFIXES}
        found = {view: files[view] for view in PUBLISHED_VIEWS if view in files}
        if found:
            views[vase_key(folder.name)] = found
    of = _Matching(dict.fromkeys(views), report)
    named = {of(name, source / GROUND_TRUTH): text for name, text in captions.items()}
    return _vases(
        dict.fromkeys(views), views=views, captions=named, questions={}, records={}, splits=dict.fromkeys(views, "test")
    )


class _Matching:
    """The model that a name means: its own, or the only one that begins with it, as an id without a view does."""

    def __init__(self, models: Mapping[str, Path | None], report: Report) -> None:
        self._models, self._report = models, report
        self._said: set[tuple[str, Path]] = set()

    def __call__(self, name: str, file: Path) -> str:
        if name in self._models:
            return name
        longer = [model for model in self._models if model.startswith(f"{name}_")]
        if len(longer) == 1:
            return longer[0]
        if (name, file) not in self._said:
            self._said.add((name, file))
            what = f"could be any of {', '.join(longer[:3])}" if longer else "has no model"
            message = f"{name!r} {what}; add its files or remove it"
            self._report(Problem(where=str(file), kind="no such model", message=message))
        return name


def _vases(
    models: Mapping[str, Path | None],
    *,
    views: Mapping[str, Mapping[str, Path]],
    captions: Mapping[str, str],
    questions: Mapping[str, list[dict[str, str]]],
    records: Mapping[str, Mapping[str, str]],
    splits: Mapping[str, str],
) -> list[PublishedVase]:
    return [
        PublishedVase(
            name=name,
            model=models[name],
            views=views.get(name, {}),
            caption=captions.get(name, ""),
            questions=tuple(questions.get(name, ())),
            record=records.get(name, {}),
            split=splits.get(name, ""),
        )
        for name in sorted(models)
    ]
