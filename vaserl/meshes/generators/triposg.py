"""Runs TripoSG, a rectified flow that generates shapes from a photograph, from a clone of its repository.

The checkout is the repository as published, with the package `triposg` and, in the folder scripts, the module
`briarmbg`. The weights are the folders that the repository's inference script downloads. TripoSG generates shapes
without texture. The pipeline's call is the same as in the repository's scripts/inference_triposg.py; docs/lathe.md says
what of it was run. The script's `image_process` isn't used: it copies each image to the first CUDA device, and returns
a text in place of an unusable image. `vaserl.meshes.cutout` prepares the image instead.
"""

import io
import json
import logging
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh

from vaserl.errors import UserError
from vaserl.meshes.cutout.method import CutoutMethod, method_of
from vaserl.meshes.cutout.neural import NeuralCutout
from vaserl.meshes.generators.checkout import (
    captured_prints,
    import_from,
    loaded,
    need_files,
    usable_device,
    without_surface,
)
from vaserl.meshes.generators.cutout import cutout_for_generator
from vaserl.meshes.generators.finish import finish_mesh
from vaserl.meshes.generators.generator import LiftFailure
from vaserl.meshes.generators.settings import TripoSGSettings
from vaserl.meshes.glb import write_glb

_SETTING = "lift.generator_args"
PLACES = ("", "scripts")
"""Folders of the checkout from which modules are imported: its root and scripts."""
_PACKAGE = "triposg"
_INDEX = "model_index.json"

_log = logging.getLogger(__name__)


def check_triposg(settings: TripoSGSettings) -> None:
    """Checks that the checkout and the weights exist, without loading them: the driver process may have no GPU.

    Raises: UserError with the folder or file that is missing, or the setting that the device can't fulfil.
    """
    need_files(settings.checkout, (_PACKAGE, "scripts"), f"{_SETTING}.checkout", "clone VAST-AI-Research/TripoSG there")
    need_files(settings.weights, (_INDEX,), f"{_SETTING}.weights")
    if settings.rmbg is not None:
        need_files(settings.rmbg, ("config.json",), f"{_SETTING}.rmbg")
    if not settings.flash_decoder and not settings.device.startswith("cuda"):
        raise UserError(
            f"{_SETTING}.flash_decoder = false: the checkout's marching cubes run on CUDA devices only, not on "
            f'"{settings.device}"; leave flash_decoder true, or set {_SETTING}.device'
        )


class TripoSG:
    """A generator that runs TripoSG's pipeline and, if its weights are given, the background remover RMBG-1.4."""

    def __init__(self, settings: TripoSGSettings, method: CutoutMethod) -> None:
        """Loads the pipeline. `method` cuts out unless `settings.rmbg` names weights for that.

        Raises: UserError when the checkout, the weights or the CUDA device is missing.
        """
        check_triposg(settings)
        self._settings = settings
        self._device = usable_device(settings.device, _SETTING)
        pipelines = import_from(settings.checkout, PLACES, "triposg.pipelines.pipeline_triposg", _SETTING)
        _import_components(settings)
        dtype = torch.float16 if self._device.startswith("cuda") else torch.float32
        # loaded in half precision, which takes half of the memory; buffers are cast by `to` only
        pipeline = pipelines.TripoSGPipeline.from_pretrained(str(settings.weights), torch_dtype=dtype)
        self._pipeline: Any = loaded(lambda: pipeline.to(self._device, dtype), "TripoSG")
        self._pipeline.set_progress_bar_config(disable=True)
        self._method = method if settings.rmbg is None else self._rmbg(settings, settings.rmbg)

    @torch.inference_mode()
    def __call__(self, photo: Path, vase_id: str, glb: Path) -> None:
        cutout = cutout_for_generator(photo, self._method)
        printed = io.StringIO()
        try:
            with captured_prints() as printed:
                samples = self._pipeline(
                    image=cutout.on_white(),
                    generator=torch.Generator(device=self._device).manual_seed(self._settings.seed),
                    num_inference_steps=self._settings.num_steps,
                    guidance_scale=self._settings.guidance,
                    use_flash_decoder=self._settings.flash_decoder,
                ).samples
        except torch.OutOfMemoryError as error:
            _log.warning("TripoSG ran out of GPU memory on %s: %s", photo.name, error)
            torch.cuda.empty_cache()
            raise LiftFailure("TripoSG ran out of GPU memory") from error
        except (AttributeError, IndexError) as error:
            if not _is_without_surface(error):
                raise
            raise without_surface("TripoSG", printed.getvalue()) from error
        vertices, faces = samples[0]
        surface = trimesh.Trimesh(np.asarray(vertices, np.float64), np.ascontiguousarray(faces), process=False)
        write_glb(glb, finish_mesh(surface, cutout, self._settings.num_faces))

    def _rmbg(self, settings: TripoSGSettings, weights: Path) -> CutoutMethod:
        """Returns RMBG-1.4, loaded with the checkout's class; it expects colours less a half."""
        network = import_from(settings.checkout, PLACES, "briarmbg", _SETTING).BriaRMBG
        model = network.from_pretrained(str(weights)).to(self._device).eval()
        neural = NeuralCutout(
            lambda pixels: model(torch.from_numpy(pixels).to(self._device)), mean=(0.5,) * 3, std=(1.0,) * 3
        )
        return method_of(neural, str(weights))


def _import_components(settings: TripoSGSettings) -> None:
    """Imports the checkout's modules that the weights' index names.

    diffusers (since 0.42) takes a pipeline's component only from a module that is imported already, and the pipeline's
    own module doesn't import its scheduler.
    """
    index = json.loads((settings.weights / _INDEX).read_text())
    libraries = {entry[0] for entry in index.values() if isinstance(entry, list) and isinstance(entry[0], str)}
    for library in sorted(name for name in libraries if name.partition(".")[0] == _PACKAGE):
        import_from(settings.checkout, PLACES, library, _SETTING)


def _is_without_surface(error: AttributeError | IndexError) -> bool:
    """Returns whether the pipeline failed because the generated field has no surface.

    Its decoders then return None for the vertices, on which the pipeline calls `astype`, or look for the least of zero
    points. Any other AttributeError or IndexError is a fault, of which the user must learn.
    """
    if isinstance(error, AttributeError):
        return error.obj is None and error.name == "astype"
    return traceback.extract_tb(error.__traceback__)[-1].name == "flash_extract_geometry"
