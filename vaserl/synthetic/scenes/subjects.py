"""Samples what is rendered: an object with its paint, and the sides from which it is seen."""

from dataclasses import dataclass

import numpy as np

from vaserl.synthetic.scenes.bystanders import sample_bystander
from vaserl.synthetic.scenes.glaze import sample_paint
from vaserl.synthetic.scenes.handle_kinds import sample_handles
from vaserl.synthetic.scenes.pottery import Profile, sample_profile, wall_of
from vaserl.synthetic.scenes.surface import MeshPart, as_one

FOREGROUND_KINDS = ("side", "above", "mouth", "below", "close", "bystander")
"""What a foreground shows: a whole vase from the side, from above, into its mouth, from below; a part of a vase that
fills the picture; an object that is no vase."""
BYSTANDER_EVERY = 12
"""One of this many objects is no vase."""
SIDE_SHARE = 0.24
"""Largest height of the mouth's ellipse, as a share of the vase's height in the picture, of a view from the side."""
ABOVE_SHARE = (0.32, 0.7)
"""The same share for a view from above. Between the two, people would not agree; such views are not sampled."""
MOUTH_SHARE = 0.76


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The direction from which an object is rendered, and the part of it that fills the picture."""

    kind: str
    """One of FOREGROUND_KINDS."""
    azimuth_deg: float
    elevation_deg: float
    """Angle of the camera above the horizontal."""
    roll_deg: float = 0.0
    zoom: float = 1.0
    """1 shows the whole object; larger numbers cut it off."""
    aim: tuple[float, float] = (0.0, 0.0)
    """Shift of the camera to the right and up, in halves of the object's size in the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An object and the sides from which it is rendered."""

    surface: MeshPart
    texture: np.ndarray
    """RGB, uint8 [H, W, 3]; the first row is at the texture coordinate v = 1."""
    sights: tuple[Sight, ...]


def sample_subject(seed: int, number: int) -> Subject:
    """Samples one object; seed and number decide on it."""
    rng = np.random.default_rng([seed, 0, number])
    if number % BYSTANDER_EVERY == 1:
        sights = tuple(
            Sight(kind="bystander", azimuth_deg=float(a), elevation_deg=float(e))
            for a, e in zip(rng.uniform(0, 360, 4), rng.uniform(-5, 35, 4), strict=True)
        )
        return Subject(surface=sample_bystander(rng), texture=np.asarray(sample_paint(rng)), sights=sights)
    profile = sample_profile(rng)
    is_broken = profile.is_open and bool(rng.random() < 0.1)
    wall = wall_of(profile, rng, is_broken=is_broken)
    surface = as_one([wall, *([] if is_broken else sample_handles(profile, rng))])
    return Subject(surface=surface, texture=np.asarray(sample_paint(rng)), sights=_sights(profile, rng))


def sight_kind(profile: Profile, elevation_deg: float) -> str:
    """Returns what a view from this elevation shows, or "" where people would not agree."""
    if elevation_deg < -28:
        return "below"
    if elevation_deg < -13:
        return ""
    angle = np.radians(max(elevation_deg, 0.0))
    # a lid hides the mouth, but the vase is foreshortened as much
    mouth = 2 * profile.lip[0] * np.sin(angle)
    share = mouth / (mouth + np.cos(angle))
    if share < SIDE_SHARE and elevation_deg < 27:
        return "side"
    if share > MOUTH_SHARE or elevation_deg > 66:
        return "mouth" if profile.is_open else "above"
    return "above" if ABOVE_SHARE[0] < share < ABOVE_SHARE[1] and elevation_deg > 20 else ""


def _sights(profile: Profile, rng: np.random.Generator) -> tuple[Sight, ...]:
    across = rng.normal(90, 8) if rng.random() < 0.7 else rng.uniform(0, 360)
    azimuths = [rng.normal(0, 8), across, rng.uniform(0, 360), rng.uniform(0, 360)]
    sights = [_sampled(profile, "side", float(azimuth), rng) for azimuth in azimuths]
    sights.append(_sampled(profile, "above", float(rng.uniform(0, 360)), rng))
    sights.append(_sampled(profile, "mouth", float(rng.choice([0.0, 90.0, rng.uniform(0, 360)])), rng))
    if rng.random() < 0.6:
        sights.append(_sampled(profile, "below", float(rng.uniform(0, 360)), rng))
    close = Sight(
        kind="close",
        azimuth_deg=float(rng.uniform(0, 360)),
        elevation_deg=float(rng.uniform(-10, 20)),
        roll_deg=float(rng.normal(0, 3)),
        zoom=float(rng.uniform(1.8, 6.0)),
        aim=(float(rng.uniform(-0.4, 0.4)), float(rng.uniform(-0.5, 0.5))),
    )
    return (*(sight for sight in sights if sight is not None), close)


def _sampled(profile: Profile, kind: str, azimuth_deg: float, rng: np.random.Generator) -> Sight | None:
    """Samples an elevation of this kind; None if this form has none."""
    low, high = {"side": (-12, 26), "above": (20, 66), "mouth": (45, 90), "below": (-88, -28)}[kind]
    for _ in range(60):
        elevation = float(rng.normal(6, 7)) if kind == "side" else float(rng.uniform(low, high))
        if sight_kind(profile, elevation) == kind:
            roll = float(rng.normal(0, 0.7))
            return Sight(kind=kind, azimuth_deg=azimuth_deg, elevation_deg=elevation, roll_deg=roll)
    return None
