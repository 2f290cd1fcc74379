"""Random forms of vases: profiles of all proportions, with feet, lips, lids, handles, and broken or warped ones.

Twelve fixed shapes would teach the network twelve outlines. Here every measure is random, so that a form is recognised
by what all vases share: a wall that is turned around an axis.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from vaserl.synthetic.scenes.glaze import INSIDE_V, OUTSIDE_V, UNDERSIDE_V
from vaserl.synthetic.scenes.surface import NUM_SEGMENTS, MeshPart, turned

CLAY_THICKNESS = 0.02
"""Thickness of the wall, in units of the vase's height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The outline of a random vase of height 1, without handles."""

    points: np.ndarray
    """(radius, height) of the outside from foot to lip, float [N, 2]."""
    belly: tuple[float, float]
    """(radius, height) of the widest place of the body."""
    shoulder: tuple[float, float]
    """(radius, height) at which the neck begins; on a vase without neck, just below the lip."""
    lip: tuple[float, float]
    """(radius, height) of the lip's upper edge."""
    has_neck: bool
    is_open: bool
    """True if one can look into the vase; False if a lid closes it or it is solid."""

    def radius_at(self, height: float) -> float:
        """Returns the outer radius at a height."""
        return float(np.interp(height, self.points[:, 1], self.points[:, 0]))


def sample_profile(rng: np.random.Generator) -> Profile:
    """Samples a profile: foot, body, perhaps a neck, lip, perhaps a lid."""
    width = float(np.exp(rng.uniform(np.log(0.16), np.log(0.95))))
    if rng.random() < 0.5:
        width = float(rng.uniform(0.3, 0.5))  # most vases are a little higher than wide
    runs: list[list[tuple[float, float]]] = []
    is_cup = rng.random() < 0.18  # a mug, beaker, bowl or flower-pot: a plain wall that opens
    if is_cup:
        width = float(np.exp(rng.uniform(np.log(0.3), np.log(1.1))))
    base, foot_top = _foot(rng, width, runs, is_cup=is_cup)
    has_neck = not is_cup and width < 0.62 and rng.random() < 0.68
    neck_top = rng.uniform(0.93, 0.99) if rng.random() < 0.7 else 1.0
    top = float(foot_top + (neck_top - foot_top) * rng.uniform(0.55, 0.92)) if has_neck else float(neck_top)
    belly_at = float(foot_top + (top - foot_top) * rng.uniform(0.35, 0.8 if has_neck else 1.0))
    if is_cup:
        belly_at = float(foot_top + (top - foot_top) * rng.uniform(0.3, 1.0))
    closed = rng.uniform(0.28, 0.9) if has_neck else rng.uniform(0.85 if is_cup else 0.7, 1.0)
    shoulder = float(max(width * closed, 0.04))
    low, high = rng.uniform(0.45, 0.97), rng.uniform(0.05, 0.75)
    body = [(base, foot_top)]
    body.append((base + (width - base) * low, foot_top + (belly_at - foot_top) * rng.uniform(0.3, 0.6)))
    body.append((width, belly_at))
    if top - belly_at > 0.04:
        at = rng.uniform(0.4, 0.7)
        body.append((width + (shoulder - width) * high, belly_at + (top - belly_at) * at))
        body.append((shoulder, top))
    else:
        shoulder = width
        body[-1] = (width, top)
    runs.append(body)
    radius = shoulder
    if has_neck:
        flare = rng.uniform(0.75, 1.7)
        waist = rng.uniform(0.75, 1.0)
        start = shoulder * rng.uniform(0.8, 1.0)
        radius = float(min(start * flare, 1.3 * width))
        middle = top + (neck_top - top) * rng.uniform(0.3, 0.6)
        runs.append([(start, top), (min(start, radius) * waist, middle), (radius, float(neck_top))])
    lip = _lip(rng, radius, float(neck_top), runs)
    is_open = rng.random() > 0.06
    if not is_open:
        _lid(rng, lip, runs)
    points = np.concatenate([_smooth(np.array(run)) for run in runs])
    points[:, 1] = np.maximum.accumulate(points[:, 1])
    scale = points[:, 1].max()
    points /= scale
    if rng.random() < 0.25:
        ripple = gaussian_filter1d(rng.normal(0, 1, len(points)), 2.0)
        points[:, 0] *= 1 + 0.012 * ripple
    if rng.random() < 0.1:  # ribs of the wheel, or the waists of a gourd
        count = float(rng.uniform(1, 14))
        points[:, 0] *= 1 + 0.1 / (1 + count) * np.sin(2 * np.pi * (count * points[:, 1] + rng.random()))
    return Profile(
        points=np.maximum(points, 1e-3),
        belly=(width / scale, belly_at / scale),
        shoulder=(shoulder / scale, top / scale),
        lip=(lip[0] / scale, lip[1] / scale),
        has_neck=bool(has_neck),
        is_open=is_open,
    )


