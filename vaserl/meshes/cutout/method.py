"""The ways of cutting the vase out of its photograph, chosen by one string.

"network": the network of this folder with the weights beside it. A path: a folder with other weights of this network;
a folder with a model of transformers, or the file in it that holds the model's code, if this code may run; an ONNX
file. A photograph with transparency, or with a given mask, is cut out by that; masks of networks that see a reduced
photograph are refined at the photograph's resolution.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from vaserl.errors import UserError
from vaserl.meshes.cutout.cutout import Cutout, CutoutError
from vaserl.meshes.cutout.neural import NeuralCutout, check_transformers, load_onnx, load_transformers
from vaserl.meshes.cutout.refine import refine_mask
from vaserl.meshes.cutout.views import Views, check_whole

NETWORK = "network"
CUTOUT_SETTING = "lift.generator_args.cutout"
_MIN_TRANSPARENT = 0.01
"""Smallest share of transparent pixels that makes the alpha channel a mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoutMethod:
    """A loaded way of cutting out."""

    name: str
    """"network", or the path."""
    find: Callable[[np.ndarray], tuple[np.ndarray, Views]]
    """Returns the probability of "vase" at each pixel of a photograph, uint8 [H, W, 3], as float32 [H, W], and the
    views' probabilities. Raises: CutoutError when there is no vase to be found."""
    seen_side: int
    """Longer side in pixels of the largest photograph that is not reduced for the method."""


def cut_out(photo: Image.Image, method: CutoutMethod, mask: np.ndarray | None = None) -> Cutout:
    """Returns the photograph, RGB or RGBA, with the vase's mask.

    mask: bool [H, W], a given mask of the photograph's size; it goes before transparency, and both before the method.
    With either, the view is not looked for: the network would take what is cut out for a drawing.

    Raises: CutoutError with the reason when no vase can be cut out; ValueError for a mask of another size.
    """
    return _refined(*_coarse(photo, method, mask), method)


def cut_out_whole_vase(photo: Image.Image, method: CutoutMethod, mask: np.ndarray | None = None) -> Cutout:
    """Returns the photograph, RGB or RGBA, with the mask of the whole vase that it shows from the side; arguments as of
    `cut_out`.

    Raises: CutoutError with the reason when it shows something else, or no vase can be cut out; ValueError for a mask
    of another size.
    """
    coarse, vase = _coarse(photo, method, mask)
    check_whole(coarse)  # before the refinement, which takes longer
    return _refined(coarse, vase, method)


def _coarse(photo: Image.Image, method: CutoutMethod, mask: np.ndarray | None) -> tuple[Cutout, np.ndarray | None]:
    """Returns the photograph with the mask as the method finds it, and the method's probability of "vase", float32
    [H, W]; None if the mask is given or from the photograph's transparency."""
    rgb, views, vase = photo.convert("RGB"), None, None
    if mask is not None:
        if mask.dtype != bool or mask.shape != photo.size[::-1]:
            raise ValueError(f"expected a mask of bool {list(photo.size[::-1])}, got {mask.dtype} {list(mask.shape)}")
        source = "mask"
    elif _has_alpha(photo):
        mask, source = np.asarray(photo.getchannel("A")) >= 128, "alpha"
    else:
        vase, views = method.find(np.asarray(rgb))
        mask, source = vase >= 0.5, method.name
    if not mask.any():
        raise CutoutError("no vase found in the photograph")
    return Cutout(photo=rgb, mask=mask, source=source, views=views), vase


def _refined(coarse: Cutout, vase: np.ndarray | None, method: CutoutMethod) -> Cutout:
    """Returns the cut-out with the mask at the photograph's resolution, if the method saw a reduced photograph."""
    if vase is None or max(coarse.photo.size) <= method.seen_side:
        return coarse
    mask = refine_mask(np.asarray(coarse.photo), vase)
    if not mask.any():
        raise CutoutError("no vase found in the photograph")
    return replace(coarse, mask=mask)


def _has_alpha(photo: Image.Image) -> bool:
    """Returns whether a photograph has transparency that can serve as the vase's mask."""
    return photo.mode == "RGBA" and bool((np.asarray(photo.getchannel("A")) < 128).mean() > _MIN_TRANSPARENT)


