"""A deterministic judge for machines without GPUs. It sees what a VLM judge sees, photograph and normal maps, and
never the true mesh.

A mesh's score has three parts: the intersection over union of its silhouette and the photograph's cut-out; minus the
share of visible pixels that show the back of a face, which only a surface with holes has; minus the roughness of the
normal maps. The latter two don't depend on the photograph. The judge names the mesh with the higher score; if the
scores differ by less than `MIN_DIFFERENCE`, it names the first image, which is a flip over both orders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp
from pathlib import Path

import numpy as np
import trimesh
from scipy import ndimage

from vaserl.errors import UserError
from vaserl.files import sha256_of
from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.judge.judge import JudgeCard, JudgeQuery
from vaserl.judge.montage import MONTAGE_VIEWS, UnusableInput
from vaserl.judge.reply import Reply
from vaserl.judge.verdict import JudgeRole
from vaserl.meshes import photo_comparison, second_cutout, silhouette
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.second_cutout import CUTOUT_SIDE, SecondCutouts
from vaserl.meshes.silhouette import Silhouettes
from vaserl.meshes.turntable import TurntableRenderer

GEOMETRIC_FAMILY = "geometric"
_SIDE = 160
"""Width and height of the normal maps in pixels."""
BACK_WEIGHT = 1.0
"""Weight of the share of pixels that show the back of a face."""
ROUGHNESS_WEIGHT = 1.0
"""Weight of the roughness, the median distance between a pixel's normal and the mean of its neighbours'."""
MIN_DIFFERENCE = 0.004
"""Smallest difference of two scores that counts as one."""
_SCALE = 0.02
"""Difference of scores at which the stated probability is 0.73; it orders verdicts and isn't calibrated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshScore:
    """A mesh's score and its parts."""

    iou: float
    """Intersection over union of the silhouettes; 0 if the photograph can't be cut out, for every mesh alike."""
    back: float
    """Share of visible pixels, from the sides, that show the back of a face."""
    roughness: float

    @property
    def total(self) -> float:
        """The score; larger is better."""
        return self.iou - BACK_WEIGHT * self.back - ROUGHNESS_WEIGHT * self.roughness


class GeometricJudge:
    """Answers "1" or "2" by the scores of both meshes; scores are kept for the pair's other order."""

    def __init__(self) -> None:
        self._score = lru_cache(maxsize=4_096)(self._measure)
        self._masks = lru_cache(maxsize=64)(_photo_masks)
        self._parts = lru_cache(maxsize=4_096)(self._shape)

    def answer(self, queries: Sequence[JudgeQuery]) -> list[Reply]:
        """Returns the reply to each query, in order."""
        return [self._reply(query) for query in queries]

    def score(self, mesh: Path, photo: Path) -> MeshScore:
        """Returns a mesh's score for a photograph.

        Raises: UnusableInput for a file that can't be read.
        """
        return self._score(mesh, photo)

    def _reply(self, query: JudgeQuery) -> Reply:
        first, second = (self.score(mesh, query.pair.photo).total for mesh in query.pair.shown(query.order))
        difference = first - second
        text = "2" if difference <= -MIN_DIFFERENCE else "1"
        return Reply(text=text, probability=1 / (1 + exp(-abs(difference) / _SCALE)))

    def _measure(self, mesh: Path, photo: Path) -> MeshScore:
        silhouettes, back, roughness = self._parts(mesh)
        masks = self._masks(photo)
        iou = max((silhouettes.best(mask)[0] for mask in masks), default=0.0)
        return MeshScore(iou=iou, back=back, roughness=roughness)

    def _shape(self, path: Path) -> tuple[Silhouettes, float, float]:
        try:
            model = load_mesh(path)
        except UserError as error:
            raise UnusableInput(str(error)) from error
        with TurntableRenderer(resolution=_SIDE) as turntable:
            maps = turntable.render_normal_maps(model, list(MONTAGE_VIEWS))
        mesh = model.to_mesh()
        return Silhouettes(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)), _back(maps), _roughness(maps)


def geometric_card(role: JudgeRole) -> JudgeCard:
    """Returns the geometric judge's card; its hash is that of the source code that decides its answers."""
    files = [Path(__file__), *(Path(str(m.__file__)) for m in (photo_comparison, second_cutout, silhouette))]
    from hashlib import sha256

    digest = sha256("".join(map(sha256_of, files)).encode()).hexdigest()
    return JudgeCard(name="geometric", family=GEOMETRIC_FAMILY, role=role, sha256=digest)


def _photo_masks(photo: Path) -> list[np.ndarray]:
    try:
        image = read_photograph(photo, keep_alpha=True)
    except UnreadablePhotograph as error:
        raise UnusableInput(f"{photo}: {error}") from error
    image.thumbnail((2 * CUTOUT_SIDE, 2 * CUTOUT_SIDE))
    cutouts = SecondCutouts(np.asarray(image))
    return [mask for mask in (cutouts.from_rows, cutouts.from_frame) if mask is not None]


def _normals(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the normals, float64 [N, H, W, 3], and which pixels show the mesh, bool [N, H, W]."""
    is_seen = (maps != 128).any(axis=-1)
    return maps / 127.5 - 1, is_seen


def _back(maps: np.ndarray) -> float:
    normals, is_seen = _normals(maps)
    return float((is_seen & (normals[..., 2] < -0.1)).sum() / max(is_seen.sum(), 1))


def _roughness(maps: np.ndarray) -> float:
    normals, is_seen = _normals(maps)
    inner = ndimage.binary_erosion(is_seen, np.ones((1, 5, 5)))
    if not inner.any():
        return 1.0
    near = np.asarray(ndimage.uniform_filter(normals, (0, 3, 3, 0)))  # pyright: ignore[reportArgumentType]
    return float(np.median(np.linalg.norm(normals - near, axis=-1)[inner]))
