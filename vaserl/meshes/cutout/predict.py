"""Applies the network to a photograph of any size."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from vaserl.meshes.cutout.network import CutoutNet
from vaserl.meshes.cutout.views import MIN_SIDE, VIEWS, Views
from vaserl.meshes.reduce import reduced, reduced_mask

CANVAS_PX = 256
"""Side of the square on which the network sees a photograph. The photograph is scaled until its longer side fits, with
anti-aliasing and without changing its proportions, and padded."""
SMALL_CANVAS_PX = 224
"""The same for photographs of which neither side is longer than this."""

CLOSER_MARGIN = 0.12
"""Margin around the vase when the network looks at it a second time, as a share of the vase's longer extent."""
MAX_CLOSER = 0.75
"""Longer side of the part with the vase, relative to the photograph's, up to which it is looked at a second time."""
UNSURE_SIDE = 0.2
"""Probability of "side" from which on a photograph is looked at again before it is refused."""
AGAIN_MARGIN, AGAIN_CLOSER_MARGIN = 0.12, 0.25
"""Margins of two of these further looks: around the photograph, as a share of its longer side, and around the vase, as
a share of the vase's longer extent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoutPrediction:
    """What the network makes of a photograph of H x W pixels."""

    vase: np.ndarray
    """Probability that each pixel shows a vase or a sherd, float32 [H, W]. Gaps under handles, stands, shadows and
    reflections are not vase."""
    views: Views
    """Probability of each of `VIEWS`; they sum to 1."""

    @property
    def view(self) -> str:
        """The most probable view."""
        return max(self.views, key=lambda name: self.views[name])


def look_closely(network: CutoutNet, photo: np.ndarray) -> CutoutPrediction:
    """Returns the network's prediction for a photograph, uint8 [H, W, 3] in sRGB, with a second look at the part that
    shows the vase if it is small in the photograph, or if the photograph is a picture within a picture.

    The mask is then that of the second look, and so are a page's views. A part cut out of a photograph of several
    vases, or of a detail, could look like a whole one. Where "side" is nearly probable enough, the views are the means
    of four looks (`_looked_at_again`).
    """
    found = _with_second_look(network, photo)
    if not UNSURE_SIDE <= found.views["side"] < MIN_SIDE:
        return found
    return CutoutPrediction(vase=found.vase, views=_looked_at_again(network, photo, found))


def _looked_at_again(network: CutoutNet, photo: np.ndarray, found: CutoutPrediction) -> Views:
    """Returns the views' mean probabilities in `found` and in three further looks: at the photograph mirrored, with its
    edges continued outwards, and at the vase alone."""
    small = reduced(photo, 4 * CANVAS_PX)
    around = round(AGAIN_MARGIN * max(small.shape))
    looks = [small[:, ::-1], np.pad(small, ((around, around), (around, around), (0, 0)), mode="edge")]
    rows, columns = (np.flatnonzero(reduced_mask(found.vase >= 0.5, 4 * CANVAS_PX).any(axis=axis)) for axis in (1, 0))
    if len(rows):
        margin = round(AGAIN_CLOSER_MARGIN * (max(np.ptp(rows), np.ptp(columns)) + 1))
        wider = np.pad(small, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
        looks.append(wider[rows[0] : rows[-1] + 1 + 2 * margin, columns[0] : columns[-1] + 1 + 2 * margin])
    views = [found.views, *(predict_cutout(network, np.ascontiguousarray(look)).views for look in looks)]
    return {name: float(np.mean([look[name] for look in views])) for name in VIEWS}


def _with_second_look(network: CutoutNet, photo: np.ndarray) -> CutoutPrediction:
    """Returns the prediction for a photograph, with a second look where `look_closely` needs it."""
    found = predict_cutout(network, photo)
    rows, columns = (np.flatnonzero((found.vase >= 0.5).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return found
    margin = round(CLOSER_MARGIN * (max(np.ptp(rows), np.ptp(columns)) + 1))
    part = tuple(slice(max(int(line[0]) - margin, 0), int(line[-1]) + 1 + margin) for line in (rows, columns))
    closer = np.ascontiguousarray(photo[part])
    is_page = found.view == "page"
    if max(closer.shape) > MAX_CLOSER * max(photo.shape) and not is_page:
        return found
    second = predict_cutout(network, closer)
    vase = np.zeros_like(found.vase)
    vase[part] = second.vase
    return CutoutPrediction(vase=vase, views=second.views if is_page else found.views)


def predict_cutout(network: CutoutNet, photo: np.ndarray) -> CutoutPrediction:
    """Returns the network's prediction for a photograph, uint8 [H, W, 3] in sRGB.

    Raises: ValueError when `photo` is no such array.
    """
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or 0 in photo.shape:
        raise ValueError(f"expected a photograph of uint8 [H, W, 3], got {photo.dtype} {list(photo.shape)}")
    height, width = photo.shape[:2]
    longer = max(height, width)
    canvas = CANVAS_PX if longer > SMALL_CANVAS_PX else SMALL_CANVAS_PX
    size = max(1, round(width * canvas / longer)), max(1, round(height * canvas / longer))
    scaled = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR), np.float32)
    left, top = (canvas - size[0]) // 2, (canvas - size[1]) // 2
    rows, columns = slice(top, top + size[1]), slice(left, left + size[0])
    picture = np.zeros((1, 4, canvas, canvas), np.float32)
    picture[0, :3, rows, columns] = scaled.transpose(2, 0, 1) / 127.5 - 1
    picture[0, 3, rows, columns] = 1
    with torch.inference_mode():
        logits, views = network(torch.from_numpy(picture).to(memory_format=torch.channels_last))
        vase = torch.sigmoid(logits[0, 0]).numpy()[rows, columns]
        shares = torch.softmax(views[0].double(), 0).tolist()
    whole = Image.fromarray(np.ascontiguousarray(vase)).resize((width, height), Image.Resampling.BILINEAR)
    return CutoutPrediction(
        vase=np.clip(np.asarray(whole, np.float32), 0, 1), views=dict(zip(VIEWS, shares, strict=True))
    )
