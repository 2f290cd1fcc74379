"""Random objects that are no vases: blocks, boulders, figures, beasts, legs, tables, plates, rings, bars, piles."""

import numpy as np

from vaserl.synthetic.scenes.surface import MeshPart, as_one, moved, spanned, swept


def sample_bystander(rng: np.random.Generator) -> MeshPart:
    """Returns a random object about 1 high that is no vase, with texture coordinates."""
    kinds = ["boulder", "block", "statuette", "pile", "ring", "leg", "table", "beast", "bar", "slab"]
    kind = str(rng.choice(kinds, p=[0.12, 0.08, 0.2, 0.14, 0.06, 0.1, 0.07, 0.09, 0.08, 0.06]))
    if kind in ("leg", "bar"):
        return _limb(rng, is_upright=kind == "leg")
    if kind == "table":
        return _table(rng)
    if kind == "beast":
        return _beast(rng)
    if kind == "slab":
        return _block(np.array([rng.uniform(0.3, 1.0), rng.uniform(0.5, 1.0), rng.uniform(0.02, 0.15)]), rng)
    if kind == "boulder":
        return _boulder(rng, (0.5, 0.5 * rng.uniform(0.4, 1.4), 0.5 * rng.uniform(0.4, 1.0)))
    if kind == "block":
        return _block(rng.uniform(0.2, 1.0, 3), rng)
    if kind == "ring":
        thick = float(rng.uniform(0.03, 0.15))
        circle = [(0.4 * np.cos(t), 0.4 * np.sin(t), 0.0) for t in np.linspace(0, 2 * np.pi, 25)]
        return swept(circle, (thick, thick), float(rng.uniform(0, 360)), float(rng.random()))
    if kind == "pile":
        count, spread = int(rng.integers(2, 8)), rng.uniform(0.15, 0.5)
        parts = [
            _block(rng.uniform(0.1, 0.6, 3), rng)
            if rng.random() < 0.5
            else _boulder(rng, tuple(rng.uniform(0.06, 0.3, 3)))
            for _ in range(count)
        ]
        return as_one([moved(part, _rotation(rng.normal(0, 0.5)), rng.normal(0, spread, 3)) for part in parts])
    return _statuette(rng)


def _statuette(rng: np.random.Generator) -> MeshPart:
    """A standing or sitting figure: trunk, head, limbs and perhaps a base."""
    parts = [moved(_boulder(rng, (0.17, 0.28, 0.13)), np.eye(3), np.array([0, 0.5, 0]))]
    parts.append(moved(_boulder(rng, (0.1, 0.12, 0.1)), np.eye(3), np.array([rng.normal(0, 0.03), 0.88, 0.02])))
    for side in (-1.0, 1.0):
        for at, spread in ((0.62, 0.9), (0.25, 0.25)):
            limb = _boulder(rng, (float(rng.uniform(0.035, 0.07)), float(rng.uniform(0.15, 0.26)), 0.05))
            tilt = _rotation(side * spread * rng.uniform(0, 1.4)) @ _rotation(rng.normal(0, 0.5), axis=0)
            parts.append(moved(limb, tilt, np.array([side * rng.uniform(0.06, 0.2), at, rng.normal(0, 0.05)])))
    if rng.random() < 0.6:
        parts.append(_block(np.array([rng.uniform(0.3, 0.7), 0.12, rng.uniform(0.3, 0.6)]), rng))
    return as_one(parts)


def _limb(rng: np.random.Generator, *, is_upright: bool) -> MeshPart:
    """A bent rod with knobs: the leg of a lamp or table, or a handle, tool or branch."""
    count = int(rng.integers(4, 7))
    along = np.linspace(0, 1, count)
    path = np.stack([np.cumsum(rng.normal(0, 0.12, count)), np.zeros(count), along], axis=1)
    if not is_upright:
        path = path[:, [2, 1, 0]]
    thick = float(rng.uniform(0.02, 0.09))
    parts = [swept(path.tolist(), (thick, thick * float(rng.uniform(0.7, 1.5))), 90.0, float(rng.random()))]
    for at in (0, -1, int(rng.integers(count))):
        if rng.random() < 0.8:
            knob = _boulder(rng, tuple(rng.uniform(0.7, 3.0, 3) * thick))
            parts.append(moved(knob, np.eye(3), np.array([path[at, 0], path[at, 2], 0.0])))
    return as_one(parts)


