"""The contact sheet of a training: held-out scenes with the outlines that the network found."""

import io

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from vaserl.meshes.cutout.views import VIEWS
from vaserl.synthetic.train_cutout.score import ScoredBatch

_COLUMNS = 8


def scene_sheet(batch: ScoredBatch, num: int = 48) -> bytes:
    """Returns a PNG of up to `num` scenes: outlines found in green, true ones in red, found and true view below."""
    pictures = batch.pictures
    num = min(num, len(batch.found))
    side = batch.found.shape[1]
    pixels = (pictures.pixels[:num] * 255).byte().permute(0, 2, 3, 1).cpu().numpy()
    masks = (pictures.mask[:num, 0] > 0.5).cpu().numpy()
    sheet = Image.new("RGB", (_COLUMNS * side, -(-num // _COLUMNS) * (side + 14)))
    pen = ImageDraw.Draw(sheet)
    for k in range(num):
        tile = pixels[k].copy()
        tile[_edge(masks[k])] = (230, 30, 30)
        tile[_edge(batch.found[k])] = (40, 230, 60)
        x, y = k % _COLUMNS * side, k // _COLUMNS * (side + 14)
        sheet.paste(Image.fromarray(tile), (x, y))
        found, true = VIEWS[batch.views[k]], VIEWS[int(pictures.views[k])]
        pen.text((x + 2, y + side + 1), found if found == true else f"{found} (is {true})", fill=(255, 255, 255))
    file = io.BytesIO()
    sheet.save(file, format="PNG")
    return file.getvalue()


def _edge(mask: np.ndarray) -> np.ndarray:
    return mask & ~np.asarray(ndimage.binary_erosion(mask), bool)
