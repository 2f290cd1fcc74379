"""Renders an object's colours, normals and openness, unlit, so that it can be lit anew in every picture.

A small rasteriser on torch rather than the turntable's renderer: it runs on the device that trains, where a view takes
a millisecond or two, and needs no graphics library there.
"""

import numpy as np
import torch
from torch.nn import functional as F

from vaserl.synthetic.scenes.subjects import Sight, Subject

CHANNELS = 7
"""Channels of a foreground: red, green, blue; normal's x (to the right) and y (up); openness; alpha."""
_OVERSAMPLING = 2
_FIELD_OF_VIEW_DEG = 20.0
_MOST_TESTS = {"cpu": 1 << 23, "cuda": 1 << 26}
"""Number of pixels tested at a time, by the kind of device: what fits the caches of a CPU would leave a GPU idle."""
_FAR = torch.iinfo(torch.int64).max


def rendered(subject: Subject, side: int, device: torch.device) -> torch.Tensor:
    """Returns the foregrounds of an object, one for each of its sights, uint8 [N, CHANNELS, side, side].

    Colours are RGB; normals are 128 + 127 n; openness and alpha are shares times 255. Outside the object, all but alpha
    continue what is at its edge.
    """
    surface = subject.surface
    low, high = surface.vertices.min(axis=0), surface.vertices.max(axis=0)
    centred = surface.vertices - (low + high) / 2
    centred = centred / np.linalg.norm(centred, axis=1).max()
    faces = torch.from_numpy(surface.faces.astype(np.int64)).to(device)
    texture = torch.from_numpy(subject.texture.copy()).to(device).permute(2, 0, 1)[None].float() / 255
    size = side * _OVERSAMPLING
    corners, values = [], []
    for sight in subject.sights:
        rotation = _rotation(sight)
        corners.append(_projected(centred @ rotation, sight, size))
        normals = (surface.normals @ rotation)[:, :2]
        values.append(np.concatenate([surface.uv, normals, surface.openness[:, None]], axis=1).astype(np.float32))
    drawn = _drawn(
        torch.from_numpy(np.stack(corners)).to(device),
        faces,
        torch.from_numpy(np.stack(values)).to(device),
        texture,
        size,
    )
    return _continued(drawn)


def _rotation(sight: Sight) -> np.ndarray:
    """Returns the camera-to-world rotation, float [3, 3]."""
    a, e, r = np.radians([sight.azimuth_deg, sight.elevation_deg, sight.roll_deg])
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(e), np.sin(e)], [0, -np.sin(e), np.cos(e)]])
    roll = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return turn @ tilt @ roll


def _projected(seen: np.ndarray, sight: Sight, size: int) -> np.ndarray:
    """Returns each vertex's column, row and depth (0 is near, 1 far) in a picture of `size` pixels, float32 [V, 3].

    seen: vertices in the camera's frame around the origin, within a radius of 1.
    """
    distance = 1.25 / np.tan(np.radians(_FIELD_OF_VIEW_DEG) / 2)
    shrink = distance / (distance - seen[:, 2])
    x, y = seen[:, 0] * shrink, seen[:, 1] * shrink
    half = max(np.ptp(x), np.ptp(y)) / 2
    middle_x = (x.min() + x.max()) / 2 + sight.aim[0] * half
    middle_y = (y.min() + y.max()) / 2 + sight.aim[1] * half
    scale = size / 2 / (1.03 * half / sight.zoom)
    columns, rows = size / 2 + (x - middle_x) * scale, size / 2 - (y - middle_y) * scale
    return np.stack([columns, rows, (1 - seen[:, 2]) / 2], axis=1).astype(np.float32)


