"""Fake checkouts of the mesh generators: the published repositories' module names and signatures, without the networks.

The generated shape follows the outline in the given image, so a wrong cut-out is visible in it.
"""

import json
from pathlib import Path

SHAPE_MODULE = '''
import numpy as np, trimesh

def generate(image, seed):
    """Returns a solid of revolution from the image's non-white outline, one unit high, and a fragment beside it."""
    pixels = np.asarray(image.convert("RGBA"))
    inside = (pixels[..., :3].min(axis=2) < 250) & (pixels[..., 3] > 127)
    rows = np.nonzero(inside.any(axis=1))[0]
    height = rows[-1] - rows[0] + 1
    z = np.linspace(0, 1, 60)
    at = rows[-1] - np.rint(z * (height - 1)).astype(int)
    radius = inside[at].sum(axis=1) / 2 / height
    curve = np.concatenate([[[0, 0]], np.stack([radius, z], axis=1), [[0, 1]]])
    vase = trimesh.creation.revolve(curve, sections=96)
    fragment = trimesh.creation.icosphere(2, radius=0.04)
    fragment.apply_translation([0.9, 0.0, 0.2 + 0.01 * (seed % 7)])
    return trimesh.util.concatenate([vase, fragment])
'''

TRIPOSG_PIPELINE = """
import json, pathlib, sys, types
import numpy as np, torch, trimesh
from ..stand_in import generate

class TripoSGPipeline:
    @classmethod
    def from_pretrained(cls, path, torch_dtype=None):
        index = json.loads((pathlib.Path(path) / "model_index.json").read_text())
        for entry in index.values():  # as diffusers since 0.42
            if isinstance(entry, list) and entry[0] not in sys.modules:
                raise ValueError(f"{entry[0]} has not been imported")
        made = cls()
        made.name = index["_class_name"]
        made.loaded_dtype = torch_dtype
        return made

    def to(self, device, dtype):
        assert dtype == self.loaded_dtype
        if (pathlib.Path(__file__).parents[2] / "full_gpu").exists():
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB. GPU 0 has 1 GiB free.")
        self.device, self.dtype = device, dtype
        return self

    def set_progress_bar_config(self, **kwargs):
        assert kwargs == {"disable": True}

    def __call__(self, image, num_inference_steps=50, num_tokens=2048, timesteps=None, guidance_scale=7.0,
                 num_shapes_per_prompt=1, generator=None, latents=None, attention_kwargs=None,
                 callback_on_step_end=None, callback_on_step_end_tensor_inputs=["latents"],
                 bounds=(-1.005, -1.005, -1.005, 1.005, 1.005, 1.005), dense_octree_depth=8,
                 hierarchical_octree_depth=9, flash_octree_depth=9, use_flash_decoder=True, return_dict=True):
        assert image.mode == "RGB" and image.size[0] == image.size[1]
        calls = pathlib.Path(__file__).parents[2] / "calls.txt"
        with calls.open("a") as stream:
            stream.write(f"{num_inference_steps} {guidance_scale} {generator.initial_seed()} {use_flash_decoder}\\n")
        printed = {13: "Surface level must be within volume data range.", 16: "CUDA out of memory.",
                   17: "CUDA error: no kernel image is available for execution on the device"}
        if generator.initial_seed() in printed:
            print(printed[generator.initial_seed()])
            output = [(None, None)]  # what both decoders return after a failure of marching cubes
        elif generator.initial_seed() == 14:
            output = flash_extract_geometry()
        elif generator.initial_seed() == 15:
            output = [()]
        else:
            mesh = generate(image, generator.initial_seed())  # lies on its back: z is up
            output = [(mesh.vertices.astype(np.float32), mesh.faces)]
        meshes = [trimesh.Trimesh(mesh_v_f[0].astype(np.float32), mesh_v_f[1]) for mesh_v_f in output]
        return types.SimpleNamespace(samples=output, meshes=meshes)

def flash_extract_geometry():
    torch.zeros((0, 3)).min(axis=0)
"""

