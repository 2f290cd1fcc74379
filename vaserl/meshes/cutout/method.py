"""The ways of cutting the vase out of its photograph, chosen by one string.

"rules": the rules of `vaserl.meshes.lathe.segment`, for plain backgrounds. "network": the network of this folder with
the weights beside it. A path: a folder with other weights of this network; a folder with a model of transformers, or
the file in it that holds the model's code, if this code may run; an ONNX file. A photograph with transparency, or with
a given mask, is cut out by that; the masks of all other ways are refined at the photograph's resolution.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vaserl.errors import UserError
from vaserl.meshes.cutout.cutout import Cutout, CutoutError
from vaserl.meshes.cutout.neural import check_transformers, load_onnx, load_transformers
from vaserl.meshes.cutout.refine import refine_mask
from vaserl.meshes.lathe import WORKING_SIDE, LatheError, segment

RULES, NETWORK = "rules", "network"
CUTOUT_SETTING = "lift.generator_args.cutout"
_MIN_TRANSPARENT = 0.01
"""Smallest share of transparent pixels that makes the alpha channel a mask."""

FoundVase = tuple[np.ndarray, Mapping[str, float] | None]
"""Probability of "vase" at each pixel, float32 [H, W], and the views' probabilities where known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoutMethod:
    """A loaded way of cutting out."""

    name: str
    """"rules", "network", or the path."""
    find: Callable[[np.ndarray], FoundVase]
    """Finds the vase in a photograph, uint8 [H, W, 3]. Raises: CutoutError when there is none to be found."""


def cut_out(photo: Image.Image, method: CutoutMethod, mask: np.ndarray | None = None) -> Cutout:
    """Returns the photograph, RGB or RGBA, with the vase's mask.

    mask: bool [H, W], a given mask of the photograph's size; it goes before transparency, and both before the method.

    Raises: CutoutError with the reason when no vase can be cut out; ValueError for a mask of another size.
    """
    rgb, views = photo.convert("RGB"), None
    if mask is not None:
        if mask.dtype != bool or mask.shape != photo.size[::-1]:
            raise ValueError(f"expected a mask of bool {list(photo.size[::-1])}, got {mask.dtype} {list(mask.shape)}")
        source = "mask"
    elif has_alpha(photo):
        mask, source = np.asarray(photo.getchannel("A")) >= 128, "alpha"
    else:
        vase, views = method.find(np.asarray(rgb))
        mask, source = refine_mask(np.asarray(rgb), vase), method.name
    if not mask.any():
        raise CutoutError("no vase found in the photograph")
    return Cutout(photo=rgb, mask=mask, source=source, views=views)


def mask_for_lathe(photo: Image.Image, method: CutoutMethod) -> np.ndarray | None:
    """Returns the vase's mask, bool [H, W], for the lathe; None where the lathe cuts out itself.

    It does so by transparency, and by the rules at its own working size if the photograph is no larger, or if they find
    no vase, of which the lathe states the reason.

    Raises: CutoutError with the reason when no vase can be cut out.
    """
    if has_alpha(photo) or (method.name == RULES and max(photo.size) <= WORKING_SIDE):
        return None
    try:
        return cut_out(photo, method).mask
    except CutoutError:
        if method.name == RULES:
            return None
        raise


def has_alpha(photo: Image.Image) -> bool:
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
    if kind == "rules":
        return CutoutMethod(name=RULES, find=_by_rules)
    if kind == "network":
        from vaserl.meshes.cutout.predict import predict_cutout  # imports torch
        from vaserl.meshes.cutout.weights import load_cutout

        network = load_cutout(path)

        def find(photo: np.ndarray) -> FoundVase:
            found = predict_cutout(network, photo)
            return found.vase, found.views

        return CutoutMethod(name=way, find=find)
    assert path is not None
    if kind == "onnx":
        neural = load_onnx(path, setting)
    else:
        neural = load_transformers(path.parent if kind == "code" else path, kind == "code", setting)
    return CutoutMethod(name=way, find=lambda photo: (neural(photo), None))


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
    """Returns the files and folders whose content decides what a way of cutting out finds; [] for the rules."""
    if way == RULES:
        return []
    path = Path(__file__).parent / "cutout.json" if way == NETWORK else Path(way)
    return [path.parent if path.suffix == ".py" else path]


def _parsed(way: str, setting: str) -> tuple[str, Path | None]:
    """Returns the kind of a way of cutting out, and its path."""
    if way in (RULES, NETWORK):
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
    raise UserError(f'{setting}: {path} {problem}; use "rules", "network", or the path of a network that cuts out')


def _by_rules(photo: np.ndarray) -> FoundVase:
    small = Image.fromarray(photo)
    small.thumbnail((WORKING_SIDE, WORKING_SIDE))
    try:
        mask = segment(np.asarray(small))
    except LatheError as error:
        raise CutoutError(str(error)) from error
    whole = Image.fromarray((mask * 255).astype(np.uint8)).resize(photo.shape[1::-1], Image.Resampling.BILINEAR)
    return np.asarray(whole, np.float32) / 255, None