def wall_of(profile: Profile, rng: np.random.Generator, *, is_broken: bool = False) -> MeshPart:
    """Returns the wall of a vase with this profile: underside, outside, inside.

    A broken vase ends at the top in a jagged edge.
    """
    outside = profile.points
    foot = outside[0]
    rise = rng.uniform(0.0, 0.05)
    underside = np.array([[0.0, rise], [0.6 * foot[0], rise], [0.82 * foot[0], foot[1]]])
    if profile.is_open:
        depth = rng.uniform(0.03, 0.12) if profile.belly[0] < 0.5 else rng.uniform(0.02, 0.05)
        floor = max(0.5 * (outside[0, 1] + profile.belly[1]) * rng.uniform(0.2, 0.9), depth)
        inner = np.linspace(outside[-1, 1], min(floor, outside[-1, 1] - 0.03), 28)
        thickness = CLAY_THICKNESS * rng.uniform(0.6, 1.6)
        radii = np.maximum(np.interp(inner, outside[:, 1], outside[:, 0]) - thickness, 0.01)
        inside = np.concatenate([np.stack([radii, inner], axis=1), [[0.0, inner[-1] - 0.01]]])
    else:
        inside = np.zeros((0, 2))
    rows = np.concatenate([underside, outside, inside])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(outside, axis=0).T))])
    v = np.concatenate(
        [
            np.full(len(underside), UNDERSIDE_V),
            OUTSIDE_V[0] + along / along[-1] * (OUTSIDE_V[1] - OUTSIDE_V[0]),
            np.linspace(INSIDE_V[1], INSIDE_V[0], len(inside)),
        ]
    )
    openness = np.concatenate([np.full(len(underside), 0.35), _sky(outside), _sky_inside(inside)])
    azimuth = np.linspace(-np.pi, np.pi, NUM_SEGMENTS + 1)
    radius = np.repeat(rows[:, :1], NUM_SEGMENTS + 1, axis=1)
    height = np.repeat(rows[:, 1:], NUM_SEGMENTS + 1, axis=1)
    if profile.is_open and rng.random() < 0.12:
        radius *= _trefoil(rows, azimuth, rng)
    if rng.random() < 0.08:
        radius *= _fluted(azimuth, rng)
    if is_broken:
        radius, height = _broken(radius, height, outside, azimuth, rng)
    warp = rng.normal(0, 0.008, 3)
    radius *= 1 + warp[0] * np.cos(2 * (azimuth - rng.uniform(0, 6))) + warp[1] * np.cos(azimuth - rng.uniform(0, 6))
    height = height + warp[2] * radius * np.cos(azimuth - rng.uniform(0, 6))
    return turned(radius, height, v, openness)


def _foot(
    rng: np.random.Generator, width: float, runs: list[list[tuple[float, float]]], *, is_cup: bool
) -> tuple[float, float]:
    """Appends the foot's runs; returns radius and height at which the body begins."""
    kind = rng.choice(
        ["none", "ring", "disc", "steps", "flare", "stem", "round"], p=[0.1, 0.2, 0.2, 0.18, 0.12, 0.14, 0.06]
    )
    if is_cup and rng.random() < 0.7:
        return float(width * rng.uniform(0.4, 1.0)), 0.0
    if kind == "round":
        return float(0.02 + 0.1 * width * rng.random()), 0.0
    if kind == "none":
        return float(width * rng.uniform(0.25, 0.95)), 0.0
    base = float(width * rng.uniform(0.25, 0.75))
    high = float(rng.uniform(0.015, 0.09))
    spread = float(base * rng.uniform(1.02, 1.5))
    if kind == "ring":
        runs.append([(spread, 0.0), (spread * rng.uniform(0.95, 1.05), high)])
    elif kind == "disc":
        runs.append([(spread * 0.94, 0.0), (spread, high * 0.5), (spread * 0.93, high)])
    elif kind == "steps":
        first = high * rng.uniform(0.35, 0.65)
        runs.append([(spread, 0.0), (spread * 1.02, first * 0.5), (spread * 0.98, first)])
        runs.append([(spread * 0.85, first), (spread * 0.88, (first + high) / 2), (spread * 0.83, high)])
        if rng.random() < 0.5:
            third = high + rng.uniform(0.01, 0.04)
            runs.append([(base, high), (base * 0.92, (high + third) / 2), (base, third)])
            high = float(third)
    elif kind == "flare":
        runs.append([(spread * 1.15, 0.0), (spread * 1.1, high * 0.25), (base * 0.95, high)])
        base *= 0.95
    else:
        tall = float(rng.uniform(0.08, 0.5))
        thin = float(width * rng.uniform(0.08, 0.3))
        spread = float(width * rng.uniform(0.35, 0.75))
        edge = rng.uniform(0.01, 0.03)
        runs.append([(spread, 0.0), (spread, edge)])
        runs.append([(spread * 0.95, edge), (thin * 1.6, edge + 0.2 * tall), (thin, 0.6 * tall), (thin * 1.1, tall)])
        return thin * 1.1, tall
    return base, high


