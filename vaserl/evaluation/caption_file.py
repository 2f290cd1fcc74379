"""Captions the vase in one file: a photograph, which is first converted to a 3D model, or a GLB file (a 3D model).

A turntable video of the model is rendered as for the model's training, and the policy captions the video.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vaserl.errors import UserError
from vaserl.files.clip import write_mp4
from vaserl.files.photograph import UnreadablePhotograph, decode_photograph
from vaserl.meshes.cutout.cutout import CutoutError
from vaserl.meshes.cutout.method import NETWORK, CutoutMethod, cut_out_whole_vase, load_method
from vaserl.meshes.film import ONE_COLOUR, film_fault
from vaserl.meshes.gate import gate
from vaserl.meshes.glb import load_mesh, write_glb
from vaserl.meshes.lathe import LatheError, lathe, profile_drawing
from vaserl.meshes.turntable import TurntableRenderer
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.policy import Policy, load_model
from vaserl.policy.prompter import Prompter
from vaserl.policy.sampling import sample
from vaserl.runs.training_origin import TrainingOrigin, origin_of_model
from vaserl.settings import CAPTION_PROMPT


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipShape:
    """The shape of the turntable video that a model is given; a part that is None is taken from the model's training.

    Example: ClipShape(num_frames=4, fps=2.0, resolution=112)
    """

    num_frames: int | None = None
    """Number of frames of one turn."""
    fps: float | None = None
    """Frames per second, from which the model derives temporal positions."""
    resolution: int | None = None
    """Width and height of a frame in pixels."""


UNSTATED = ClipShape(num_frames=4, fps=2.0, resolution=112)
"""Shape for a model that doesn't say how it was trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionedFile:
    """A caption, and the reasons to doubt it."""

    caption: str
    """The caption, decoded greedily."""
    notes: tuple[str, ...]
    """Sentences without a full stop: what was assumed, why this may be no vase, what the model has never seen."""


def caption_file(
    path: Path, *, model: Path, shape: ClipShape, out_dir: Path | None = None, cutout: str = NETWORK
) -> CaptionedFile:
    """Captions the vase in a GLB file or a photograph.

    A photograph is first converted to a 3D model by the lathe, which rotates the outline of the vase around its axis.

    model: folder of the captioning model. out_dir: folder for the turntable video and, for a photograph, the 3D model
    and the drawing of its profile; if None, no files are written. cutout: how the vase is cut out of a photograph, as
    in the setting lift.generator_args.cutout.

    Raises: UserError for a missing or unreadable file, a photograph that can't be converted to 3D, a model
    of which nothing can be seen, or a missing captioning model.
    """
    check_model_folder(model)
    method = load_method(cutout, "--cutout")
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    if out_dir is not None:
        out_dir.mkdir(parents=True, exist_ok=True)
    origin = origin_of_model(model)
    full = _filled(shape, origin)
    is_model = path.suffix.lower() in (".glb", ".gltf")
    mesh, notes = (load_mesh(path), []) if is_model else _lift(path, method, out_dir)
    notes += _doubts(mesh.to_mesh() if is_model else mesh, shape, origin)
    with TurntableRenderer(full.resolution or 0) as turntable:
        clip = turntable.render_clip(mesh, num_frames=full.num_frames or 0, fps=full.fps or 0.0)
        fault = film_fault(mesh, clip)
    if fault == ONE_COLOUR:
        notes.append(fault)
    elif fault:
        raise UserError(f"{path}: {fault}; look at the model in a viewer and export it again")
    if out_dir is not None:
        write_mp4(out_dir / "turntable.mp4", clip)
    prompter = Prompter(model, "" if origin is None else origin.system)
    prompt = CAPTION_PROMPT if origin is None else origin.prompt
    token_ids, _ = sample(Policy(load_model(model).eval()), prompter, clip, prompt, max_new_tokens=128)
    return CaptionedFile(caption=prompter.decode(token_ids), notes=tuple(notes))


def _filled(shape: ClipShape, origin: TrainingOrigin | None) -> ClipShape:
    """Returns the shape with its missing parts from the model's training, or from UNSTATED."""
    known = UNSTATED if origin is None else origin
    return ClipShape(
        num_frames=known.num_frames if shape.num_frames is None else shape.num_frames,
        fps=known.fps if shape.fps is None else shape.fps,
        resolution=known.resolution if shape.resolution is None else shape.resolution,
    )


def _doubts(mesh: Any, shape: ClipShape, origin: TrainingOrigin | None) -> Iterator[str]:
    """Yields the reasons to doubt a caption of the model `mesh`, a trimesh."""
    verdict = gate(mesh)
    if not verdict.accepted:
        yield f"this may be no vase: {verdict.reason}"
    if origin is None:
        if None in (shape.num_frames, shape.fps, shape.resolution):
            yield (
                f"the model's folder doesn't say how it was trained; assumed where not given: {UNSTATED.num_frames} "
                f"frames (--num-frames), {UNSTATED.fps:g} a second (--fps), {UNSTATED.resolution} pixels (--resolution)"
            )
    elif origin.is_synthetic:
        yield (
            f"the model was trained on {origin.num_vases:,} vases, all of them synthetic; what it says of a real vase "
            "is not to be relied on"
        )


def _lift(path: Path, method: CutoutMethod, out_dir: Path | None) -> tuple[Any, list[str]]:
    """Returns the 3D model of the vase in a photograph, a trimesh, and notes on photograph and model."""
    try:
        photograph = decode_photograph(path, keep_alpha=True)
        found = cut_out_whole_vase(photograph.image, method)
        result = lathe(np.asarray(found.photo), found.mask)
    except UnreadablePhotograph as error:
        raise UserError(f"{path} is neither a GLB file nor a photograph: {error}") from error
    except (CutoutError, LatheError) as error:
        raise UserError(f"{path} can't be lifted to 3D, so it may show no vase: {error}") from error
    if out_dir is not None:
        write_glb(out_dir / "model.glb", result.mesh)
        (out_dir / "profile.svg").write_text(profile_drawing(result))
    return result.mesh, [*photograph.notes, *result.warnings]
