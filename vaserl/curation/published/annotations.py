"""Reads the annotation files of a published data set: captions, questions and metadata, in JSON.

The format of these files has no specification, so several forms are accepted. A file contains one entry for each 3D
model, in one of these forms:

* an object that maps the name of each 3D model to its entry,
* a list of objects, which are the entries. One of the fields NAME_FIELDS of an entry contains the name of the 3D model:
  an id, a file name, or a list of file names, of which the first is used.
* an object with a single key, whose value is such a list.

The form of an entry depends on the file:

* captions: a text, a list of texts, of which the first is used, or an object with one of the fields CAPTION_FIELDS;
* questions: an object {"question", "answer"}; or a list of such objects; or an object with such a list in one of the
  fields LIST_FIELDS. A question may also have one of the fields KIND_FIELDS, with what it asks about;
* metadata: an object with the field names of the Beazley Archive in any spelling; it may have a field "split" too.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vaserl.curation.canon import canonical_record
from vaserl.curation.fields import RECORD_FIELDS, Renaming
from vaserl.curation.source.problem import Report
from vaserl.dataset import OTHER, PROVENANCE, SPLITS
from vaserl.errors import Problem
from vaserl.types import DIMENSIONS

NAME_FIELDS = (
    *("id", "vase_id", "model_id", "model", "model_path", "object_id", "uid", "uuid", "glb", "file", "filename"),
    *("name", "image", "images", "video", "videos", "URI", "Vase Number"),
)
CAPTION_FIELDS = ("caption", "captions", "text", "description")
LIST_FIELDS = ("qa_pairs", "qa", "items", "questions", "pairs", "annotations")
KIND_FIELDS = ("dimension", "field", "type", "question_type", "category", "attribute")

TOPICS = (*DIMENSIONS, PROVENANCE)
"""Value of the field "dimension" of a question that asks about none of the topics in TOPICS."""

_DIMENSION_OF = {
    **{topic: topic for topic in TOPICS},
    **{"date": "dating", "shape name": "shape", "attributed to": "attribution"},
}
_ASKS = re.compile(rf"\b({'|'.join(sorted(_DIMENSION_OF, key=len, reverse=True))})\b", re.IGNORECASE)
_TEMPLATE = re.compile(r"^the (?:of )?[\w ]+? (?:of )?the vase is (.+?)\.?$", re.IGNORECASE | re.DOTALL)
"""Pattern of answers like “The fabric of the vase is X.”; group 1 is X. The published data also contains the misspelt
“The of fabric the vase is X.”, which the pattern matches too."""
_ENDINGS = re.compile(
    r"(?:\.(?:glb|gltf|jpe?g|png|webp|mp4)|_shaded|_textured(?:_\dk)?|_mesh|_ac001001)$", re.IGNORECASE
)


def vase_key(text: str) -> str:
    """Returns the key by which a vase's files and annotations are matched. `text` is the file name of a 3D model, the
    file name of a view, or the name or URI in an annotation.

    Example: "a/7f_2_textured_2k.glb_shaded.glb" and "7f_2_ac001001.jpg" both have the key "7f_2".
    """
    name = re.split(r"[/\\:]", text.strip().rstrip("/"))[-1]
    while (shorter := _ENDINGS.sub("", name)) != name:
        name = shorter
    return name


def read_captions(path: Path, report: Report) -> dict[str, str]:
    """Returns the caption of each vase, by the vase's key (see `vase_key`)."""
    captions: dict[str, str] = {}
    for where, name, entry in _entries(path, report):
        value = _first_of(entry, CAPTION_FIELDS) if isinstance(entry, Mapping) else entry
        if isinstance(value, list) and value:
            value = value[0]
        if not isinstance(value, str) or not value.strip():
            message = f"no caption; give it a text under {_one_of(CAPTION_FIELDS)}"
            report(Problem(where=where, kind="no caption", message=message))
        elif name in captions:
            report(_twice(where, name))
        else:
            captions[name] = value.strip()
    return captions


def read_questions(path: Path, report: Report) -> dict[str, list[dict[str, str]]]:
    """Returns the questions about each vase, by the vase's key (see `vase_key`). A question is a dict with the keys
    dimension, question and answer. The dimension is what the question asks about: one of TOPICS, or else OTHER."""
    questions: dict[str, list[dict[str, str]]] = {}
    for where, name, entry in _entries(path, report):
        pairs = _first_of(entry, LIST_FIELDS) if isinstance(entry, Mapping) else entry
        if pairs is None:
            pairs = [entry]
        if not isinstance(pairs, list):
            message = f"expected a list of questions, got {type(pairs).__name__}"
            report(Problem(where=where, kind="no list of questions", message=message))
            continue
        for number, pair in enumerate(pairs, start=1):
            place = where if len(pairs) == 1 else f"{where}, question {number}"
            question = _question(place, pair, report)
            if question:
                questions.setdefault(name, []).append(question)
    return questions


