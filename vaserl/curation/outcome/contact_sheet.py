"""Draws the contact sheet of a data set: a picture of some of its photographs, each beside two frames of the turntable
video of the same vase."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from vaserl.dataset import DataSet, Row
from vaserl.files.clip import read_mp4
from vaserl.files.photograph import UnreadablePhotograph, read_photograph

SIDE = 128
"""Width and height in pixels of each photograph and each frame on the contact sheet."""
NUM_COLUMNS = 4
GAP = 10
LABEL_HEIGHT = 18
FONT = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
"""Path of the font of the labels. It has Greek letters; Pillow's default font has none."""
PAPER, INK, FAINT = (255, 255, 255), (43, 39, 35), (139, 133, 124)


def contact_sheet(dataset: DataSet, rows: Sequence[Row]) -> Image.Image | None:
    """Returns an RGB picture with one cell for each row of the manifest in `rows`, or None if `rows` is empty.

    A cell shows the photograph, the first frame of the turntable video, and the frame a third of a turn later. If the
    photograph can't be read, its part of the cell is empty.
    """
    if not rows:
        return None
    cell_width, cell_height = 3 * SIDE + GAP, SIDE + LABEL_HEIGHT + GAP
    num_columns = min(NUM_COLUMNS, len(rows))
    num_lines = -(-len(rows) // num_columns)
    sheet = Image.new("RGB", (num_columns * cell_width + GAP, num_lines * cell_height + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.truetype(FONT, size=10)
    for index, row in enumerate(rows):
        left, top = GAP + index % num_columns * cell_width, GAP + index // num_columns * cell_height
        frames = read_mp4(dataset.clip_path(row.clip)).frames
        pictures = [_photograph(dataset.place(row.photo)), *(Image.fromarray(frames[k]) for k in (0, len(frames) // 3))]
        for column, picture in enumerate(pictures):
            if picture is not None:
                sheet.paste(ImageOps.pad(picture, (SIDE, SIDE), color=PAPER), (left + column * SIDE, top))
        label = _fitted(f"{row.vase_id}  {row.record.get('Shape Name', '').lower()}", font, 3 * SIDE)
        draw.text((left, top + SIDE + 2), label, fill=INK if pictures[0] is not None else FAINT, font=font)
    return sheet


def pictured(rows: Collection[Row], number: int) -> list[Row]:
    """Returns `number` evenly spaced rows among those with a turntable video, or all of these if there are fewer.
    Iterates over `rows` twice and keeps only the returned rows in memory."""
    num_filmed = sum(bool(row.clip) for row in rows)
    chosen = set(np.linspace(0, num_filmed - 1, min(number, num_filmed)).round().astype(int).tolist())
    rendered = (row for row in rows if row.clip)
    return [row for index, row in enumerate(rendered) if index in chosen]


def _photograph(place: str) -> Image.Image | None:
    try:
        return read_photograph(place)
    except (UnreadablePhotograph, OSError):
        return None


def _fitted(text: str, font: Any, width: int) -> str:
    """Returns the text without as many of its last characters as necessary to make it at most `width` pixels wide."""
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text
