"""Computes the texture from the photograph: each point of the visible half has the colour of its place in the image.

The back isn't in the photograph; it repeats the front rotated by 180 degrees, since many vases have similar scenes on
both sides. Near the outline, the camera sees the wall edge-on or not at all. There, the painted figures fade into the
ground colour (the colour between the figures) at the same height, and front and back are blended. Otherwise, a figure
that the outline cuts would be continued by its mirror image. The photograph's lighting isn't removed from the texture.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.atlas import Atlas
from vaserl.meshes.lathe.axis import Axis
from vaserl.meshes.lathe.camera import CameraView
from vaserl.meshes.lathe.handle_outline import HandleOutline
from vaserl.meshes.masks import nearest

MOST_SEEN_DEG = 82.0
"""Upper limit of the azimuth, in degrees, up to which the wall is sampled from the photograph; there, the wall appears
at a seventh of its width."""
LEAST_SEEN_DEG = 40.0
"""Lower limit of the azimuth, in degrees, up to which the wall is sampled from the photograph, even where most of the
wall faces away from the camera."""
LEAST_FACING = 0.15
"""Smallest cosine between the wall's normal and the line of sight for the wall to count as visible."""
FADE_DEG = 6.0
"""Width in degrees of the zone beyond the visible wall in which the texture fades into the ground colour (the colour
behind the painted figures)."""
GROUND_DEG = 30.0
"""Width in degrees of the zones at both sides of the visible wall in which the ground colour of the wall beyond them is
found. The middle of the front may have another ground, such as the panel of a picture."""
GROUND_SHARE = 0.05
"""Standard deviation of the smoothing over neighbouring rows when the ground colour is found, as a share of the wall's
number of rows."""
BLEND_DEG = 12.0
"""Half the width, in degrees, of the zone around an azimuth of 90 degrees in which front and back are blended."""
RIM = 2
"""Width in pixels of the border inside the silhouette that isn't sampled, because its pixels are mixed with the
background."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """A photograph with the vase's mask, axis and first row, and the camera."""

    photo: np.ndarray
    """uint8 [H, W, 3] photograph at full size."""
    mask: np.ndarray
    """bool [h, w] mask of the vase in the photograph, reduced by the factor `scale`."""
    scale: float
    """Size of the mask relative to the photograph's size."""
    axis: Axis
    """Axis of rotation, in pixels of the mask."""
    first_row: float
    """Distance along the axis from `axis.y` down to the body's first row, in pixels of the mask."""
    view: CameraView
    """Camera of the photograph, with rows counted from the body's first row."""

    @property
    def pixels(self) -> float:
        """Height of the body in pixels of the mask, corrected for foreshortening."""
        return (self.view.foot_row - self.view.mouth_row) / self.view.foreshortening


def paint_atlas(atlas: Atlas, wall: np.ndarray, strips: list[np.ndarray], inside: np.ndarray) -> np.ndarray:
    """Returns the texture image, uint8 [h, w, 3].

    `wall` is the wall's texture, float64 [rows, w, 3], lip first; `strips` has the texture of each handle or part of
    one, float64 [rows, w, 3]; `inside` is the inside's colour, float64 [3].
    """
    width, height = atlas.size
    texture = np.zeros((height, width, 3))
    texture[slice(*atlas.wall)] = wall
    for band, strip in zip(atlas.handles, strips, strict=True):
        texture[slice(*band)] = strip
    texture[slice(*atlas.underside)] = np.median(wall[-3:], axis=(0, 1))
    texture[slice(*atlas.inside)] = inside
    return np.round(texture).clip(0, 255).astype(np.uint8)


