"""Decides what each picture of a batch shows: its kind, its foregrounds, their places, the picture's frame.

Computed on the host for a whole batch, in pixels of a square canvas of `side` pixels. A picture covers a rectangle of
the canvas (`frame`); the rest is padding, as in a photograph that is not square.
"""

from dataclasses import dataclass

import numpy as np

from vaserl.meshes.cutout.views import VIEWS
from vaserl.synthetic.scenes.bank import ForegroundBank

SCENES = ("side", "above", "mouth", "below", "detail", "sherd", "page", "several", "lying", "drawing", "other", "empty")
P_SCENES = (0.38, 0.07, 0.07, 0.03, 0.10, 0.08, 0.08, 0.06, 0.05, 0.03, 0.03, 0.02)
_VIEW_OF = {"lying": "upside_down_or_lying", "empty": "other"}
_MAX_OBJECTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneLayout:
    """What the B pictures of a batch show."""

    scenes: np.ndarray
    """Name of each picture's scene, one of SCENES, str [B]."""
    views: np.ndarray
    """Index of each picture's view in VIEWS, int64 [B]."""
    frames: np.ndarray
    """Left, top, width and height of each picture on its canvas, in pixels, float32 [B, 4]."""
    objects: tuple["Objects", ...]
    """The first object of every picture, then the second and third of those that show several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """One object in each of N pictures."""

    pictures: np.ndarray
    """Number of each object's picture in the batch, int64 [N]."""
    foregrounds: np.ndarray
    """Number of each object's foreground in the bank, int64 [N]."""
    warps: np.ndarray
    """Maps a place on the canvas to a place on the foreground, both from -1 to 1, float32 [N, 2, 3]."""
    turns: np.ndarray
    """Angle by which each object is turned in the picture, in radians, clockwise, float32 [N]."""
    flips: np.ndarray
    """-1 for a mirrored object, otherwise 1, float32 [N]."""
    shrinks: np.ndarray
    """Size of a foreground's pixel on the canvas, in pixels, float32 [N]."""


def sample_layout(bank: ForegroundBank, rng: np.random.Generator, num: int, side: int) -> SceneLayout:
    """Samples what `num` pictures on canvases of `side` pixels show."""
    scenes = rng.permutation(rng.choice(SCENES, size=num, p=P_SCENES))
    shown = np.array([_kind_of(scene, rng) for scene in scenes])
    foregrounds = np.array([rng.choice(bank.of_kind[kind]) for kind in shown])
    turns = np.where(rng.random(num) < 0.5, rng.normal(0, 1.2, num), 0.0)
    lying = scenes == "lying"
    turns[lying] = rng.choice([180.0, 180.0, 90.0, -90.0], lying.sum()) + rng.normal(0, 10, lying.sum())
    free = np.isin(scenes, ("sherd", "mouth", "below")) & (rng.random(num) < 0.5)
    turns[free] = rng.uniform(-180, 180, free.sum())
    turns = np.radians(turns)
    width, height = bank.extents(foregrounds, turns)
    frames = _frames(width / height, scenes, rng, side)
    several = scenes == "several"
    rooms = frames.copy()
    count = np.where(several, np.where(rng.random(num) < 0.25, 3, 2), 1)
    rooms[:, 2] /= count
    firsts = _placed(bank, rng, np.arange(num), foregrounds, turns, rooms, scenes, side)
    objects = [firsts]
    for k in range(1, _MAX_OBJECTS):
        who = np.flatnonzero(count > k)
        others = rng.choice(bank.of_kind["side"], len(who))
        room = rooms[who].copy()
        room[:, 0] += k * room[:, 2] * rng.uniform(0.8, 1.0, len(who))
        tilt = np.radians(rng.normal(0, 1, len(who)))
        objects.append(_placed(bank, rng, who, others, tilt, room, scenes[who], side))
    views = np.array([VIEWS.index(_VIEW_OF.get(scene, scene)) for scene in scenes])
    return SceneLayout(scenes=scenes, views=views, frames=frames.astype(np.float32), objects=tuple(objects))


