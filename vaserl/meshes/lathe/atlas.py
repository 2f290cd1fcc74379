"""Layout of the texture image that all parts of a vase share.

From bottom to top, the image contains a band for the underside, a band for the outside of the wall, a band for each
handle and a band for the inside. In the wall's band, the azimuth runs from left to right with the front in the middle,
and the profile runs from foot to lip.
"""

from dataclasses import dataclass
from itertools import pairwise

AtlasBand = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Atlas:
    """Bands of rows in the texture image; a band is (first row, last row + 1), with row 0 at the top.

    Example: lay_out((512, 256), num_handles=2).wall == (36, 252)
    """

    size: tuple[int, int]
    """Width and height of the image in pixels."""
    inside: AtlasBand
    """Band of the vase's inside, which has a single colour."""
    handles: tuple[AtlasBand, ...]
    """Band of each handle; the handle's length runs from left to right."""
    wall: AtlasBand
    """Band of the wall's outside: the first row is the lip, the last row the edge of the foot."""
    underside: AtlasBand
    """Band of the vase's underside, which has a single colour."""

    def v_span(self, band: AtlasBand) -> tuple[float, float]:
        """Returns the texture coordinate v at the centre of a band's lowest row and of its highest row.

        v is 0 at the image's bottom.
        """
        height = self.size[1]
        return 1 - (band[1] - 0.5) / height, 1 - (band[0] + 0.5) / height

    def v_middle(self, band: AtlasBand) -> float:
        """Returns the texture coordinate v at the middle of a band."""
        return 1 - (band[0] + band[1]) / 2 / self.size[1]


def lay_out(size: tuple[int, int], num_handles: int) -> Atlas:
    """Returns the layout of an image with `size` (width, height) in pixels.

    Raises: ValueError for a width below 32, a height below 64 or an odd width.
    """
    width, height = size
    if width < 32 or height < 64 or width % 2:
        raise ValueError(f"a texture must have at least 32 x 64 pixels and an even width, got {width} x {height}")
    patch, strip = max(3, height // 64), max(6, height // 16)
    edges = [patch + index * strip for index in range(num_handles + 1)]
    return Atlas(
        size=size,
        inside=(0, patch),
        handles=tuple(pairwise(edges)),
        wall=(edges[-1], height - patch),
        underside=(height - patch, height),
    )
