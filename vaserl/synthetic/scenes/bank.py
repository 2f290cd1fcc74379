"""Foregrounds in the memory of the device that trains, with what placing them needs to know."""

import hashlib
import multiprocessing
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch

from vaserl.errors import UserError
from vaserl.synthetic.scenes.raster import rendered
from vaserl.synthetic.scenes.subjects import FOREGROUND_KINDS, Subject, sample_subject

_SOURCES = ("bystanders", "glaze", "handle_kinds", "pottery", "raster", "subjects", "surface")


class ForegroundBank:
    """The pixels of all foregrounds on a device, and the boxes around their objects on the host."""

    def __init__(self, pixels: torch.Tensor, kinds: np.ndarray) -> None:
        """pixels: uint8 [N, raster.CHANNELS, S, S]. kinds: index of each in FOREGROUND_KINDS, int64 [N].

        Raises: UserError when a kind is missing, because every scene must have something to show.
        """
        self.pixels = pixels
        self.device = pixels.device
        self.side = pixels.shape[-1]
        self.kinds = kinds
        self.of_kind = {kind: np.flatnonzero(kinds == k) for k, kind in enumerate(FOREGROUND_KINDS)}
        if missing := [kind for kind, numbers in self.of_kind.items() if not len(numbers)]:
            raise UserError(
                f"{len(kinds)} foregrounds show none of: {', '.join(missing)}; raise foregrounds.num_objects"
            )
        boxes = _boxes(pixels[:, -1])
        self.centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        """Centre (x, y) of each object's box in pixels, float64 [N, 2]."""
        self._sizes = boxes[:, 2:] - boxes[:, :2]

    def kind_is(self, numbers: np.ndarray, kind: str) -> np.ndarray:
        """Returns which of these foregrounds are of this kind, bool [K]."""
        return self.kinds[numbers] == FOREGROUND_KINDS.index(kind)

    def extents(self, numbers: np.ndarray, turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns width and height, float64 [K] each, of the objects' boxes after turning by `turns` radians [K]."""
        cos, sin = np.abs(np.cos(turns)), np.abs(np.sin(turns))
        width, height = self._sizes[numbers].T
        return width * cos + height * sin, width * sin + height * cos

    def checksum(self) -> str:
        """Returns a hash of all foregrounds, equal for equal pixels."""
        rows = self.pixels.flatten(1)
        # two sums for each foreground; a hash of all bytes would copy gigabytes from the device
        order = torch.arange(rows.shape[1], device=self.device, dtype=torch.float64)[None] % 251
        sums = [torch.stack([part.double().sum(1), (part.double() * order).sum(1)], 1) for part in rows.split(64)]
        return hashlib.sha256(torch.cat(sums).cpu().numpy().tobytes()).hexdigest()


def render_bank(seed: int, numbers: range, side: int, device: torch.device, num_workers: int) -> ForegroundBank:
    """Renders the objects of these numbers; `num_workers` processes sample forms and paints, `device` draws them."""
    make = partial(sample_subject, seed)
    if num_workers <= 1:
        return _bank(map(make, numbers), side, device)
    # spawned: a process that uses a GPU can't be forked
    with ProcessPoolExecutor(num_workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return _bank(pool.map(make, numbers, chunksize=4), side, device)


def renderer_hash() -> str:
    """Returns the SHA-256 of the source code that decides what is rendered."""
    here = Path(__file__).parent
    return hashlib.sha256(b"\0".join((here / f"{name}.py").read_bytes() for name in _SOURCES)).hexdigest()


def _bank(subjects: Iterable[Subject], side: int, device: torch.device) -> ForegroundBank:
    pixels, kinds = [], []
    for subject in subjects:
        pixels.append(rendered(subject, side, device))
        kinds += [FOREGROUND_KINDS.index(sight.kind) for sight in subject.sights]
    return ForegroundBank(torch.cat(pixels), np.array(kinds))


def _boxes(alphas: torch.Tensor) -> np.ndarray:
    """Returns left, top, right and bottom of each object, float64 [N, 4]; the whole picture if there is none."""
    side = alphas.shape[-1]
    found = []
    for axis in (1, 2):  # over rows: columns that are covered; over columns: rows
        covered = torch.cat([(part > 127).any(axis) for part in alphas.split(256)]).cpu().numpy()
        covered[~covered.any(axis=1)] = True
        found.append((covered.argmax(axis=1), side - covered[:, ::-1].argmax(axis=1)))
    return np.stack([found[0][0], found[1][0], found[0][1], found[1][1]], axis=1).astype(np.float64)