class Lookup:
    """Callable that returns the photograph's colours at points of the upright frame (the image rotated so that the axis
    is vertical).

    A point outside the silhouette gets the colour of the nearest point inside it.
    """

    def __init__(self, exposure: Exposure) -> None:
        self._exposure = exposure
        inner = np.asarray(ndimage.binary_erosion(exposure.mask, iterations=RIM), bool)
        self._inner = inner if inner.any() else exposure.mask
        self._nearest = nearest(self._inner)

    def __call__(self, across: np.ndarray, row: np.ndarray) -> np.ndarray:
        """Returns colours, float64 [..., 3], at points with the distances `across` from the axis and the rows `row`, in
        pixels.

        Rows are counted from the body's first row.
        """
        exposure = self._exposure
        x, y = exposure.axis.to_photo(across, row + exposure.first_row)
        height, width = exposure.mask.shape
        column = np.clip(np.rint(x), 0, width - 1).astype(int)
        line = np.clip(np.rint(y), 0, height - 1).astype(int)
        outside = ~self._inner[line, column]
        x = np.where(outside, self._nearest[1][line, column], x)
        y = np.where(outside, self._nearest[0][line, column], y)
        # pixel centres are at half-integers in both sizes
        at = [(y + 0.5) / exposure.scale - 0.5, (x + 0.5) / exposure.scale - 0.5]
        channels = [
            ndimage.map_coordinates(exposure.photo[..., channel], at, output=np.float32, order=1, mode="nearest")
            for channel in range(3)
        ]
        return np.stack(channels, axis=-1).astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontWall:
    """The wall's texture as one photograph shows it, with `rows` rows from lip to foot and `width` columns from azimuth
    -180 to 180 degrees; 0 is towards the camera."""

    colours: np.ndarray
    """float64 [rows, width, 3]; 0 beyond the zone around 90 degrees in which front and back are blended."""
    last_deg: np.ndarray
    """float64 [rows] azimuth up to which the wall is visible on both sides."""
    places: np.ndarray
    """float64 [2, rows, width] column and row of each point in pixels of the photograph's mask; NaN where `colours` is
    0."""

    @property
    def azimuth_deg(self) -> np.ndarray:
        """Azimuth of each column's centre, float64 [width]."""
        width = self.colours.shape[1]
        return (np.arange(width) + 0.5) / width * 360.0 - 180.0


def front_wall(exposure: Exposure, look_up: Lookup, shape: tuple[int, int], profile: np.ndarray) -> FrontWall:
    """Returns the wall's texture from one photograph in `shape` (rows, width).

    The front is extended beyond 90 degrees on both sides by mirroring at the last visible azimuth.
    """
    num_rows, width = shape
    along = np.linspace(1.0, 0.0, num_rows) * (len(profile) - 1)
    radius = np.interp(along, np.arange(len(profile)), profile[:, 0]) * exposure.pixels
    height = np.interp(along, np.arange(len(profile)), profile[:, 1])
    centre = exposure.view.foot_row - height * (exposure.view.foot_row - exposure.view.mouth_row)
    azimuth_deg = (np.arange(width) + 0.5) / width * 360.0 - 180.0
    near = np.abs(azimuth_deg) < 90.0 + BLEND_DEG
    turned = np.abs(azimuth_deg[near])
    flatness = exposure.view.flatness(centre)
    last_deg = _last_seen_deg(radius, height * exposure.pixels, flatness)
    last = last_deg[:, None]
    angle = np.radians(np.sign(azimuth_deg[near]) * np.where(turned > last, 2 * last - turned, turned))
    across = radius[:, None] * np.sin(angle)
    row = centre[:, None] + (flatness * radius)[:, None] * np.cos(angle)
    front = np.zeros((num_rows, width, 3))
    seen = look_up(across, row)
    weight = np.clip((turned - last) / FADE_DEG, 0.0, 1.0)[..., None]
    front[:, near] = (1 - weight) * seen + weight * _ground(seen, (turned <= last) & (turned > last - GROUND_DEG))[
        :, None
    ]
    places = np.full((2, num_rows, width), np.nan)
    places[:, :, near] = exposure.axis.to_photo(across, row + exposure.first_row)
    return FrontWall(colours=front, last_deg=last_deg, places=places)


