"""Renders one turn of a vase's 3D model into a video clip, whose file is named after the hash of its content.

If turntable.stills = true, six canonical views of the model and their normal maps are written too, as
views/<vase>/front.png, views/<vase>/front_normals.png, …
"""

import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from vaserl.curation.settings import TurntableSettings
from vaserl.curation.stage import Kept, Photograph, Rejected, Verdict
from vaserl.curation.stages.lift import MESH
from vaserl.curation.stages.turntable import CLIP
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.files import atomic_file
from vaserl.meshes.film import film_fault
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.trimesh_parts import Model
from vaserl.meshes.turntable import SIX_VIEWS, TurntableRenderer


class Turntable:
    """Adds the column `clip`, the hash in the name of the video's file, and rejects 3D models that can't be loaded, and
    those whose video shows nothing or one colour only.

    Each instance has a graphics context on a thread of its own. A context is usable only on the thread that created it,
    and a pool may call `judge` on a different thread than `__init__`.
    """

    def __init__(self, settings: TurntableSettings, dataset: Path) -> None:
        self._settings, self._dataset = settings, DataSet(dataset)
        self._store = self._dataset.clips
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._renderer = self._thread.submit(TurntableRenderer, resolution=settings.resolution).result()
        # closed on its own thread: collected on another one it would stay current there and block later contexts
        weakref.finalize(self, _close, self._thread, self._renderer).atexit = False

    def judge(self, photograph: Photograph) -> Verdict:
        """Writes the clip of the photograph's 3D model, and returns the verdict."""
        path, settings = self._dataset.path / photograph.columns[MESH.name], self._settings
        try:
            model = load_mesh(path)
        except UserError as error:
            # the row names the model's file already, and a reason must not depend on the data set's path
            return Rejected(reason=str(error).removeprefix(f"{path}: "))
        clip = self._thread.submit(self._renderer.render_clip, model, settings.num_frames, settings.fps).result()
        fault = self._thread.submit(film_fault, model, clip).result()
        if fault:
            return Rejected(reason=fault)
        digest = self._store.add(clip)
        if settings.stills:
            self._thread.submit(write_stills, self._renderer, model, self._dataset.views(path.name)).result()
        return Kept(columns={CLIP.name: digest})


def write_stills(renderer: TurntableRenderer, model: Model, folder: Path) -> None:
    """Writes each of the model's `SIX_VIEWS` as NAME.png, and its normals in the camera's frame as NAME_normals.png."""
    folder.mkdir(parents=True, exist_ok=True)
    normals = dict(zip(SIX_VIEWS, renderer.render_normal_maps(model), strict=True))
    for name, view in renderer.render_six_views(model).items():
        _write_png(folder / f"{name}.png", view)
        _write_png(folder / f"{name}_normals.png", normals[name])


def _write_png(path: Path, pixels: np.ndarray) -> None:
    with atomic_file(path) as file:
        Image.fromarray(pixels).save(file, format="PNG")


def _close(thread: ThreadPoolExecutor, renderer: TurntableRenderer) -> None:
    thread.submit(renderer.close).result()
    thread.shutdown()
