"""Random handles: ears, loops, columns, volutes, lugs, high-swung ones, at one, two, three or four places."""

import numpy as np

from vaserl.synthetic.scenes.glaze import HANDLE_V
from vaserl.synthetic.scenes.pottery import Profile
from vaserl.synthetic.scenes.surface import MeshPart, swept

Path = list[tuple[float, float, float]]


def sample_handles(profile: Profile, rng: np.random.Generator) -> list[MeshPart]:
    """Returns the handles of a vase. One vase in seven has none."""
    if rng.random() < 0.14:
        return []
    thick = float(rng.uniform(0.012, 0.034) if profile.has_neck else rng.uniform(0.012, 0.06))
    size = (thick, thick * float(rng.choice([1.0, 1.0, 1.4, 2.2])))
    kinds = ["ear", "loop", "column", "volute", "swung", "lug", "hydria", "basket"]
    kind = str(rng.choice(kinds, p=[0.26, 0.22, 0.17, 0.12, 0.09, 0.06, 0.05, 0.03]))
    if kind == "hydria":
        back = swept(_ear(profile, rng), size, 180.0, HANDLE_V)
        return [back, *(s for side in (-90.0, 90.0) for s in _loop(profile, rng, size, side, _level(profile, rng)))]
    if kind == "basket":
        reach = profile.lip[0] - 0.01
        rise = float(rng.uniform(0.15, 0.5))
        arc = [(reach * np.cos(t), 0.0, 1 + rise * np.sin(t) - 0.03) for t in np.linspace(0, np.pi, 9)]
        return [swept(arc, size, 90.0, HANDLE_V)]
    if not profile.has_neck and rng.random() < 0.3:
        kind = "ear"
    single = 0.35 if profile.has_neck else 0.7
    sides = [90.0] if kind in ("ear", "swung", "lug") and rng.random() < single else [-90.0, 90.0]
    if kind == "lug" and rng.random() < 0.4:
        sides = [-90.0, 0.0, 90.0, 180.0]
    state = rng.integers(2**63)
    parts: list[MeshPart] = []
    for side in sides:
        same = np.random.default_rng(state)  # handles of one vase are alike
        if kind == "loop":
            parts += _loop(profile, same, size, side, _level(profile, same))
        elif kind == "column":
            parts += _column(profile, same, side)
        elif kind == "volute":
            parts += _volute(profile, same, side)
        elif kind == "lug":
            parts.append(swept(_lug(profile, same), size, side, HANDLE_V))
        else:
            parts.append(swept(_ear(profile, same, swung=kind == "swung"), size, side, HANDLE_V))
    missing = rng.random() < 0.06 and len(sides) > 1  # one handle is broken off
    return parts[: len(parts) // 2] if missing else parts


def _level(profile: Profile, rng: np.random.Generator) -> float:
    low, high = profile.belly[1] * 0.8, min(profile.shoulder[1] * 1.02, 0.97)
    return float(rng.uniform(min(low, high), high))


def _ear(profile: Profile, rng: np.random.Generator, swung: bool = False) -> Path:
    """A handle in a vertical plane, from neck or lip to shoulder or belly."""
    upper = float(rng.uniform(profile.shoulder[1], 0.99)) if profile.has_neck else float(rng.uniform(0.8, 0.98))
    lowest = profile.belly[1] * (0.75 if profile.has_neck else float(rng.uniform(0.15, 0.75)))
    lower = float(rng.uniform(lowest, max(lowest, min(profile.shoulder[1], upper - 0.12))))
    start, end = profile.radius_at(upper) - 0.01, profile.radius_at(lower) - 0.01
    reach = max(start, end) + float(rng.uniform(0.03, 0.22) if profile.has_neck else rng.uniform(0.06, 0.4))
    rise = float(rng.uniform(0.12, 0.45)) if swung else float(rng.uniform(-0.03, 0.07))
    top = upper + rise
    middle = (upper + lower) / 2
    corner = float(rng.uniform(0.4, 1.0))
    return [
        (start, 0.0, upper),
        (start + 0.5 * (reach - start), 0.0, top),
        (reach, 0.0, middle + (top - middle) * 0.6 * corner),
        (end + (reach - end) * float(rng.uniform(0.4, 1.0)), 0.0, lower + 0.3 * (middle - lower)),
        (end, 0.0, lower),
    ]


def _loop(
    profile: Profile, rng: np.random.Generator, size: tuple[float, float], side: float, level: float
) -> list[MeshPart]:
    """A horizontal loop, bent upwards more or less."""
    half = float(rng.uniform(0.06, 0.18)) * (0.5 + profile.belly[0])
    reach = float(rng.uniform(0.06, 0.26))
    rise = float(rng.uniform(-0.02, 0.25))
    radius = profile.radius_at(level)
    sunk = float(np.sqrt(max(radius**2 - half**2, 0.0))) - 0.015
    path = [
        (sunk, -half, level),
        (sunk + 0.5 * reach, -half * 1.12, level + 0.4 * rise),
        (sunk + reach, -half * 0.6, level + rise),
        (sunk + reach * 1.05, 0.0, level + rise * 1.05),
        (sunk + reach, half * 0.6, level + rise),
        (sunk + 0.5 * reach, half * 1.12, level + 0.4 * rise),
        (sunk, half, level),
    ]
    return [swept(path, (size[0], size[0]), side, HANDLE_V)]


def _column(profile: Profile, rng: np.random.Generator, side: float) -> list[MeshPart]:
    """Rods from the shoulder to a plate that sticks out of the lip, as on a column-krater."""
    thick = float(rng.uniform(0.016, 0.034))
    spread = float(rng.uniform(0.0, 0.07)) + 0.6 * thick
    out = profile.lip[0] + float(rng.uniform(0.02, 0.09))
    low = profile.shoulder[1] - float(rng.uniform(0.02, 0.14))
    bottom = profile.radius_at(low) - 0.01
    top = profile.lip[1] - 0.02
    bend = float(rng.uniform(0.0, 0.05))
    rods = [
        swept(
            [(bottom, y, low), (max(bottom, out) - 0.02 + bend, y, 0.5 * (low + top)), (out - 0.03, y, top)],
            (thick, thick * float(rng.uniform(1.0, 1.5))),
            side,
            HANDLE_V,
        )
        for y in ((-spread, spread) if rng.random() < 0.8 else (0.0,))
    ]
    plate_high = float(rng.uniform(0.012, 0.022))
    plate = swept(
        [(profile.lip[0] - 0.06, 0.0, top + 0.01), (out - 0.04, 0.0, top + 0.012), (out + 0.02, 0.0, top + 0.008)],
        (plate_high, spread + 2.0 * thick),
        side,
        HANDLE_V,
    )
    return [*rods, plate]


def _volute(profile: Profile, rng: np.random.Generator, side: float) -> list[MeshPart]:
    """A strap that rises from the shoulder above the lip and ends in a spiral, as on a volute-krater."""
    low = profile.shoulder[1] - float(rng.uniform(0.0, 0.12))
    bottom = profile.radius_at(low) - 0.01
    curl = float(rng.uniform(0.035, 0.085))
    centre_r, centre_z = profile.lip[0] + float(rng.uniform(-0.02, 0.03)), 1 + float(rng.uniform(0.02, 0.12))
    turns = float(rng.uniform(1.0, 2.2))
    angles = np.linspace(-0.25 * np.pi, -0.25 * np.pi + turns * 2 * np.pi, int(12 * turns))
    radii = curl * (1 - 0.75 * np.linspace(0, 1, len(angles)))
    spiral = [(centre_r + r * np.cos(a), 0.0, centre_z + r * np.sin(a)) for r, a in zip(radii, angles, strict=True)]
    out = max(bottom, profile.lip[0]) + float(rng.uniform(0.0, 0.05))
    path = [(bottom, 0.0, low), (0.6 * out + 0.4 * bottom, 0.0, low + 0.35 * (1 - low)), (out, 0.0, 0.95), *spiral]
    thick = float(rng.uniform(0.008, 0.016))
    return [swept(path, (thick, float(rng.uniform(0.02, 0.05))), side, HANDLE_V)]


def _lug(profile: Profile, rng: np.random.Generator) -> Path:
    level = _level(profile, rng)
    radius, out = profile.radius_at(level), float(rng.uniform(0.02, 0.07))
    high = float(rng.uniform(0.03, 0.07))
    start, end = profile.radius_at(level + high) - 0.01, profile.radius_at(level - high) - 0.01
    return [(start, 0.0, level + high), (max(start, radius) + out, 0.0, level), (end, 0.0, level - high)]
