"""Runs TripoSG, a rectified flow that generates shapes from a photograph, from a clone of its repository.

The checkout is the repository as published, with the package `triposg` and, in the folder scripts, `image_process` and
`briarmbg`. The weights are the folders that the repository's inference script downloads. TripoSG generates shapes
without texture. The calls are the same as in the repository's scripts/inference_triposg.py. They have been tested
against stand-ins with the published layout and signatures, not against the real weights, which need a GPU with about 8
GB.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from PIL import Image

from vaserl.meshes.generators.checkout import import_from, need_files, usable_device
from vaserl.meshes.generators.cutout import cut_out, read_for_generator
from vaserl.meshes.generators.finish import finish_mesh
from vaserl.meshes.generators.generator import LiftFailure
from vaserl.meshes.generators.settings import TripoSGSettings
from vaserl.meshes.glb import write_glb

_SETTING = "lift.generator_args"
PLACES = ("", "scripts")
"""Folders of the checkout from which modules are imported: its root and scripts."""


def check_triposg(settings: TripoSGSettings) -> None:
    """Checks that the checkout and the weights exist, without loading them: the driver process may have no GPU.

    Raises: UserError with the folder or file that is missing.
    """
    need_files(
        settings.checkout, ("triposg", "scripts"), f"{_SETTING}.checkout", "clone VAST-AI-Research/TripoSG there"
    )
    need_files(settings.weights, ("model_index.json",), f"{_SETTING}.weights")
    if settings.rmbg is not None:
        need_files(settings.rmbg, ("config.json",), f"{_SETTING}.rmbg")


class TripoSG:
    """A generator that runs TripoSG's pipeline and, if its weights are given, the background remover RMBG-1.4."""

    def __init__(self, settings: TripoSGSettings) -> None:
        """Loads the pipeline. Raises: UserError when the checkout, the weights or the CUDA device is missing."""
        check_triposg(settings)
        self._settings = settings
        self._device = usable_device(settings.device, _SETTING)
        pipelines = import_from(settings.checkout, PLACES, "triposg.pipelines.pipeline_triposg", _SETTING)
        pipeline = pipelines.TripoSGPipeline.from_pretrained(str(settings.weights))
        half = torch.float16 if self._device.startswith("cuda") else torch.float32
        self._pipeline: Any = pipeline.to(self._device, half)
        self._prepare_image: Any = None
        if settings.rmbg is not None:
            network = import_from(settings.checkout, PLACES, "briarmbg", _SETTING).BriaRMBG
            self._remover: Any = network.from_pretrained(str(settings.rmbg)).to(self._device).eval()
            self._prepare_image = import_from(settings.checkout, PLACES, "image_process", _SETTING).prepare_image

    @torch.inference_mode()
    def __call__(self, photo: Path, vase_id: str, glb: Path) -> None:
        image = read_for_generator(photo)
        if self._prepare_image is not None:
            image = self._without_background(image, glb.parent)
        cutout = cut_out(image)
        try:
            samples = self._pipeline(
                image=cutout.on_white() if self._prepare_image is None else image,
                generator=torch.Generator(device=self._device).manual_seed(self._settings.seed),
                num_inference_steps=self._settings.num_steps,
                guidance_scale=self._settings.guidance,
                use_flash_decoder=self._settings.flash_decoder,
            ).samples
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise LiftFailure(f"TripoSG ran out of GPU memory: {error}") from error
        vertices, faces = samples[0]
        if vertices is None or faces is None:
            raise LiftFailure("TripoSG found no surface")
        surface = trimesh.Trimesh(np.asarray(vertices, np.float64), np.ascontiguousarray(faces), process=False)
        write_glb(glb, finish_mesh(surface, cutout, self._settings.num_faces))

    def _without_background(self, image: Image.Image, scratch: Path) -> Image.Image:
        """Returns the vase on a white background, cut out by the checkout's background remover.

        The remover's input is a file, which is written to the folder `scratch` and deleted afterwards.
        """
        path = scratch / "photo.png"
        image.save(path)
        try:
            prepared = self._prepare_image(
                str(path), bg_color=np.array([1.0, 1.0, 1.0]), rmbg_net=self._remover, device=self._device
            )
        except (AttributeError, ValueError) as error:
            # for unusable images the remover's own code returns a message instead of pixels, and then fails on it
            raise LiftFailure(f"TripoSG's background remover found nothing: {error}") from error
        finally:
            path.unlink(missing_ok=True)
        if prepared is None:
            raise LiftFailure("TripoSG's background remover returned no image")
        return prepared
