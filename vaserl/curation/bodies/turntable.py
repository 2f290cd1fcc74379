"""One turn of a model on the turntable, rendered into a clip that is stored by the hash of its content.

On request the six canonical views and their normal maps are kept too: views/<vase>/front.png, front_normals.png, …
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
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.turntable import SIX_VIEWS, Model, TurntableRenderer


class Turntable:
    """Adds `clip`, the hash under which the clip lies in clips/, and rejects models that can't be rendered.

    Holds a graphics context for as long as it lives, on a thread of its own: a context serves the thread that made it,
    and a pool's calls come from other threads than its `__init__`.
    """

    def __init__(self, settings: TurntableSettings, dataset: Path) -> None:
        self._settings, self._dataset = settings, DataSet(dataset)
        self._store = self._dataset.clips
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._renderer = self._thread.submit(TurntableRenderer, resolution=settings.resolution).result()
        # closed on its thread too: collected on another one it would stay current there and block later contexts
        weakref.finalize(self, _close, self._thread, self._renderer).atexit = False

    def judge(self, photograph: Photograph) -> Verdict:
        """Returns the verdict on the photograph's model, after its clip is written."""
        path, settings = self._dataset.path / photograph.columns[MESH.name], self._settings
        try:
            model = load_mesh(path)
        except UserError as error:
            # the row names its model already, and a reason must not depend on where the data set lies
            return Rejected(reason=str(error).removeprefix(f"{path}: "))
        clip = self._thread.submit(self._renderer.render_clip, model, settings.num_frames, settings.fps).result()
        digest = self._store.add(clip)
        if settings.stills:
            self._thread.submit(write_stills, self._renderer, model, self._dataset.views(path.name)).result()
        return Kept(columns={CLIP.name: digest})


def write_stills(renderer: TurntableRenderer, model: Model, folder: Path) -> None:
    """Writes each of `SIX_VIEWS` as NAME.png, and as NAME_normals.png the normals that the camera sees there."""
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
