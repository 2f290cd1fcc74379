"""Samples what is rendered: an object with its paint, and the sides from which it is seen."""

from dataclasses import dataclass

import numpy as np

from vaserl.synthetic.scenes.bystanders import sample_bystander
from vaserl.synthetic.scenes.glaze import sample_paint
from vaserl.synthetic.scenes.handle_kinds import sample_handles
from vaserl.synthetic.scenes.pottery import Profile, sample_profile, wall_of
from vaserl.synthetic.scenes.surface import MeshPart, as_one

FOREGROUND_KINDS = ("side", "above", "mouth", "below", "close", "fallen", "bystander")
"""What a foreground shows: a whole vase from the side, from above, into its mouth, from below; a part of a vase that
fills the picture; a vase that stands on its head or lies; an object that is no vase."""
BYSTANDER_EVERY = 8
"""One of this many objects is no vase."""
SIDE_DEG = 26
"""Largest elevation of a view from the side: the lathe copes with the open mouth of a mug or bowl up to about 30."""
ABOVE_DEG = 34
"""Smallest elevation of a view from above. Between the two, people would not agree; such views are not sampled."""
ABOVE_SHARE = (0.3, 0.7)
"""Height of the mouth's ellipse, as a share of the vase's height in the picture, of a view from above."""
MOUTH_SHARE = 0.76
UPRIGHT_DIFFERENCE = 0.3
"""Smallest mean difference of a profile from itself turned upside down, in mean radii, of a form that shows which way
is up."""


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
    handles = [] if is_broken else sample_handles(profile, rng)
    sights = _sights(profile, rng)
    if handles and shows_up(profile):
        sights += (_fallen(rng),)
    return Subject(surface=as_one([wall, *handles]), texture=np.asarray(sample_paint(rng)), sights=sights)


def shows_up(profile: Profile) -> bool:
    """Returns whether a person sees from the wall alone if the vase stands on its head; a bottle or box may hide it."""
    at = np.linspace(0.02, 0.98, 49)
    radius = np.interp(at, profile.points[:, 1], profile.points[:, 0])
    # an upright vase may well have a broad foot and a narrow top, so only the opposite tells
    opens = profile.lip[0] > 0.8 * profile.belly[0] or profile.has_neck
    return (
        profile.is_open and opens and float(np.abs(radius - radius[::-1]).mean() / radius.mean()) > UPRIGHT_DIFFERENCE
    )


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
    if elevation_deg < SIDE_DEG:
        return "side"
    if share > MOUTH_SHARE or elevation_deg > 66:
        return "mouth" if profile.is_open else "above"
    return "above" if ABOVE_SHARE[0] < share < ABOVE_SHARE[1] and elevation_deg > ABOVE_DEG else ""


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
    low, high = {"side": (-12, 26), "above": (ABOVE_DEG, 66), "mouth": (45, 90), "below": (-88, -28)}[kind]
    for _ in range(60):
        level = kind == "side" and rng.random() < 0.6
        elevation = (
            float(rng.normal(5, 6)) if level else float(rng.uniform(max(low, 8) if kind == "side" else low, high))
        )
        if sight_kind(profile, elevation) == kind:
            roll = float(rng.normal(0, 0.7))
            return Sight(kind=kind, azimuth_deg=azimuth_deg, elevation_deg=elevation, roll_deg=roll)
    return None


def _fallen(rng: np.random.Generator) -> Sight:
    """A vase on its head, seen from a little above, so that its foot's underside shows; or one that lies."""
    if rng.random() < 0.55:
        elevation, roll = -rng.uniform(4, 40), 180 + rng.normal(0, 6)
    else:  # its foot or its mouth turns to the camera
        elevation, roll = rng.choice([-1, 1]) * rng.uniform(0, 50), rng.choice([-90, 90]) + rng.normal(0, 14)
    return Sight(
        kind="fallen",
        azimuth_deg=float(rng.normal(0, 10) if rng.random() < 0.5 else rng.uniform(0, 360)),
        elevation_deg=float(elevation),
        roll_deg=float(roll),
    )