def _lip(
    rng: np.random.Generator, radius: float, height: float, runs: list[list[tuple[float, float]]]
) -> tuple[float, float]:
    """Appends the lip's runs; returns radius and height of its upper edge."""
    if height >= 1.0:
        return radius, height
    kind = rng.choice(["torus", "plate", "flare", "cup", "ridge"])
    if kind == "torus":
        out = radius * rng.uniform(1.04, 1.3)
        runs.append(
            [(radius, height), (out, height + 0.25 * (1 - height)), (out, 0.99 - 0.2 * (1 - height)), (out * 0.97, 1.0)]
        )
        return float(out * 0.97), 1.0
    if kind == "plate":  # the broad flat rim of a column-krater
        out = radius + rng.uniform(0.01, 0.09)
        under = height + rng.uniform(0.1, 0.6) * (1 - height)
        runs.append([(radius, height), (out * 0.97, under)])
        runs.append([(out, under), (out, 1.0)])
        return float(out), 1.0
    if kind == "flare":
        out = radius * rng.uniform(1.05, 1.5)
        runs.append([(radius, height), (0.6 * radius + 0.4 * out, 0.5 * (1 + height)), (out, 1.0)])
        return float(out), 1.0
    if kind == "cup":
        out = radius * rng.uniform(1.05, 1.25)
        runs.append([(radius, height), (out, height + 0.3 * (1 - height))])
        runs.append([(out * 0.95, height + 0.3 * (1 - height)), (out * rng.uniform(0.95, 1.1), 1.0)])
        return runs[-1][-1]
    out = radius * 1.03
    runs.append([(out, height), (out, 1.0)])
    return float(out), 1.0


def _lid(rng: np.random.Generator, lip: tuple[float, float], runs: list[list[tuple[float, float]]]) -> None:
    radius, height = lip
    rise = float(rng.uniform(0.03, 0.16))
    knob = float(min(radius * rng.uniform(0.1, 0.3), 0.08))
    over = radius * rng.uniform(0.95, 1.08)
    runs.append([(over, height + 0.005), (over, height + 0.02)])
    runs.append([(over, height + 0.02), (over * 0.6, height + 0.02 + rise * 0.75), (knob * 0.6, height + 0.02 + rise)])
    top = height + 0.02 + rise
    runs.append(
        [(knob * 0.6, top), (knob, top + 0.5 * knob), (knob * 0.9, top + 1.2 * knob), (0.002, top + 1.5 * knob)]
    )


def _smooth(points: np.ndarray) -> np.ndarray:
    along = np.concatenate([[0.0], np.cumsum(np.maximum(np.hypot(*np.diff(points, axis=0).T), 1e-6))])
    count = int(np.clip(round(along[-1] / 0.02), 3, 60))
    return PchipInterpolator(along, points)(np.linspace(0.0, along[-1], count))


def _sky(outside: np.ndarray) -> np.ndarray:
    """Returns how much of the sky each point of the outside sees past the wall above it, float [N]."""
    reach = outside[None, :, 0] - outside[:, None, 0]
    rise = np.maximum(outside[None, :, 1] - outside[:, None, 1], 1e-3)
    hidden = np.where(np.triu(np.ones(reach.shape, bool), 1) & (rise < 0.4), np.arctan2(reach, rise), 0.0)
    return 1 - 0.75 * np.clip(hidden.max(axis=1) / (np.pi / 2), 0, 1)


def _sky_inside(inside: np.ndarray) -> np.ndarray:
    if not len(inside):
        return np.zeros(0)
    depth = (inside[0, 1] - inside[:, 1]) / max(inside[0, 0], 0.02)
    return 0.9 / (1 + 0.9 * depth**1.5)


def _trefoil(rows: np.ndarray, azimuth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    lip = np.clip((rows[:, 1] - 0.8) / 0.2, 0, 1) ** 2
    return 1 + rng.uniform(0.15, 0.35) * lip[:, None] * np.cos(3 * (azimuth + np.pi / 2))[None]


def _fluted(azimuth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the factor of a section with upright flutes or flat facets, float [1, M]."""
    if rng.random() < 0.6:
        return 1 + rng.uniform(0.01, 0.03) * np.cos(int(rng.integers(6, 18)) * azimuth)[None]
    half = np.pi / int(rng.integers(4, 9))
    return np.cos(half) / np.cos((azimuth + np.pi + rng.uniform(0, 2 * half)) % (2 * half) - half)[None]


def _broken(
    radius: np.ndarray, height: np.ndarray, outside: np.ndarray, azimuth: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts the wall off along a jagged line around the vase."""
    num = int(rng.integers(6, 16))
    level = rng.uniform(0.45, 0.95)
    knots = np.clip(level + rng.uniform(0.03, 0.25) * rng.normal(0, 1, num), 0.3, 1.0)
    cut = np.interp(azimuth, np.linspace(-np.pi, np.pi, num + 1), np.append(knots, knots[0]))[None]
    is_outer = np.arange(len(radius))[:, None] < 3 + len(outside)
    lowered = np.minimum(height, cut)
    at_cut = np.interp(cut[0], outside[:, 1], outside[:, 0])[None]
    shrunk = np.where(is_outer, at_cut, np.maximum(at_cut - CLAY_THICKNESS, 0.01))
    return np.where(height > cut, shrunk, radius), lowered
