"""Reads a published data set: 3D models, views and annotations. It has one of two layouts.

    models/*.glb   images/{front,back,left,right,top,bottom}/*   annotations/{captions,qa_pairs,metadata}.json

is the layout of the data set. The evaluation code published with it reads another: a folder for each 3D model, which
holds six views, and groundTruth.json, a list of {"images": [name], "caption"}. If the first layout also has a
groundTruth.json, the vases in it are the test split.
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
    """The files and annotations of one published vase; no picture or model has been opened."""

    name: str
    """The key that its files and annotations share, see `vase_key`."""
    model: Path | None
    """Path of the 3D model (GLB); None in the layout of the evaluation code, which has none."""
    views: Mapping[str, Path]
    """Path of each view's picture, by name of the view; views without a picture are absent."""
    caption: str
    """Published caption; empty if there is none."""
    questions: tuple[Mapping[str, str], ...]
    """Questions about the vase, with the keys dimension, question and answer; the dimension may be OTHER."""
    record: Mapping[str, str]
    """The museum's record: text by field name of the Beazley archive; empty if there is none."""
    split: str
    """Split of the vase: train, val or test; empty if the data set states none."""


def is_published(folder: Path) -> bool:
    """Returns True if the folder has one of the two layouts."""
    return (folder / "annotations").is_dir() or (folder / GROUND_TRUTH).is_file()


def read_layout(source: Path, report: Report) -> list[PublishedVase]:
    """Returns every vase of the data set, sorted by name. Problems of its annotations go to `report`.

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
    """Maps a name in the annotations to that of a 3D model: the model with the same name, or else the only model whose
    name starts with the name and "_"."""

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
