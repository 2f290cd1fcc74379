"""Captions the vase in one file: a photograph, which is first converted to a 3D model, or a GLB file (a 3D model).

A turntable video of the model is rendered, and the policy captions the video.
"""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from vaserl.dataset import CAPTION_PROMPT
from vaserl.errors import UserError
from vaserl.files.clip import write_mp4
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.turntable import TurntableRenderer
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.policy import Policy, load_model
from vaserl.policy.prompter import Prompter
from vaserl.policy.sampling import sample

FPS = 2.0
"""Frames per second of the turntable video, the same as for the videos of the quick start."""


def caption_file(path: Path, *, model: Path, num_frames: int, resolution: int, out_dir: Path | None = None) -> str:
    """Captions the vase in a GLB file or a photograph and returns the caption, decoded greedily.

    A photograph is first converted to a 3D model by the lathe, which rotates the outline of the vase around its axis.

    model: folder of the captioning model. out_dir: folder for the turntable video and, for a photograph, the 3D model
    and the drawing of its profile; if None, no files are written.

    Raises: UserError for a missing or unreadable file, a photograph that can't be converted to 3D, or a missing model.
    """
    check_model_folder(model)
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    if out_dir is not None:
        out_dir.mkdir(parents=True, exist_ok=True)
    mesh = load_mesh(path) if path.suffix.lower() in (".glb", ".gltf") else _lift(path, out_dir)
    with TurntableRenderer(resolution) as turntable:
        clip = turntable.render_clip(mesh, num_frames=num_frames, fps=FPS)
    if out_dir is not None:
        write_mp4(out_dir / "turntable.mp4", clip)
    prompter = Prompter(model)
    token_ids, _ = sample(Policy(load_model(model).eval()), prompter, clip, CAPTION_PROMPT, max_new_tokens=128)
    return prompter.decode(token_ids)


def _read_photograph(path: Path) -> np.ndarray:
    """Reads a photograph and returns its RGB or RGBA pixels, uint8 [height, width, 3 or 4].

    Raises: UserError if the file isn't a picture.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGBA" if "A" in image.getbands() else "RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise UserError(f"{path} is neither a GLB file nor a picture: {error}") from error


def _lift(path: Path, out_dir: Path | None):
    from vaserl.meshes.glb import write_glb
    from vaserl.meshes.lathe import LatheError, lathe, profile_drawing

    try:
        result = lathe(_read_photograph(path))
    except LatheError as error:
        raise UserError(f"{path} can't be lifted to 3D: {error}") from error
    if out_dir is not None:
        write_glb(out_dir / "model.glb", result.mesh)
        (out_dir / "profile.svg").write_text(profile_drawing(result))
    return result.mesh
