"""Runs the shape network of Hunyuan3D from a clone of its repository and local weights.

Two layouts of the repository are supported: Hunyuan3D-2 (package `hy3dgen` at the root) and Hunyuan3D-2.1 (package
`hy3dshape` in the folder of that name). The weights' folder contains a subfolder such as hunyuan3d-dit-v2-0. The
texture network isn't used: it needs compiled rasterisers and invents what the photograph doesn't show. docs/lathe.md
says what of the repositories' code was run.
"""

import logging
from pathlib import Path
from typing import Any

import torch

from vaserl.meshes.cutout.method import CutoutMethod
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
from vaserl.meshes.generators.settings import Hunyuan3DSettings
from vaserl.meshes.glb import write_glb

_SETTING = "lift.generator_args"

_log = logging.getLogger(__name__)


def check_hunyuan3d(settings: Hunyuan3DSettings) -> tuple[str, str]:
    """Checks that the checkout (a clone of the repository) and the weights exist.

    Returns: the folder in the checkout to import from ("" for the checkout itself), and the name of the module with the
    pipelines.

    Raises: UserError with the folder or file that is missing.
    """
    newer = (settings.checkout / "hy3dshape" / "hy3dshape").is_dir()
    package = "hy3dshape" if newer else "hy3dgen"
    need_files(settings.checkout, (package,), f"{_SETTING}.checkout", "clone Tencent's Hunyuan3D-2 or 2.1 there")
    need_files(settings.weights, (settings.subfolder,), f"{_SETTING}.weights", _other_subfolders(settings))
    published = ("config.yaml", "model.fp16.ckpt" if newer else "model.fp16.safetensors")
    need_files(settings.weights / settings.subfolder, published, f"{_SETTING}.weights")
    return ("hy3dshape", "hy3dshape.pipelines") if newer else ("", "hy3dgen.shapegen")


class Hunyuan3D:
    """A generator that runs Hunyuan3D's pipeline."""

    def __init__(self, settings: Hunyuan3DSettings, method: CutoutMethod) -> None:
        """Loads the pipeline. `method` cuts the vase out.

        Raises: UserError when the checkout, the weights or the CUDA device is missing.
        """
        self._settings, self._method = settings, method
        place, module = check_hunyuan3d(settings)
        self._device = usable_device(settings.device, _SETTING)
        pipelines = import_from(settings.checkout, (place,), module, _SETTING)
        self._pipeline: Any = loaded(
            lambda: pipelines.Hunyuan3DDiTFlowMatchingPipeline.from_pretrained(
                str(settings.weights.resolve()),
                subfolder=settings.subfolder,
                device=self._device,
                dtype=torch.float16 if self._device.startswith("cuda") else torch.float32,
            ),
            "Hunyuan3D",
        )
        # the image processor of a multi-view model, such as hunyuan3d-dit-v2-mv, takes images by the view's name
        self._takes_views = bool(getattr(self._pipeline.image_processor, "return_view_idx", False))

    @torch.inference_mode()
    def __call__(self, photo: Path, vase_id: str, glb: Path) -> None:
        cutout = cutout_for_generator(photo, self._method)
        image = cutout.transparent()
        try:
            with captured_prints() as printed:
                surfaces = self._pipeline(
                    image={"front": image} if self._takes_views else image,
                    num_inference_steps=self._settings.num_steps,
                    guidance_scale=self._settings.guidance,
                    octree_resolution=self._settings.octree_resolution,
                    generator=torch.Generator(device=self._device).manual_seed(self._settings.seed),
                    output_type="trimesh",
                    enable_pbar=False,
                )
        except torch.OutOfMemoryError as error:
            _log.warning("Hunyuan3D ran out of GPU memory on %s: %s", photo.name, error)
            torch.cuda.empty_cache()
            raise LiftFailure("Hunyuan3D ran out of GPU memory") from error
        if surfaces[0] is None:
            raise without_surface("Hunyuan3D", printed.getvalue())
        write_glb(glb, finish_mesh(surfaces[0], cutout, self._settings.num_faces))


def _other_subfolders(settings: Hunyuan3DSettings) -> str:
    """Returns what to do about a missing subfolder: choose one of those that are there, or download one."""
    found = sorted(path.parent.name for path in settings.weights.glob("*/config.yaml"))
    if not found:
        return "download the weights there"
    return f"set {_SETTING}.subfolder to one that is there ({', '.join(found)}), or download the weights there"