def read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Returns the mask in a picture, bool [H, W]: bright pixels are vase, or opaque ones if the picture has an alpha
    channel.

    size: width and height of the photograph.

    Raises: UserError when the file can't be read or has another size.
    """
    try:
        with Image.open(path) as picture:
            found = picture.getchannel("A") if "A" in picture.getbands() else picture.convert("L")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            f"the mask {path} can't be read; save it as a PNG, white on the vase and black elsewhere"
        ) from error
    if found.size != size:
        raise UserError(
            f"the mask {path} has {found.width} x {found.height} pixels, its photograph {size[0]} x {size[1]}; "
            "save it in the photograph's size"
        )
    return np.asarray(found) >= 128


def load_method(way: str, setting: str = CUTOUT_SETTING) -> CutoutMethod:
    """Loads a way of cutting out. `setting` is what the messages call the setting.

    Raises: UserError when its files are missing or wrong, or when `way` is none.
    """
    kind, path = _parsed(way, setting)
    if kind == "onnx" and path is not None:
        return method_of(load_onnx(path, setting), way)
    if kind in ("transformers", "code") and path is not None:
        runs_code = kind == "code"
        return method_of(load_transformers(path.parent if runs_code else path, runs_code, setting), way)
    from vaserl.meshes.cutout.predict import CANVAS_PX, look_closely  # imports torch
    from vaserl.meshes.cutout.weights import load_cutout

    network = load_cutout(path)

    def find(photo: np.ndarray) -> tuple[np.ndarray, Views]:
        found = look_closely(network, photo)
        return found.vase, found.views

    return CutoutMethod(name=way, find=find, seen_side=CANVAS_PX)


def method_of(neural: NeuralCutout, name: str) -> CutoutMethod:
    """Returns the way of cutting out by a network of others, with the views that the network of this folder finds."""
    from vaserl.meshes.cutout.predict import look_closely  # imports torch
    from vaserl.meshes.cutout.weights import load_cutout

    looking = load_cutout()

    def find(photo: np.ndarray) -> tuple[np.ndarray, Views]:
        return neural(photo), look_closely(looking, photo).views

    return CutoutMethod(name=name, find=find, seen_side=neural.side)


def load_look(way: str, setting: str = CUTOUT_SETTING) -> Callable[[Image.Image], Views | None]:
    """Loads the network that says what a photograph shows, whatever cuts out: with the weights in the folder `way`, if
    it is one with weights of this network, otherwise with those of this folder.

    Returns: a function of a photograph, RGB or RGBA, that returns the views' probabilities, or None for a photograph
    with transparency, which is cut out by that and not judged.

    Raises: UserError when the weights are missing or wrong, or when `way` is none.
    """
    kind, path = _parsed(way, setting)
    from vaserl.meshes.cutout.predict import look_closely  # imports torch
    from vaserl.meshes.cutout.weights import load_cutout

    network = load_cutout(path if kind == "network" else None)

    def look(photo: Image.Image) -> Views | None:
        return None if _has_alpha(photo) else look_closely(network, np.asarray(photo.convert("RGB"))).views

    return look


def check_method(way: str, setting: str = CUTOUT_SETTING) -> None:
    """Checks that a way of cutting out has its files; loads no network of others, and needs no GPU.

    Raises: UserError otherwise.
    """
    kind, path = _parsed(way, setting)
    if kind == "network":
        load_method(way, setting)
    elif path is not None and kind in ("transformers", "code"):
        check_transformers(path.parent if kind == "code" else path, kind == "code", setting)


def files_of_method(way: str) -> list[Path]:
    """Returns the files and folders whose content decides what a way of cutting out finds."""
    own = Path(__file__).parent / "cutout.json"
    if way == NETWORK:
        return [own]
    path = Path(way)
    return [own, path.parent if path.suffix == ".py" else path]


def _parsed(way: str, setting: str) -> tuple[str, Path | None]:
    """Returns the kind of a way of cutting out, and its path."""
    if way == NETWORK:
        return way, None
    path = Path(way)
    if path.is_dir():
        if any((path / name).exists() for name in ("cutout.safetensors", "cutout.json")):
            return "network", path
        if (path / "config.json").is_file():
            return "transformers", path
        raise UserError(f"{setting}: {path} holds neither cutout.safetensors (of train-cutout) nor config.json")
    if path.is_file() and path.suffix == ".onnx":
        return "onnx", path
    if path.is_file() and path.suffix == ".py":
        return "code", path
    problem = "is no ONNX file, no folder and no .py file in one" if path.exists() else "does not exist"
    raise UserError(f'{setting}: {path} {problem}; use "network", or the path of a network that cuts out')
