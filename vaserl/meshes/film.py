"""Finds turntable videos that show nothing or a single colour, whatever the cause: nobody could describe a vase from
one."""

import numpy as np

from vaserl.files.clip import Clip
from vaserl.meshes.colour_space import linear_from_srgb
from vaserl.meshes.trimesh_parts import Model
from vaserl.meshes.turntable import Light, TurntableRenderer

MIN_SHOWN = 0.002
"""Smallest share of a frame's pixels that must differ from the background."""
TOLERANCE = 8.0
"""Distance of two colours, in 8-bit steps of RGB, up to which they count as equal."""
MIN_OTHER = 0.002
"""Smallest share of the model's pixels that must have another colour than most."""
PAINT_SIDE = 96
"""Width and height in pixels of the views that show a model's colours without shading."""
EMPTY = "the turntable video is empty"
ONE_COLOUR = "the turntable video shows one colour only: the model has no paint, or the paint can't be read"

_BACKDROP = (0.0, 1.0, 0.0)
"""Background of these views: a colour that no vase has."""
_VIEWS = ((0.0, 12.0), (120.0, 12.0), (240.0, 12.0))
_AMBIENT = Light(ambient=1.0, key=0.0, fill=0.0)


def film_fault(model: Model, clip: Clip) -> str:
    """Returns why a model's turntable video is useless, or "" if it shows a painted model.

    Must be called on a thread that may create a `TurntableRenderer`. The reason begins with `EMPTY` or is `ONE_COLOUR`.
    """
    num_empty = len(empty_frames(clip.frames))
    if num_empty:
        return f"{EMPTY}: {num_empty} of {len(clip.frames)} frames show nothing"
    if has_light_and_dark_paint(clip.frames):
        return ""
    with TurntableRenderer(PAINT_SIDE) as turntable:
        paint = turntable.render_views(model, _VIEWS, light=_AMBIENT, background=_BACKDROP)
    return ONE_COLOUR if is_one_colour(paint, 255 * np.asarray(_BACKDROP)) else ""


def empty_frames(frames: np.ndarray) -> np.ndarray:
    """Returns the indices of the frames, uint8 [N, H, W, 3], that show no more than the turntable's background."""
    return np.flatnonzero(_is_shown(frames).reshape(len(frames), -1).mean(axis=1) < MIN_SHOWN)


def has_light_and_dark_paint(frames: np.ndarray) -> bool:
    """Tells whether frames, uint8 [N, H, W, 3], differ in lightness more than shading alone can make them.

    Most vases do, and for them no further views are rendered. With ambient light of 0.58 and at most 0.8 from the
    lights, one colour varies by a factor of 2.4, in linear light; reflections add up to 0.03.
    """
    light = linear_from_srgb(frames[_is_shown(frames)][:, 1] / 255)
    if not len(light):
        return False
    # a tenth of the pixels may lie at the outline, mixed with the background
    dark, bright = np.quantile(light, [0.15, 0.85])
    return bool(bright > 0.1 and bright > 4 * dark)


def _is_shown(frames: np.ndarray) -> np.ndarray:
    background = 255 * np.asarray(TurntableRenderer.background)
    return np.linalg.norm(frames.astype(np.float32) - background, axis=-1) > TOLERANCE


def is_one_colour(views: np.ndarray, background: np.ndarray) -> bool:
    """Tells whether views without shading, uint8 [N, H, W, 3], show nothing but one colour before the background.

    At the model's outline, pixels mix its colour with the background's. Hence the mixtures of both count as this
    colour.
    """
    pixels = views.reshape(-1, 3).astype(np.float64) - background
    distance = np.linalg.norm(pixels, axis=1)
    pixels, distance = pixels[distance > TOLERANCE], distance[distance > TOLERANCE]
    if not len(pixels):
        return True
    # the outline's mixtures are nearer to the background than the colour itself
    colour = np.median(pixels[distance >= np.median(distance)], axis=0)
    share = np.clip(pixels @ colour / (colour @ colour), 0.0, 1.0)
    is_other = np.linalg.norm(pixels - share[:, None] * colour, axis=1) > TOLERANCE
    return bool(is_other.mean() < MIN_OTHER)
