"""Layout of the texture image that all parts of a vase share.

From bottom to top: a band for the underside; the outside of the wall, with the azimuth from left to right, the front in
the middle and the profile from foot to lip; a strip for each handle; a band for the inside.
"""

from dataclasses import dataclass
from itertools import pairwise

AtlasBand = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Atlas:
    """Layout of the texture image in bands of rows; a band is half-open (first, last + 1), counted from the top.

    Example: lay_out((512, 256), num_handles=2).wall == (36, 252)
    """

    size: tuple[int, int]
    """Width and height of the image in pixels."""
    inside: AtlasBand
    """Band of the vase's inside, which has a single colour."""
    handles: tuple[AtlasBand, ...]
    """Band of each handle, with the handle's length from left to right."""
    wall: AtlasBand
    """Band of the wall's outside: the first row is the lip, the last the edge of the foot."""
    underside: AtlasBand
    """Band of the vase's underside, which has a single colour."""

    def v_span(self, band: AtlasBand) -> tuple[float, float]:
        """Returns the texture coordinate v at the centres of a band's lowest and highest row; v is 0 at the image's
        bottom."""
        height = self.size[1]
        return 1 - (band[1] - 0.5) / height, 1 - (band[0] + 0.5) / height

    def v_middle(self, band: AtlasBand) -> float:
        """Returns the texture coordinate v of a band's middle."""
        return 1 - (band[0] + band[1]) / 2 / self.size[1]


def lay_out(size: tuple[int, int], num_handles: int) -> Atlas:
    """Returns the layout of an image with `size` (width, height) in pixels.

    Raises: ValueError below 32 x 64 pixels or for an odd width.
    """
    width, height = size
    if width < 32 or height < 64 or width % 2:
        raise ValueError(f"a texture must have at least 32 x 64 pixels and an even width, not {width} x {height}")
    patch, strip = max(3, height // 64), max(6, height // 16)
    edges = [patch + index * strip for index in range(num_handles + 1)]
    return Atlas(
        size=size,
        inside=(0, patch),
        handles=tuple(pairwise(edges)),
        wall=(edges[-1], height - patch),
        underside=(height - patch, height),
    )
