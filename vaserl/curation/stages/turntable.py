"""From a model to the clip that a policy sees: one turn on the turntable, stored by the hash of its content.

Where it is asked for, the six canonical views and their normal maps too: views/<vase>/front.png, front_normals.png, …
"""

import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from vaserl.curation.job.batch import RowBatch, rejecting, remaining, with_column
from vaserl.curation.settings import TurntableSettings
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.files import atomic_file
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.turntable import SIX_VIEWS, Model, TurntableRenderer

STAGE = "turntable"


class Film:
    """Adds `clip`, the hash under which the turntable lies in clips/, and rejects models that can't be filmed.

    Holds a graphics context for as long as it lives, on a thread of its own: a context serves the thread that made it,
    and a pool's calls come from others than its `__init__`.
    """

    def __init__(self, settings: TurntableSettings, dataset: Path) -> None:
        self._settings, self._dataset = settings, DataSet(dataset)
        self._store = self._dataset.clips
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._turntable = self._thread.submit(TurntableRenderer, resolution=settings.resolution).result()
        # given back on its thread too: collected on another one it would stay current there and block its successors
        weakref.finalize(self, _give_back, self._thread, self._turntable).atexit = False

    def __call__(self, batch: RowBatch) -> RowBatch:
        clips: dict[int, str] = {}
        reasons: dict[int, str] = {}
        for index in remaining(batch):
            path = self._dataset.path / batch["mesh"][index]
            try:
                model = load_mesh(path)
            except UserError as error:
                # the row names its model already, and a reason must not depend on where the data set lies
                reasons[index] = str(error).removeprefix(f"{path}: ")
                continue
            settings = self._settings
            spin = self._thread.submit(self._turntable.render_clip, model, settings.num_frames, settings.fps).result()
            clips[index] = self._store.add(spin)
            if settings.stills:
                self._thread.submit(write_stills, self._turntable, model, self._dataset.views(path.name)).result()
        return rejecting(with_column(batch, "clip", clips, ""), STAGE, reasons)


def write_stills(turntable: TurntableRenderer, model: Model, folder: Path) -> None:
    """Writes each of `SIX_VIEWS` as NAME.png, and as NAME_normals.png the normals that the camera sees there."""
    folder.mkdir(parents=True, exist_ok=True)
    normals = dict(zip(SIX_VIEWS, turntable.render_normal_maps(model), strict=True))
    for name, view in turntable.render_six_views(model).items():
        _write_png(folder / f"{name}.png", view)
        _write_png(folder / f"{name}_normals.png", normals[name])


def _write_png(path: Path, pixels: np.ndarray) -> None:
    with atomic_file(path) as file:
        Image.fromarray(pixels).save(file, format="PNG")


def _give_back(thread: ThreadPoolExecutor, turntable: TurntableRenderer) -> None:
    thread.submit(turntable.close).result()
    thread.shutdown()
