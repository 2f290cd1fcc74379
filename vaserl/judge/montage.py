"""Images that a judge sees of a mesh: the montage of normal maps with the photograph inside, and the images of the
other modes.

A montage has 3 x 2 tiles: the normal maps from the front, the left, behind, the right and above, and the photograph.
Every mesh is centred and scaled to unit height, so a mesh's size and position can't be seen, nor judged.
"""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image

from vaserl.errors import UserError
from vaserl.files import sha256_of
from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.judge.mode import JudgeMode
from vaserl.judge.pair import MeshPair, Order
from vaserl.meshes import normals, offscreen, orientation, turntable
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.turntable import TurntableRenderer

MONTAGE_VIEWS = ((0.0, 12.0), (90.0, 12.0), (180.0, 12.0), (270.0, 12.0), (0.0, 60.0))
"""Views of a montage, each (turn of the mesh, elevation of the camera) in degrees."""
_PANEL_VIEWS = MONTAGE_VIEWS[:3]
_COLUMNS = 3
_BACKDROP = 128
"""Value of each channel around the photograph and behind a normal map."""
_MIN_SEEN = 1e-3
"""Smallest share of a render's pixels that a mesh must cover; a mesh that covers less can't be judged."""


class UnusableInput(UserError):
    """A mesh or photograph of a pair that no judge may be asked about; the message names the file and the reason."""


class PairImages:
    """Renders the images of pairs; use it as a context manager, because the graphics context must be released."""

    def __init__(self, mode: JudgeMode, tile_side: int) -> None:
        """tile_side: width and height in pixels of a tile of a montage, or of an image of the panel."""
        self.mode: JudgeMode = mode
        self.tile_side = tile_side
        self._turntable: TurntableRenderer | None = None
        self._tiles = lru_cache(maxsize=256)(self._render)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._turntable is not None:
            self._turntable.close()

    def of_pair(self, pair: MeshPair, order: Order) -> tuple[np.ndarray, ...]:
        """Returns the images of a query, uint8 [H, W, 3] each.

        Raises: UnusableInput for a mesh or photograph that can't be shown.
        """
        photo = thumbnail(pair.photo, self.tile_side)
        tiles = [self._tiles(mesh) for mesh in pair.shown(order)]
        if self.mode == "panel":
            return (photo, *tiles[0][: len(_PANEL_VIEWS)], *tiles[1][: len(_PANEL_VIEWS)])
        last = np.full_like(photo, _BACKDROP) if self.mode == "reference_free" else photo
        return tuple(tile_montage([*each, last]) for each in tiles)

    def montage(self, mesh: Path, photo: Path) -> np.ndarray:
        """Returns the protocol's montage of one mesh, uint8 [2 T, 3 T, 3], in any mode: reports show it."""
        tiles = self._tiles(mesh) if self.mode != "shaded" else self._normal_maps(mesh)
        return tile_montage([*tiles, thumbnail(photo, self.tile_side)])

    @property
    def _renderer(self) -> TurntableRenderer:
        if self._turntable is None:  # a report whose montages are stored needs no graphics context
            self._turntable = TurntableRenderer(resolution=self.tile_side)
        return self._turntable

    def _render(self, path: Path) -> np.ndarray:
        if self.mode != "shaded":
            return self._normal_maps(path)
        self._normal_maps(path)  # refuses what can't be seen
        return self._renderer.render_views(_loaded(path), list(MONTAGE_VIEWS))

    def _normal_maps(self, path: Path) -> np.ndarray:
        maps = self._renderer.render_normal_maps(_loaded(path), list(MONTAGE_VIEWS))
        if (maps != _BACKDROP).any(axis=-1).mean() < _MIN_SEEN:
            raise UnusableInput(f"{path}: nothing of this mesh is visible from any side; make it again")
        return maps


def tile_montage(tiles: list[np.ndarray]) -> np.ndarray:
    """Returns the tiles, uint8 [T, T, 3], side by side in rows of three."""
    rows = [np.concatenate(tiles[start : start + _COLUMNS], axis=1) for start in range(0, len(tiles), _COLUMNS)]
    return np.concatenate(rows, axis=0)


def thumbnail(photo: Path, side: int) -> np.ndarray:
    """Returns the photograph scaled to fit a square and centred in it, uint8 [side, side, 3].

    Raises: UnusableInput for a photograph that can't be read.
    """
    try:
        image = read_photograph(photo, shorter_side=side)
    except UnreadablePhotograph as error:
        raise UnusableInput(f"{photo}: {error}") from error
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    canvas = Image.new("RGB", (side, side), (_BACKDROP,) * 3)
    canvas.paste(image.resize(size, Image.Resampling.LANCZOS), ((side - size[0]) // 2, (side - size[1]) // 2))
    return np.asarray(canvas)


def render_sha256(mode: JudgeMode, tile_side: int) -> str:
    """Returns a hash of everything but meshes and photographs that decides the images: mode, size and source code."""
    total = sha256(f"{mode}\0{tile_side}\0".encode())
    for module in (turntable, normals, offscreen, orientation):
        total.update(sha256_of(Path(str(module.__file__))).encode())
    total.update(sha256_of(Path(__file__)).encode())
    return total.hexdigest()


def _loaded(path: Path):
    try:
        return load_mesh(path)
    except UserError as error:
        raise UnusableInput(str(error)) from error
