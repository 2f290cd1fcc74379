"""Two meshes made from one photograph, and the two orders in which a judge sees them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Side = Literal["a", "b"]
"""One of the two meshes of a pair."""
Order = Literal["ab", "ba"]
"""Order in which a judge sees the meshes: "ba" shows b as the first image."""
ORDERS: tuple[Order, Order] = ("ab", "ba")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPair:
    """Two meshes of the same object, to be compared.

    Example: MeshPair(id="lathe/triposg/v00012", photo=Path("v00012.png"), a=Path("lathe/v00012.glb"),
    b=Path("triposg/v00012.glb"))
    """

    id: str
    """Unique name in a run's store."""
    photo: Path
    """Photograph that both meshes were made from."""
    a: Path
    """GLB with Y up and the front towards +Z."""
    b: Path
    """GLB like `a`."""

    def shown(self, order: Order) -> tuple[Path, Path]:
        """Returns the meshes in the order in which the judge sees them."""
        return (self.a, self.b) if order == "ab" else (self.b, self.a)


def side_shown(order: Order, position: Literal[1, 2]) -> Side:
    """Returns which mesh of a pair is the image with this number, counted from 1."""
    return "a" if (order == "ab") == (position == 1) else "b"
