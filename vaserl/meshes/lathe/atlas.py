"""Where the parts of a vase lie in its one texture image.

From bottom to top: a patch for the underside, the outside of the wall (around from left to right, the front in the
middle; along the profile from foot to lip), a strip for each handle, a patch for the inside.
"""

from dataclasses import dataclass
from itertools import pairwise

AtlasBand = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Atlas:
    """Rows of the image, counted from its top, as half-open (first, last + 1) bands over its whole width.

    Example: lay_out((512, 256), num_handles=2).wall == (36, 252)
    """

    size: tuple[int, int]
    """Width and height of the image in pixels."""
    inside: AtlasBand
    """One colour for what lies behind the lip."""
    handles: tuple[AtlasBand, ...]
    """One strip for each handle: along it from left to right, across it from bottom to top."""
    wall: AtlasBand
    """The outside; its first row is the lip, its last the edge of the foot."""
    underside: AtlasBand
    """One colour for what stands on the table."""

    def v_span(self, band: AtlasBand) -> tuple[float, float]:
        """Texture coordinate v of the centres of a band's lowest and highest row; v grows upwards from 0 to 1."""
        height = self.size[1]
        return 1 - (band[1] - 0.5) / height, 1 - (band[0] + 0.5) / height

    def v_middle(self, band: AtlasBand) -> float:
        """Texture coordinate v of a band's middle."""
        return 1 - (band[0] + band[1]) / 2 / self.size[1]


def lay_out(size: tuple[int, int], num_handles: int) -> Atlas:
    """The layout for an image of this width and height, at least 32 x 64."""
    width, height = size
    if width < 32 or height < 64 or width % 2:
        raise ValueError(f"a texture is at least 32 x 64 and its width even, not {width} x {height}")
    patch, strip = max(3, height // 64), max(6, height // 16)
    edges = [patch + index * strip for index in range(num_handles + 1)]
    return Atlas(
        size=size,
        inside=(0, patch),
        handles=tuple(pairwise(edges)),
        wall=(edges[-1], height - patch),
        underside=(height - patch, height),
    )
