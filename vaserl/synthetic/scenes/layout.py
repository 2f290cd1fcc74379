"""Decides what each picture of a batch shows: its kind, its foregrounds, their places, the picture's frame.

Computed on the host for a whole batch, in pixels of a square canvas of `side` pixels. A picture covers a rectangle of
the canvas (`frame`); the rest is padding, as in a photograph that is not square.
"""

from dataclasses import dataclass

import numpy as np

from vaserl.meshes.cutout.views import VIEWS
from vaserl.synthetic.scenes.bank import ForegroundBank
from vaserl.synthetic.scenes.groups import MAX_OBJECTS, group_rooms, sample_groups

SCENES = ("side", "above", "mouth", "below", "detail", "sherd", "page", "several", "lying", "drawing", "other", "empty")
P_SCENES = (0.33, 0.06, 0.06, 0.03, 0.15, 0.11, 0.05, 0.09, 0.03, 0.02, 0.04, 0.03)
_WHOLE = ("side", "above", "mouth", "below")
_VIEW_OF = {"lying": "upside_down_or_lying", "empty": "other"}


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
    clutter: tuple["Objects", ...]
    """Objects behind those of some pictures, one in each; they are no vases."""
    crowded: np.ndarray
    """Numbers of the pictures whose objects are repeated in rows, int64 [K]."""


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
    free = np.isin(scenes, ("sherd", "mouth", "below")) & (rng.random(num) < 0.5)
    turns[free] = rng.uniform(-180, 180, free.sum())
    turns = np.radians(turns)
    width, height = bank.extents(foregrounds, turns)
    several = scenes == "several"
    groups = np.where(several, sample_groups(num, rng), "row")
    frames = _frames(width / height, scenes, groups, rng, side)
    count = np.where(several, np.where(rng.random(num) < 0.4, 3, 2), 1)
    rooms = group_rooms(frames, groups, count, rng)
    firsts = _placed(bank, rng, np.arange(num), foregrounds, turns, rooms[:, 0], scenes, side)
    objects = [firsts]
    for k in range(1, MAX_OBJECTS):
        who = np.flatnonzero(count > k)
        kinds = rng.choice(["side", "above", "mouth"], len(who), p=[0.8, 0.15, 0.05])
        others = np.array([rng.choice(bank.of_kind[kind]) for kind in kinds], np.int64)
        others = np.where(rng.random(len(who)) < np.where(groups[who] == "stack", 0.7, 0.15), foregrounds[who], others)
        tilt = np.radians(
            rng.normal(0, 1, len(who)) + np.where(rng.random(len(who)) < 0.15, rng.normal(0, 20, len(who)), 0)
        )
        objects.append(_placed(bank, rng, who, others, tilt, rooms[who, k], scenes[who], side))
    views = np.array([VIEWS.index(_VIEW_OF.get(scene, scene)) for scene in scenes])
    crowds = rng.random(num) < np.where(several & (groups != "cut"), 0.35, np.where(scenes == "other", 0.15, 0.0))
    return SceneLayout(
        scenes=scenes,
        views=views,
        frames=frames.astype(np.float32),
        objects=tuple(objects),
        clutter=_clutter(bank, frames, scenes, rng, side),
        crowded=np.flatnonzero(crowds),
    )


def _clutter(
    bank: ForegroundBank, frames: np.ndarray, scenes: np.ndarray, rng: np.random.Generator, side: int
) -> tuple["Objects", ...]:
    """Places objects that are no vases anywhere behind the others, many of them cut off by the frame."""
    found = []
    for _ in range(2):
        chance = np.select([scenes == "side", scenes == "empty", scenes == "other"], [0.13, 0.6, 0.25], 0.05)
        who = np.flatnonzero(rng.random(len(scenes)) < chance)
        share = rng.uniform(0.25, 1.0, (len(who), 1))
        rooms = np.concatenate([np.zeros((len(who), 2)), share * frames[who, 2:]], axis=1)
        rooms[:, :2] = frames[who, :2] + frames[who, 2:] * rng.uniform(-0.2, 1.0, (len(who), 2)) - 0.3 * rooms[:, 2:]
        turns = np.radians(rng.normal(0, 4, len(who)))
        numbers = rng.choice(bank.of_kind["bystander"], len(who))
        found.append(_placed(bank, rng, who, numbers, turns, rooms, np.full(len(who), "behind"), side))
    return tuple(found)