BRIARMBG = '''
import json, pathlib
import torch

class BriaRMBG(torch.nn.Module):
    """Takes dark pixels for the foreground, so that a cluttered but bright background is removed."""
    @classmethod
    def from_pretrained(cls, path):
        json.loads((pathlib.Path(path) / "config.json").read_text())
        return cls()

    def forward(self, pixels):
        assert pixels.shape == (1, 3, 1024, 1024) and pixels.min() >= -0.5 and pixels.max() <= 0.5
        keep = ((90 / 255 - 0.5 - pixels.max(dim=1, keepdim=True).values) * 20).sigmoid()
        return [keep] * 6, [pixels] * 6
'''

HUNYUAN = """
import pathlib, types
import numpy as np, torch, trimesh
from {stand_in} import generate

class Hunyuan3DDiTFlowMatchingPipeline:
    @classmethod
    def from_pretrained(cls, model_path, device="cuda", dtype=torch.float16, use_safetensors={safetensors},
                        variant="fp16", subfolder="hunyuan3d-dit-v2-0", **kwargs):
        made = cls()
        folder = pathlib.Path(model_path) / subfolder
        assert (folder / f"model.{{variant}}.{{'safetensors' if use_safetensors else 'ckpt'}}").is_file()
        made.image_processor = types.SimpleNamespace()
        if subfolder.endswith("mv"):
            made.image_processor.return_view_idx = True
        made.calls = pathlib.Path(model_path).parent / "calls.txt"
        return made

    def __call__(self, image=None, num_inference_steps=50, timesteps=None, sigmas=None, eta=0.0, guidance_scale=5.0,
                 generator=None, box_v=1.01, octree_resolution=384, mc_level=0.0, mc_algo=None, num_chunks=8000,
                 output_type="trimesh", enable_pbar=True, **kwargs):
        if hasattr(self.image_processor, "return_view_idx"):
            assert list(image) == ["front"]
            image = image["front"]
        assert image.mode == "RGBA" and output_type == "trimesh"
        with self.calls.open("a") as stream:
            print(num_inference_steps, guidance_scale, generator.initial_seed(), octree_resolution, file=stream)
        mesh = generate(image, generator.initial_seed())
        mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))  # upright
        return [mesh]
"""


def make_triposg(folder: Path) -> Path:
    """Writes checkout/, weights/ and rmbg/ as TripoSG needs them. Returns: the folder."""
    package = folder / "checkout" / "triposg"
    _write(package / "stand_in.py", SHAPE_MODULE)
    _write(package / "pipelines" / "pipeline_triposg.py", TRIPOSG_PIPELINE)
    for module in ("", "pipelines", "schedulers"):
        _write(package / module / "__init__.py", "")
    _write(package / "schedulers" / "scheduling_rectified_flow.py", "class RectifiedFlowScheduler: ...")
    _write(folder / "checkout" / "scripts" / "briarmbg.py", BRIARMBG)
    index = {
        "_class_name": "TripoSGPipeline",
        "feature_extractor_dinov2": ["json", "BitImageProcessor"],
        "scheduler": ["triposg.schedulers.scheduling_rectified_flow", "RectifiedFlowScheduler"],
    }
    _write(folder / "weights" / "model_index.json", json.dumps(index))
    _write(folder / "rmbg" / "config.json", "{}")
    return folder


def make_hunyuan3d(folder: Path, *, newer: bool, subfolder: str) -> Path:
    """Writes weights/ with one subfolder, and checkout/ in the layout of Hunyuan3D 2.1 (`newer`) or 2.0.

    Returns: the folder.
    """
    package = folder / "checkout" / ("hy3dshape/hy3dshape" if newer else "hy3dgen")
    _write(package / "__init__.py", "")
    _write(package / "stand_in.py", SHAPE_MODULE)
    module = HUNYUAN.format(stand_in="hy3dshape.stand_in" if newer else "hy3dgen.stand_in", safetensors=not newer)
    _write(package / "pipelines.py" if newer else package / "shapegen" / "__init__.py", module)
    _write(folder / "weights" / subfolder / "config.yaml", "model: {}")
    _write(folder / "weights" / subfolder / f"model.fp16.{'ckpt' if newer else 'safetensors'}", "")
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