def _drawn(
    corners: torch.Tensor, faces: torch.Tensor, values: torch.Tensor, texture: torch.Tensor, size: int
) -> torch.Tensor:
    """Returns N pictures, float32 [N, CHANNELS, size, size], premultiplied by an alpha of 0 or 1.

    corners: column, row and depth of the vertices in each picture, float32 [N, V, 3]. values: texture coordinates, two
    of the normal's and openness, float32 [N, V, 5].
    """
    num, num_vertices = corners.shape[:2]
    all_faces = (faces[None] + torch.arange(num, device=faces.device)[:, None, None] * num_vertices).reshape(-1, 3)
    triangles = corners.reshape(-1, 3)[all_faces]  # [N F, 3, 3]
    nearest = torch.full((num * size * size,), _FAR, dtype=torch.int64, device=corners.device)
    low = triangles[..., :2].amin(1).floor().clamp(0, size)
    extent = triangles[..., :2].amax(1).ceil().clamp(0, size) - low
    # the boxes of triangles have sides of powers of two, so that those of one size are tested together
    power = extent.clamp_min(1).log2().ceil().long()
    if corners.device.type == "cuda":
        power = power + power % 2  # of four: fewer sizes and calls for more tests
    codes = torch.where(extent.amin(1) > 0, power[:, 0] * 16 + power[:, 1], -1)
    order = torch.argsort(codes, stable=True)
    found, counts = torch.unique_consecutive(codes[order], return_counts=True)
    for code, part in zip(found.tolist(), order.split(counts.tolist()), strict=True):
        if code < 0:
            continue
        box = (1 << (code // 16), 1 << (code % 16))
        for some in part.split(max(1, _MOST_TESTS[corners.device.type] // (box[0] * box[1]))):
            picture = torch.div(some, len(faces), rounding_mode="floor")
            _test(triangles[some], some, (low[some].long(), picture), box, nearest, size)
    hit = torch.nonzero(nearest != _FAR)[:, 0]
    seen = nearest[hit] & 0xFFFFFF
    place = hit % (size * size)
    points = torch.stack([place % size, torch.div(place, size, rounding_mode="floor")], 1).float() + 0.5
    weights = _barycentric(triangles[seen], points[:, None, :])[:, 0].clamp(0, 1)
    mixed = (values.reshape(-1, 5)[all_faces[seen]] * weights[..., None]).sum(1)
    mixed = mixed / weights.sum(1, keepdim=True).clamp_min(1e-6)
    flat = torch.zeros(num * size * size, CHANNELS, device=corners.device)
    normals = mixed[:, 2:4] * (127 / 255) + 128 / 255
    flat[hit] = torch.cat([_sampled(texture, mixed[:, :2]), normals, mixed[:, 4:], torch.ones_like(mixed[:, :1])], 1)
    return flat.view(num, size, size, CHANNELS).permute(0, 3, 1, 2)


def _test(
    triangles: torch.Tensor,
    numbers: torch.Tensor,
    at: tuple[torch.Tensor, torch.Tensor],
    box: tuple[int, int],
    nearest: torch.Tensor,
    size: int,
) -> None:
    """Enters triangles [K, 3, 3] into `nearest` (depth and number of the nearest triangle of each pixel), in place.

    numbers: of the triangles [K]. at: upper left corners [K, 2] and pictures [K] of the boxes around them; box: width
    and height of these.
    """
    low, picture = at
    offsets = torch.stack(
        torch.meshgrid(torch.arange(box[0], device=low.device), torch.arange(box[1], device=low.device), indexing="xy"),
        -1,
    ).reshape(1, -1, 2)
    pixels = low[:, None] + offsets  # [K, P, 2]
    weights = _barycentric(triangles, pixels.float() + 0.5)
    depth = (weights * triangles[:, None, :, 2]).sum(-1)
    inside = (weights.amin(-1) >= -1e-4) & (pixels.amax(-1) < size)
    key = ((depth.clamp(0, 1) * 1e9).long() << 24) | numbers[:, None]
    chosen = torch.nonzero(inside.flatten())[:, 0]
    flat = ((picture[:, None] * size + pixels[..., 1]) * size + pixels[..., 0]).flatten()[chosen]
    nearest.scatter_reduce_(0, flat, key.flatten()[chosen], "amin")


def _barycentric(triangles: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Returns the barycentric coordinates [K, P, 3] of points [K, P, 2] in triangles [K, 3, ...]."""
    a, b, c = (triangles[:, None, k, :2] for k in range(3))
    area = (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
    area = torch.where(area.abs() < 1e-9, torch.full_like(area, 1e9), area)

    def half(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return (q[..., 0] - p[..., 0]) * (points[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (
            points[..., 0] - p[..., 0]
        )

    first, second = half(b, c) / area, half(c, a) / area
    degenerate = area > 1e8
    third = torch.where(degenerate, torch.full_like(first, -1.0), 1 - first - second)
    return torch.stack([first, second, third], -1)


def _sampled(texture: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
    """Returns the texture's colours [K, 3] at texture coordinates [K, 2]."""
    grid = torch.stack([uv[:, 0] * 2 - 1, 1 - uv[:, 1] * 2], -1)[None, None]
    return F.grid_sample(texture, grid, padding_mode="border", align_corners=False)[0, :, 0].T


def _continued(pictures: torch.Tensor) -> torch.Tensor:
    """Returns pictures [N, CHANNELS, 2 S, 2 S] halved, as uint8, continued outside the objects from coarser ones."""
    level = F.avg_pool2d(pictures, _OVERSAMPLING)
    pyramid = [level]
    while level.shape[-1] > 1:
        level = F.avg_pool2d(level, 2, ceil_mode=True, count_include_pad=False)
        pyramid.append(level)
    filled = pyramid[-1][:, :-1] / pyramid[-1][:, -1:].clamp_min(1e-6)
    for level in pyramid[-2::-1]:
        coarse = F.interpolate(filled, size=level.shape[-2:], mode="bilinear", align_corners=False)
        alpha = level[:, -1:]
        known = level[:, :-1] / alpha.clamp_min(1e-6)
        share = (alpha * 2).clamp(0, 1)
        filled = known * share + coarse * (1 - share)
    whole = torch.cat([filled, pyramid[0][:, -1:]], 1)
    return (whole * 255 + 0.5).clamp(0, 255).to(torch.uint8)
