"""Random objects that are no vases: blocks, boulders, statuettes of primitives, rings, piles."""

import numpy as np

from vaserl.synthetic.scenes.surface import MeshPart, as_one, moved, spanned, swept


def sample_bystander(rng: np.random.Generator) -> MeshPart:
    """Returns a random object about 1 high that is no vase, with texture coordinates."""
    kind = str(rng.choice(["boulder", "block", "statuette", "pile", "ring"], p=[0.25, 0.15, 0.35, 0.15, 0.1]))
    if kind == "boulder":
        return _boulder(rng, (0.5, 0.5 * rng.uniform(0.4, 1.4), 0.5 * rng.uniform(0.4, 1.0)))
    if kind == "block":
        return _block(rng.uniform(0.2, 1.0, 3), rng)
    if kind == "ring":
        thick = float(rng.uniform(0.03, 0.15))
        circle = [(0.4 * np.cos(t), 0.4 * np.sin(t), 0.0) for t in np.linspace(0, 2 * np.pi, 25)]
        return swept(circle, (thick, thick), float(rng.uniform(0, 360)), float(rng.random()))
    if kind == "pile":
        parts = [_block(rng.uniform(0.1, 0.6, 3), rng) for _ in range(int(rng.integers(2, 5)))]
        return as_one([moved(part, np.eye(3), rng.normal(0, 0.2, 3)) for part in parts])
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
