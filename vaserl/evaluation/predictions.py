"""Reads files of predictions and targets in JSON Lines format, and reports lines that can't be used.

A line with a prediction has the keys "id" and "caption", or "id", "question" and "answer". Several lines may have the
same id: one with a caption, and some with different questions.

A line with a target has the key "id", and "record" or "caption" or both. A record has the field names of the Beazley
archive. If a line has both, predictions are compared with the facts of the record, and the caption is the reference
caption.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.errors import Problem, UserError
from vaserl.rewards.vase import Facts, parse_caption, parse_record, reference_caption
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Completion, Dimension, Task

_SHOWN_PROBLEMS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A caption of a vase to be scored, or an answer to a question about it."""

    id: str
    """Id of the vase."""
    text: str
    """Text of the caption or the answer."""
    question: str
    """Text of the question; empty if the prediction is a caption."""
    dimension: Dimension | None
    """Dimension (such as the shape) that the question is about; None if the prediction is a caption."""
    line: int
    """Line in its file, counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Museum record and reference caption of one vase, with which predictions for the vase are compared."""

    id: str
    """Id of the vase."""
    record: Mapping[str, str]
    """The museum's record of the vase; empty if the file of targets has only a caption."""
    reference: str
    """Reference caption: the caption in the file of targets or, if the file has none, one written from the record."""
    line: int
    """Line in its file, counted from 1."""

    def task(self, dimension: Dimension | None = None, question: str = "") -> Task:
        """Returns the task to caption the vase or, if `dimension` is set, to answer a question about this dimension."""
        return Task(
            id=self.id,
            clip="",
            prompt=question or "Describe the vase.",
            dimensions=DIMENSIONS if dimension is None else (dimension,),
            record=self.record,
            reference=self.reference,
        )


def read_predictions(path: Path) -> tuple[list[Prediction], list[Problem]]:
    """Reads a file of predictions. Returns the valid predictions, and a problem for each line that can't be used.

    Raises: UserError if the file can't be read.
    """
    found: dict[tuple[str, str], Prediction] = {}
    problems: list[Problem] = []
    for line, text in _lines(path):
        try:
            prediction = _prediction(text, line)
        except ValueError as error:
            problems.append(Problem(kind="broken line", where=f"{path}:{line}", message=str(error)))
            continue
        key = (prediction.id, prediction.question)
        if key in found:
            message = f"{prediction.id!r} is already in line {found[key].line}"
            problems.append(Problem(kind="duplicate id", where=f"{path}:{line}", message=message))
        else:
            found[key] = prediction
    return list(found.values()), problems


def read_targets(path: Path) -> tuple[dict[str, Target], list[Problem]]:
    """Reads a file of targets. Returns the valid targets by id, and a problem for each line that can't be used.

    Raises: UserError if the file can't be read.
    """
    found: dict[str, Target] = {}
    problems: list[Problem] = []
    for line, text in _lines(path):
        try:
            target = _target(text, line)
        except ValueError as error:
            problems.append(Problem(kind="broken line", where=f"{path}:{line}", message=str(error)))
            continue
        if target.id in found:
            message = f"{target.id!r} is already in line {found[target.id].line}"
            problems.append(Problem(kind="duplicate id", where=f"{path}:{line}", message=message))
        else:
            found[target.id] = target
    return found, problems


def unmatched(
    predictions: Sequence[Prediction], predictions_path: Path, targets: Mapping[str, Target], targets_path: Path
) -> list[Problem]:
    """Returns a problem for each prediction without a target and each target without a prediction."""
    problems = [
        Problem(
            kind="id without a target",
            where=f"{predictions_path}:{p.line}",
            message=f"{p.id!r} is not in {targets_path.name}",
        )
        for p in predictions
        if p.id not in targets
    ]
    predicted = {prediction.id for prediction in predictions}
    problems += [
        Problem(
            kind="id without a prediction",
            where=f"{targets_path}:{t.line}",
            message=f"{t.id!r} is not in {predictions_path.name}",
        )
        for t in targets.values()
        if t.id not in predicted
    ]
    return problems