def read_metadata(path: Path, report: Report) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Returns (records, splits), two dicts by the vase's key (see `vase_key`). The first contains the record of each
    vase; the second contains the split ("train", "val" or "test") of each vase that has one."""
    renaming = Renaming(RECORD_FIELDS, {})
    records: dict[str, dict[str, str]] = {}
    splits: dict[str, str] = {}
    for where, name, entry in _entries(path, report):
        if not isinstance(entry, Mapping):
            message = f'expected an object like {{"Fabric": "ATHENIAN", …}}, got {type(entry).__name__}'
            report(Problem(where=where, kind="no record", message=message))
            continue
        if name in records:
            report(_twice(where, name))
            continue
        nested = entry.get("metadata") or entry.get("record")
        fields = dict(nested) if isinstance(nested, Mapping) else dict(entry)
        split = str(entry.get("split") or fields.pop("split", ""))
        split = {"validation": "val", "valid": "val"}.get(split, split)
        if split not in ("", *SPLITS):
            message = f'field "split": {split!r} is none of train, val and test; correct or remove it'
            report(Problem(where=where, kind="unknown split", message=message))
        elif split:
            splits[name] = split
        record = renaming({key: value for key, value in fields.items() if key not in _NO_FIELDS})
        records[name] = dict(canonical_record(record).fields)
    return records, splits


_NO_FIELDS = frozenset({*NAME_FIELDS, "split", *CAPTION_FIELDS, *LIST_FIELDS}) - {"URI", "Vase Number"}


def _question(where: str, pair: Any, report: Report) -> dict[str, str] | None:
    if not isinstance(pair, Mapping):
        message = f'expected {{"question": …, "answer": …}}, got {type(pair).__name__}'
        report(Problem(where=where, kind="no question", message=message))
        return None
    texts = {}
    for field in ("question", "answer"):
        value = pair.get(field)
        if not isinstance(value, str) or not value.strip():
            message = f"field {field!r} is empty or no text; complete or remove the entry"
            report(Problem(where=where, kind=f"no {field}", message=message))
            return None
        texts[field] = value.strip()
    stated = _first_of(pair, KIND_FIELDS)
    kind = re.sub(r"[\s_]+", " ", str(stated)).strip().lower() if stated else ""
    asked = _ASKS.search(kind) or _ASKS.search(texts["question"])
    answer = _TEMPLATE.match(texts["answer"])
    return {
        "dimension": _DIMENSION_OF[asked[1].lower()] if asked else OTHER,
        "question": texts["question"],
        "answer": answer[1] if answer else texts["answer"],
    }


def _entries(path: Path, report: Report) -> Iterator[tuple[str, str, Any]]:
    """Yields (place, key, entry) for each entry of an annotation file. The place is text for error messages, such as
    "FILE, entry 3"; the key is that of the vase (see `vase_key`)."""
    if not path.is_file():
        report(Problem(where=str(path), kind="file missing", message="no such file; the layout requires one"))
        return
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        report(Problem(where=str(path), kind="not UTF-8", message="not UTF-8; save the file as UTF-8"))
        return
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg}; correct the file"
        report(Problem(where=f"{path}:{error.lineno}", kind="not JSON", message=message))
        return
    if isinstance(content, dict) and len(content) == 1 and isinstance(next(iter(content.values())), list):
        (content,) = content.values()
    if isinstance(content, dict):
        for key, entry in content.items():
            yield f"{path}, {key!r}", vase_key(key), entry
        return
    if not isinstance(content, list):
        message = f"expected a list of objects, or an object with a key for each model, got {type(content).__name__}"
        report(Problem(where=str(path), kind="no list", message=message))
        return
    for number, entry in enumerate(content, start=1):
        where = f"{path}, entry {number}"
        if not isinstance(entry, Mapping):
            message = f"expected an object, got {type(entry).__name__}"
            report(Problem(where=where, kind="no object", message=message))
            continue
        named = _first_of(entry, NAME_FIELDS)
        named = named[0] if isinstance(named, list) and named else named
        if not isinstance(named, str | int) or not vase_key(str(named)):
            message = f"names no model; add one of the fields {', '.join(NAME_FIELDS[:6])}, …"
            report(Problem(where=where, kind="names no model", message=message))
            continue
        yield where, vase_key(str(named)), entry


def _first_of(entry: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """Returns the value of the first field in `names` that is not empty in the entry, or None if all are empty."""
    return next((entry[name] for name in names if entry.get(name)), None)


def _one_of(names: tuple[str, ...]) -> str:
    return " or ".join(f'"{name}"' for name in names)


def _twice(where: str, name: str) -> Problem:
    return Problem(where=where, kind="model twice", message=f"a second entry for {name!r}; remove one of them")
