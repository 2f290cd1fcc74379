"""Reads the files of a published data set, which must have one of two layouts. The first has 3D models:

    models/*.glb   images/{front,back,left,right,top,bottom}/*   annotations/{captions,qa_pairs,metadata}.json

If such a data set also has a file groundTruth.json, the vases in that file are the test split.

The second layout is used by the evaluation code that was published with VaseVQA-3D. It has a folder with six views for
each vase, and groundTruth.json, a list of {"images": [name], "caption"}.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from vaserl.curation.published.annotations import read_captions, read_metadata, read_questions, vase_key
from vaserl.curation.source.problem import Report
from vaserl.errors import Problem, UserError
from vaserl.files.picture_kind import IMAGE_SUFFIXES

PUBLISHED_VIEWS = ("front", "back", "left", "right", "top", "bottom")
GROUND_TRUTH = "groundTruth.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedVase:
    """The file paths and annotations of one published vase. Its pictures and its 3D model have not been opened."""

    name: str
    """Key of the vase, by which its files and annotations are matched (see `vase_key`)."""
    model: Path | None
    """Path of the 3D model (GLB), or None if the data set has no 3D models."""
    views: Mapping[str, Path]
    """Paths of the pictures of the vase, by name of the view, such as "front"; views without a picture are absent."""
    caption: str
    """Published caption of the vase, or "" if it has none."""
    questions: tuple[Mapping[str, str], ...]
    """Questions about the vase, as dicts with the keys dimension, question and answer. The dimension is what the
    question asks about: one of TOPICS, or else OTHER."""
    record: Mapping[str, str]
    """The museum's record of the vase: text by field name of the Beazley Archive; empty if the vase has no record."""
    split: str
    """Split of the vase: "train", "val" or "test", or "" if the data set contains no split for it."""


def is_published(folder: Path) -> bool:
    """Returns True if the folder contains annotations/ or groundTruth.json, as a published data set does."""
    return (folder / "annotations").is_dir() or (folder / GROUND_TRUTH).is_file()


def read_layout(source: Path, report: Report) -> list[PublishedVase]:
    """Returns every vase of the published data set in the folder `source`, sorted by name. Calls `report` with each
    problem of the annotations.

    Raises: UserError when the folder has neither of the two accepted layouts.
    """
    if (source / "annotations").is_dir():
        return _published(source, report)
    if (source / GROUND_TRUTH).is_file():
        return _evaluation(source, report)
    raise UserError(
        f"{source} is no published data set: expected models/, images/ and annotations/ in it, or {GROUND_TRUTH} and a "
        "folder with six views for each vase"
    )


def _published(source: Path, report: Report) -> list[PublishedVase]:
    notes = source / "annotations"
    captions = read_captions(notes / "captions.json", report)
    questions = read_questions(notes / "qa_pairs.json", report)
    records, splits = read_metadata(notes / "metadata.json", report)
    models = {vase_key(path.name): path for path in sorted((source / "models").glob("*.glb"))}
    if not models:
        message = "no *.glb in it; the layout requires one for each vase"
        report(Problem(where=str(source / "models"), kind="no models", message=message))
    views: dict[str, dict[str, Path]] = {}
    for view in PUBLISHED_VIEWS:
        folder = source / "images" / view
        if not folder.is_dir():
            report(
                Problem(where=str(folder), kind="no such view", message="no such folder; the layout requires six views")
            )
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
    """Callable that maps a name in the annotations to the name of a 3D model.

    A model with the same name is used. Without one, the model whose name starts with the annotation's name and "_" is
    used, if it is the only such model.
    """

    def __init__(self, models: Mapping[str, Path | None], report: Report) -> None:
        self._models, self._report = models, report
        self._reported: set[tuple[str, Path]] = set()

    def __call__(self, name: str, file: Path) -> str:
        if name in self._models:
            return name
        longer = [model for model in self._models if model.startswith(f"{name}_")]
        if len(longer) == 1:
            return longer[0]
        if (name, file) not in self._reported:
            self._reported.add((name, file))
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