def _table(rng: np.random.Generator) -> MeshPart:
    """A board on legs, or a chair."""
    wide, deep, high, thick = (
        rng.uniform(0.3, 0.8),
        rng.uniform(0.2, 0.6),
        rng.uniform(0.2, 0.9),
        rng.uniform(0.02, 0.1),
    )
    parts = [moved(_block(np.array([wide, thick, deep]), rng), np.eye(3), np.array([0, high, 0]))]
    for x in (-1, 1):
        for z in (-1, 1):
            leg = _block(np.array([0.7 * thick, high, 0.7 * thick]), rng)
            parts.append(moved(leg, np.eye(3), np.array([x * 0.45 * wide, high / 2, z * 0.45 * deep])))
    if rng.random() < 0.4:
        back = _block(np.array([wide, high, thick]), rng)
        parts.append(moved(back, np.eye(3), np.array([0, 1.5 * high, -deep / 2])))
    return as_one(parts)


def _beast(rng: np.random.Generator) -> MeshPart:
    """A trunk on four legs, with a head and perhaps a tail."""
    long, high = rng.uniform(0.25, 0.45), rng.uniform(0.15, 0.4)
    parts = [moved(_boulder(rng, (long, rng.uniform(0.1, 0.2), 0.13)), np.eye(3), np.array([0, high, 0]))]
    head = _boulder(rng, (rng.uniform(0.08, 0.16), 0.1, 0.08))
    parts.append(moved(head, _rotation(rng.normal(0, 0.5)), np.array([long, high + rng.uniform(0, 0.3), 0.0])))
    for x in (-0.7, 0.7):
        for z in (-0.08, 0.08):
            leg = _boulder(rng, (rng.uniform(0.03, 0.06), 0.6 * high, 0.05))
            parts.append(moved(leg, np.eye(3), np.array([x * long, 0.4 * high, z])))
    if rng.random() < 0.6:
        path = [
            (long, 0.0, high),
            (1.3 * long, 0.0, high + rng.normal(0, 0.1)),
            (1.5 * long, 0.0, high + rng.normal(0, 0.2)),
        ]
        parts.append(swept(path, (0.02, 0.02), -90.0, float(rng.random())))
    return as_one(parts)


def _rotation(angle: float, axis: int = 2) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    first, second = (k for k in range(3) if k != axis)
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cos
    matrix[first, second], matrix[second, first] = -sin, sin
    return matrix


def _boulder(rng: np.random.Generator, radii: tuple[float, float, float]) -> MeshPart:
    """An ellipsoid with dents."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, 40)[:, None]
    azimuth = np.linspace(-np.pi, np.pi, 49)[None]
    parts = np.broadcast_arrays(
        np.cos(latitude) * np.sin(azimuth), np.sin(latitude), np.cos(latitude) * np.cos(azimuth)
    )
    ball = np.stack(parts, axis=-1)
    field = np.zeros(ball.shape[:2])
    for _ in range(6):
        field += np.sin(ball @ rng.normal(0, float(rng.uniform(1, 4)), 3) + rng.uniform(0, 6))
    ball = ball * (1 + float(rng.uniform(0.02, 0.09)) * field)[..., None] * np.array(radii)
    return spanned(ball, np.linspace(0.1, 0.8, 40), np.linspace(0.5, 1.0, 40))


def _block(size: np.ndarray, rng: np.random.Generator) -> MeshPart:
    """A box with these edges, around the origin."""
    sides = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = np.zeros(3)
            normal[axis] = sign
            u, w = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3] * sign
            corners = np.array([normal + a * u + b * w for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
            sides.append(
                MeshPart(
                    vertices=corners * size / 2,
                    normals=np.repeat(normal[None], 4, axis=0),
                    faces=np.array([[0, 1, 2], [0, 2, 3]]),
                    uv=rng.uniform(0, 1, 2) + np.array([[0, 0], [0.4, 0], [0.4, 0.3], [0, 0.3]]),
                    openness=np.full(4, 0.75 + 0.25 * normal[1]),
                )
            )
    return as_one(sides)
