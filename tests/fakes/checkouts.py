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
import json, pathlib, types
import numpy as np, torch, trimesh
from ..stand_in import generate

class TripoSGPipeline:
    @classmethod
    def from_pretrained(cls, path):
        made = cls()
        made.name = json.loads((pathlib.Path(path) / "model_index.json").read_text())["_class_name"]
        return made

    def to(self, device, dtype):
        self.device, self.dtype = device, dtype
        return self

    def __call__(self, image, num_inference_steps=50, num_tokens=2048, timesteps=None, guidance_scale=7.0,
                 num_shapes_per_prompt=1, generator=None, latents=None, use_flash_decoder=True, return_dict=True):
        if image.size[0] != image.size[1]:
            return types.SimpleNamespace(samples=[(None, None)])
        calls = pathlib.Path(__file__).parents[2] / "calls.txt"
        with calls.open("a") as stream:
            stream.write(f"{num_inference_steps} {guidance_scale} {generator.initial_seed()} {use_flash_decoder}\\n")
        mesh = generate(image, generator.initial_seed())  # lies on its back: z is up
        return types.SimpleNamespace(samples=[(mesh.vertices.astype(np.float32), mesh.faces)])
"""

IMAGE_PROCESS = """
import numpy as np
from PIL import Image

def load_image(img_path, bg_color=None, rmbg_net=None, padding_ratio=0.1, device="cuda"):
    pixels = np.asarray(Image.open(img_path).convert("RGB"))
    if pixels.max() == 0:
        return "invalid image: pure black image"
    return rmbg_net(pixels, bg_color)

def prepare_image(image_path, bg_color, rmbg_net=None, device="cuda"):
    tensor = load_image(image_path, bg_color=bg_color, rmbg_net=rmbg_net, device=device)
    return Image.fromarray(tensor.numpy())
"""

BRIARMBG = '''
import json, pathlib
import numpy as np, torch

class BriaRMBG(torch.nn.Module):
    """Keeps dark pixels, so that a cluttered but bright background is removed."""
    @classmethod
    def from_pretrained(cls, path):
        json.loads((pathlib.Path(path) / "config.json").read_text())
        return cls()

    def forward(self, pixels, bg_color):
        keep = pixels.max(axis=2) < 90
        rows, columns = np.nonzero(keep)
        out = np.where(keep[..., None], pixels, (255 * bg_color).astype(np.uint8))
        out = out[rows.min():rows.max() + 1, columns.min():columns.max() + 1]
        side = int(max(out.shape[:2]) * 1.2)
        canvas = np.full((side, side, 3), 255, np.uint8)
        top, left = (side - out.shape[0]) // 2, (side - out.shape[1]) // 2
        canvas[top:top + out.shape[0], left:left + out.shape[1]] = out
        return torch.from_numpy(canvas)
'''

HUNYUAN = """
import pathlib
import numpy as np, torch, trimesh
from {stand_in} import generate

class Hunyuan3DDiTFlowMatchingPipeline:
    @classmethod
    def from_pretrained(cls, model_path, device="cuda", dtype=torch.float16, use_safetensors=True, variant="fp16",
                        subfolder="hunyuan3d-dit-v2-0", **kwargs):
        made = cls()
        made.config = (pathlib.Path(model_path) / subfolder / "config.yaml").read_text()
        made.calls = pathlib.Path(model_path).parent / "calls.txt"
        return made

    def __call__(self, image=None, num_inference_steps=50, timesteps=None, sigmas=None, eta=0.0, guidance_scale=5.0,
                 generator=None, box_v=1.01, octree_resolution=384, mc_level=0.0, mc_algo=None, num_chunks=8000,
                 output_type="trimesh", enable_pbar=True, **kwargs):
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
    _write(package / "__init__.py", "")
    _write(package / "pipelines" / "__init__.py", "")
    _write(folder / "checkout" / "scripts" / "image_process.py", IMAGE_PROCESS)
    _write(folder / "checkout" / "scripts" / "briarmbg.py", BRIARMBG)
    _write(folder / "weights" / "model_index.json", json.dumps({"_class_name": "TripoSGPipeline"}))
    _write(folder / "rmbg" / "config.json", "{}")
    return folder


def make_hunyuan3d(folder: Path, *, newer: bool) -> Path:
    """Writes weights/, and checkout/ in the layout of Hunyuan3D 2.1 (`newer`) or 2.0. Returns: the folder."""
    package = folder / "checkout" / ("hy3dshape/hy3dshape" if newer else "hy3dgen")
    _write(package / "__init__.py", "")
    _write(package / "stand_in.py", SHAPE_MODULE)
    module = HUNYUAN.format(stand_in="hy3dshape.stand_in" if newer else "hy3dgen.stand_in")
    _write(package / "pipelines.py" if newer else package / "shapegen" / "__init__.py", module)
    _write(folder / "weights" / ("hunyuan3d-dit-v2-1" if newer else "hunyuan3d-dit-v2-0") / "config.yaml", "model: {}")
    return folder


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