def refuse_lines(problems: Sequence[Problem], remedy: str = "correct these lines") -> None:
    """Raises a UserError if there are problems; it lists the first of them and ends with `remedy`."""
    if not problems:
        return
    lines = [f"{problem.where}: {problem.kind}: {problem.message}" for problem in problems[:_SHOWN_PROBLEMS]]
    if len(problems) > _SHOWN_PROBLEMS:
        lines.append(f"and {len(problems) - _SHOWN_PROBLEMS} more")
    raise UserError("\n".join([*lines, remedy]))


def completion_of(text: str) -> Completion:
    """Wraps a text in a `Completion` that the token limit did not cut off."""
    return Completion(text=text, token_ids=(), logprobs=(), finish_reason="stop", weights_version=0)


def question_dimension(question: str) -> Dimension:
    """Returns the dimension that a question is about: "shape" for "What shape is the vase?".

    Raises: ValueError if the question is about no dimension or about several.
    """
    asked: list[Dimension] = [d for d, pattern in _WORDS.items() if pattern.search(question.lower())]
    if len(asked) != 1:
        named = f"it is about {', '.join(asked)}" if asked else "it is about none of them"
        raise ValueError(f"question {question!r} must be about one of {', '.join(DIMENSIONS)}; {named}")
    return asked[0]


_WORDS: Mapping[Dimension, re.Pattern[str]] = {
    "fabric": re.compile(r"\b(?:fabrics?|wares?|where)\b"),
    "technique": re.compile(r"\btechniques?\b"),
    "shape": re.compile(r"\bshapes?\b"),
    "dating": re.compile(r"\b(?:dat(?:e|es|ed|ing)|when|how old)\b"),
    "decoration": re.compile(r"\b(?:decorat\w*|depict\w*|scenes?|subjects?)\b"),
    "attribution": re.compile(r"\b(?:attribut\w*|artists?|who|whom|hand)\b"),
}


def _lines(path: Path) -> list[tuple[int, bytes]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    return [(number, line) for number, line in enumerate(content.split(b"\n"), start=1) if line.strip()]


def _object(text: bytes) -> tuple[str, dict[str, Any]]:
    try:
        value = json.loads(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("not JSON: nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, got {type(value).__name__}")
    identity = value.get("id")
    if isinstance(identity, bool) or not isinstance(identity, str | int) or identity == "":
        raise ValueError('"id" is missing' if identity is None else f'"id" must be a text, got {identity!r}')
    return str(identity), value


def _text(value: Mapping[str, Any], key: str) -> str:
    if not isinstance(value[key], str):
        raise ValueError(f'"{key}" must be a text')
    return value[key]


def _prediction(text: bytes, line: int) -> Prediction:
    identity, value = _object(text)
    if "caption" in value:
        return Prediction(id=identity, text=_text(value, "caption"), question="", dimension=None, line=line)
    if "question" in value and "answer" in value:
        question = _text(value, "question")
        dimension = question_dimension(question)
        return Prediction(id=identity, text=_text(value, "answer"), question=question, dimension=dimension, line=line)
    raise ValueError('expected the key "caption", or the keys "question" and "answer"')


def _target(text: bytes, line: int) -> Target:
    identity, value = _object(text)
    caption = _text(value, "caption") if "caption" in value else None
    if "record" in value:
        record = _record(value["record"])
        if parse_record(record) == Facts():
            raise ValueError(f'"record" must state at least one of {", ".join(FIELD_OF_DIMENSION.values())}')
        return Target(id=identity, record=record, reference=caption or reference_caption(record), line=line)
    if caption is None:
        raise ValueError('expected the key "record" or "caption"')
    if parse_caption(caption) == Facts():
        raise ValueError('"caption" states none of the six dimensions')
    return Target(id=identity, record={}, reference=caption, line=line)


def _record(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError('"record" must be a JSON object')
    for field in FIELD_OF_DIMENSION.values():
        if not isinstance(value.get(field), str | None):
            raise ValueError(f'field {field!r} of "record" must be a text')
    return {field: text for field, text in value.items() if isinstance(text, str)}