def with_invented_back(front: FrontWall) -> np.ndarray:
    """Returns a whole wall, float64 [rows, width, 3], whose back repeats the front, rotated by 180 degrees."""
    weight = np.clip((90.0 + BLEND_DEG - np.abs(front.azimuth_deg)) / (2 * BLEND_DEG), 0.0, 1.0)[None, :, None]
    return weight * front.colours + (1 - weight) * np.roll(front.colours, front.colours.shape[1] // 2, axis=1)


def _ground(colours: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Returns the ground colour behind the painted figures in each row, float64 [rows, 3].

    `colours` is float64 [rows, N, 3]; `seen`, bool [rows, N], is True where the photograph shows the wall at the sides.
    Each row's colours there are divided into lighter and darker ones. The ground colour is the median of one of the two
    groups, since the median of all colours would be a mixture in a row of half clay and half slip. If more than 85 % of
    them are in one group, as in a line around the vase, this group is the ground. Otherwise, the ground is the group
    that is larger in the neighbouring rows, since most of a row through a figure's body is figure.
    """
    light = np.where(seen, colours.sum(axis=2), np.nan)
    middle = (np.nanmin(light, axis=1) + np.nanmax(light, axis=1)) / 2
    is_light = light > middle[:, None]
    share = is_light.sum(axis=1) / seen.sum(axis=1)
    around = ndimage.gaussian_filter1d(share, GROUND_SHARE * len(share), mode="nearest")
    ground_is_light = np.where(np.abs(share - 0.5) > 0.35, share > 0.5, around > 0.5)
    of_ground = seen & (is_light == ground_is_light[:, None])
    return np.stack([np.median(row[chosen], axis=0) for row, chosen in zip(colours, of_ground, strict=True)])


def _last_seen_deg(radius: np.ndarray, height: np.ndarray, flatness: np.ndarray) -> np.ndarray:
    """Returns the azimuth in degrees up to which each of N circles is visible, float64 [N].

    `radius` and `height` are in pixels; the first circle is the lip. At azimuth a, the wall's normal is (sin a, -dr/dh,
    cos a) for radius r and height h. The line of sight is (0, sin e, cos e) for a camera elevation e. Up to
    normalisation, the cosine between them is cos a - dr/dh tan e. The `RIM` pixels at the outline are excluded.
    """
    slope = ndimage.gaussian_filter1d(np.diff(radius) / np.minimum(np.diff(height), -1e-3), 2.0, mode="nearest")
    slope = np.append(slope, slope[-1])
    turned_away = LEAST_FACING + slope * flatness / np.sqrt(1 - flatness**2)
    facing = np.degrees(np.arccos(np.clip(turned_away, 0.0, 1.0)))
    within_rim = np.degrees(np.arcsin(np.clip(1 - (RIM + 0.5) / np.maximum(radius, 1.0), 0.0, 1.0)))
    # at ledges the slope changes within a few rows; without smoothing, the mirrored bands would break there
    last = ndimage.gaussian_filter1d(np.minimum(facing, within_rim), 0.015 * len(radius), mode="nearest")
    return np.clip(last, LEAST_SEEN_DEG, MOST_SEEN_DEG)


def strip_of(look_up: Lookup, handle: HandleOutline, width: int, num_rows: int) -> np.ndarray:
    """Returns a handle's texture, float64 [num_rows, width, 3]: the side that faces the camera, straightened."""
    at = np.linspace(0.0, len(handle.row) - 1.0, width)
    index = np.arange(len(handle.row))
    across, row, radius = (np.interp(at, index, values) for values in (handle.across, handle.row, handle.radius))
    d_across, d_row = np.gradient(across), np.gradient(row)
    length = np.maximum(np.hypot(d_across, d_row), 1e-9)
    offset = np.linspace(-0.75, 0.75, num_rows)[:, None] * radius
    return look_up(across + offset * d_row / length, row - offset * d_across / length)


def inside_colour(exposure: Exposure, look_up: Lookup, profile: np.ndarray, lip: np.ndarray) -> np.ndarray:
    """Returns the colour of the far inner wall if the photograph shows it through the mouth, otherwise `lip`, the lip's
    colour."""
    view = exposure.view
    radius = float(profile[-1, 0]) * exposure.pixels
    if view.mouth_flatness * radius < 4 * RIM:
        return lip
    across = np.linspace(-0.5, 0.5, 32) * radius
    rows = view.mouth_row - np.linspace(0.2, 0.6, 5)[:, None] * view.mouth_flatness * radius
    return np.median(look_up(*np.broadcast_arrays(across, rows)), axis=(0, 1))