def _kind_of(scene: str, rng: np.random.Generator) -> str:
    """Returns the kind of foreground that a scene shows, one of FOREGROUND_KINDS."""
    if scene == "detail":
        return "close" if rng.random() < 0.45 else str(rng.choice(["side", "side", "side", "above", "mouth"]))
    if scene == "sherd":
        return str(rng.choice(["close", "close", "side", "side", "mouth"]))
    if scene == "page":
        return str(rng.choice(["side", "side", "side", "above", "mouth", "close"]))
    if scene == "several":
        return "side" if rng.random() < 0.8 else "above"
    if scene in ("other", "lying"):
        return {"other": "bystander", "lying": "fallen"}[scene]
    return scene if scene in ("above", "mouth", "below") else "side"


def _frames(
    aspect: np.ndarray, scenes: np.ndarray, groups: np.ndarray, rng: np.random.Generator, side: int
) -> np.ndarray:
    """Samples the rectangles of the pictures: photographers choose upright pictures for upright objects."""
    num = len(aspect)
    shape = aspect * np.exp(rng.normal(0.12, 0.22, num))
    shape = np.where(np.isin(scenes, ("detail", "sherd", "empty", "page")), np.exp(rng.normal(0, 0.4, num)), shape)
    wider = np.select(
        [groups == "row", groups == "stack"], [rng.uniform(1.5, 2.5, num), rng.uniform(0.5, 0.9, num)], 1.2
    )
    shape = np.where(scenes == "several", shape * wider, shape)
    shape = np.where(rng.random(num) < 0.15, 1.0, shape)
    tight = np.isin(scenes, _WHOLE) & (rng.random(num) < 0.15)
    shape = np.where(tight, aspect * np.exp(rng.normal(0, 0.04, num)), shape)
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
    """Places one foreground into each rectangle `rooms` [N, 4]; those of details and sherds are larger."""
    num = len(pictures)
    width, height = bank.extents(foregrounds, turns)
    fill = np.where(rng.random(num) < 0.75, rng.uniform(0.72, 0.97, num), rng.uniform(0.35, 0.8, num))
    fill = np.where(rng.random(num) < 0.2, rng.uniform(0.9, 0.99, num), fill)  # cropped to the vase
    scale = fill * np.minimum(rooms[:, 2] / width, rooms[:, 3] / height)
    cut = np.isin(scenes, ("detail", "sherd"))
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
    side_on = cut & bank.kind_is(foregrounds, "side")
    # a sherd with a rim: the vase's lip lies below the upper edge of the picture
    rim = side_on & (scenes == "sherd") & (rng.random(num) < 0.7)
    y = np.where(rim, rooms[:, 1] + rooms[:, 3] * rng.uniform(0.03, 0.25, num) + scale * height / 2, y)
    # a detail that shows nearly all: one edge of the frame goes through the vase
    most = side_on & (scenes == "detail") & (rng.random(num) < 0.5)
    smaller = fit * rng.uniform(0.65, 1.15, num)
    scale = np.where(most, smaller, scale)
    lost = rng.uniform(0.12, 0.5, num)
    edge = rng.choice(4, num, p=[0.2, 0.2, 0.35, 0.25])  # left, right, top, bottom
    wide, high = scale * width, scale * height
    ends_x, ends_y = (
        np.where(edge == low, start + wanted * (0.5 - lost), start + room - wanted * (0.5 - lost))
        for low, start, room, wanted in ((0, rooms[:, 0], rooms[:, 2], wide), (2, rooms[:, 1], rooms[:, 3], high))
    )
    x = np.where(most, np.where(edge < 2, ends_x, rooms[:, 0] + rooms[:, 2] * rng.normal(0.5, 0.06, num)), x)
    y = np.where(most, np.where(edge < 2, rooms[:, 1] + rooms[:, 3] * rng.normal(0.5, 0.06, num), ends_y), y)
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