def _kind_of(scene: str, rng: np.random.Generator) -> str:
    """Returns the kind of foreground that a scene shows, one of `foregrounds.KINDS`."""
    if scene == "detail":
        return "close" if rng.random() < 0.55 else str(rng.choice(["side", "side", "above", "mouth"]))
    if scene == "sherd":
        return str(rng.choice(["close", "close", "side", "mouth"]))
    if scene == "page":
        return str(rng.choice(["side", "side", "side", "above", "mouth", "close"]))
    if scene == "other":
        return "bystander"
    return scene if scene in ("above", "mouth", "below") else "side"


def _frames(aspect: np.ndarray, scenes: np.ndarray, rng: np.random.Generator, side: int) -> np.ndarray:
    """Samples the rectangles of the pictures: photographers choose upright pictures for upright objects."""
    num = len(aspect)
    shape = aspect * np.exp(rng.normal(0.12, 0.22, num))
    shape = np.where(np.isin(scenes, ("detail", "sherd", "empty", "page")), np.exp(rng.normal(0, 0.4, num)), shape)
    shape = np.where(scenes == "several", shape * rng.uniform(1.5, 2.5, num), shape)
    shape = np.where(rng.random(num) < 0.15, 1.0, shape)
    shape = np.clip(shape, 0.4, 2.5)
    width, height = np.minimum(1, shape) * side, np.minimum(1, 1 / shape) * side
    width, height = np.round(width), np.round(height)
    return np.stack([np.floor((side - width) / 2), np.floor((side - height) / 2), width, height], axis=1)


def _placed(
    bank: ForegroundBank,
    rng: np.random.Generator,
    pictures: np.ndarray,
    foregrounds: np.ndarray,
    turns: np.ndarray,
    rooms: np.ndarray,
    scenes: np.ndarray,
    side: int,
) -> Objects:
    """Places one foreground into each rectangle `rooms` [N, 4]."""
    num = len(pictures)
    width, height = bank.extents(foregrounds, turns)
    fill = np.where(rng.random(num) < 0.75, rng.uniform(0.72, 0.97, num), rng.uniform(0.35, 0.8, num))
    fill = np.where(rng.random(num) < 0.06, 1.0, fill)  # cropped to the vase
    scale = fill * np.minimum(rooms[:, 2] / width, rooms[:, 3] / height)
    cut = (scenes == "detail") | (scenes == "sherd")
    filling = np.maximum(rooms[:, 2] / width, rooms[:, 3] / height)
    fit = np.minimum(rooms[:, 2] / width, rooms[:, 3] / height)
    close = bank.kind_is(foregrounds, "close")
    larger = np.where(close, filling * rng.uniform(1.0, 1.3, num), fit * np.exp(rng.uniform(0.3, 1.2, num)))
    scale = np.where(cut, larger, scale)
    spare_x, spare_y = rooms[:, 2] - scale * width, rooms[:, 3] - scale * height
    across = np.clip(rng.normal(0.5, 0.12, num), 0, 1)
    down = np.clip(rng.normal(0.55, 0.15, num), 0, 1)
    across, down = (np.where(cut, rng.random(num), at) for at in (across, down))
    x = rooms[:, 0] + scale * width / 2 + spare_x * across
    y = rooms[:, 1] + scale * height / 2 + spare_y * down
    flips = np.where(rng.random(num) < 0.5, -1.0, 1.0)
    return Objects(
        pictures=pictures,
        foregrounds=foregrounds,
        warps=_warps(bank.centres[foregrounds], bank.side, (x, y), scale, turns, flips, side).astype(np.float32),
        turns=turns.astype(np.float32),
        flips=flips.astype(np.float32),
        shrinks=scale.astype(np.float32),
    )


def _warps(
    centres: np.ndarray,
    foreground_side: int,
    places: tuple[np.ndarray, np.ndarray],
    scale: np.ndarray,
    turns: np.ndarray,
    flips: np.ndarray,
    side: int,
) -> np.ndarray:
    """Returns the maps from canvas to foreground, float [N, 2, 3]; both run from -1 to 1."""
    cos, sin = np.cos(turns), np.sin(turns)
    matrix = np.stack([np.stack([flips * cos, flips * sin], -1), np.stack([-sin, cos], -1)], axis=1)
    matrix /= scale[:, None, None]  # from pixels of the canvas to pixels of the foreground
    middle = np.stack(places, axis=-1)
    shift = centres - np.einsum("nij,nj->ni", matrix, middle - side / 2)
    half = foreground_side / 2
    return np.concatenate([matrix * (side / 2) / half, ((shift - half) / half)[..., None]], axis=2)
