"""Files of finished captions, of systems that ran elsewhere: the published evaluation's JSON, or JSON Lines.

The JSON is a list of objects with "images", of which the first names the vase, and "caption"; further keys are ignored.
JSON Lines have objects with "id" and "caption", as `vaserl score` reads.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.errors import UserError
from vaserl.evaluation.paper_mode import PictureCaption, picture_id
from vaserl.evaluation.predictions import read_predictions, refuse_lines
from vaserl.runs.caption_store import SystemAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionRows:
    """The captions in a file, in its order."""

    path: Path
    rows: tuple[PictureCaption, ...]
    """Captions by the names of pictures; a file of JSON Lines names vases, and `picture` is then the vase's id."""
    names_pictures: bool
    """True if the rows name pictures."""

    def answers(self, vases: Sequence[str]) -> list[SystemAnswer]:
        """Returns the caption of each vase, by the ids of the vases, in order. A vase without a caption, with an empty
        one or with several different ones is a failure.

        Raises: UserError if no row belongs to any of the vases.
        """
        found: dict[str, dict[str, int]] = {}
        for number, row in enumerate(self.rows, start=1):
            vase = picture_id(row.picture) if self.names_pictures else row.picture
            found.setdefault(vase, {}).setdefault(row.caption.strip(), number)
        if not any(vase in found for vase in vases):
            raise UserError(
                f"{self.path}: none of its {len(self.rows)} captions belongs to a vase of the split, whose ids are "
                f"like {vases[0]!r}; the file's are like {next(iter(found), '')!r}"
            )
        return [self._answer(found.get(vase, {})) for vase in vases]

    def _answer(self, captions: dict[str, int]) -> SystemAnswer:
        if not captions:
            return SystemAnswer(text="", failure="no caption in the file")
        if len(captions) > 1:
            rows = ", ".join(map(str, captions.values()))
            return SystemAnswer(text="", failure=f"different captions in rows {rows}")
        (text,) = captions
        return SystemAnswer(text=text, failure="" if text else "an empty caption")


def read_caption_rows(path: Path) -> CaptionRows:
    """Reads a file of captions.

    Raises: UserError with the file and the row of whatever can't be read.
    """
    if not path.is_file():
        raise UserError(f"captions {path} does not exist")
    content = path.read_bytes()
    if not content.lstrip().startswith(b"["):
        predictions, problems = read_predictions(path)
        refuse_lines(problems)
        rows = tuple(PictureCaption(picture=p.id, caption=p.text) for p in predictions if not p.question)
        return CaptionRows(path=path, rows=rows, names_pictures=False)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    rows = tuple(_row(value, f"{path}, entry {number}") for number, value in enumerate(values, start=1))
    return CaptionRows(path=path, rows=rows, names_pictures=True)


def _row(value: Any, where: str) -> PictureCaption:
    if not isinstance(value, dict) or not isinstance(value.get("caption"), str):
        raise UserError(f'{where} must be an object with "images" and the text "caption"')
    pictures = value.get("images", [])
    if not isinstance(pictures, list) or not all(isinstance(name, str) for name in pictures):
        raise UserError(f'{where}: "images" must be a list of file names')
    return PictureCaption(picture=pictures[0] if pictures else "", caption=value["caption"])
