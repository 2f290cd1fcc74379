"""Neural cut-outs by path: models for image segmentation of transformers, such as BiRefNet and RMBG, and ONNX files.

Such a network maps a square picture to the probability, or its logit, that each pixel is foreground. What is behind
"foreground" is up to the network: it may count the stand as well.
"""

import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vaserl.errors import UserError
from vaserl.meshes.cutout.cutout import CutoutError

INPUT_SIDE = 1024
"""Width and height of the network's input in pixels, unless its files state another."""
MIN_CONTRAST = 0.05
"""Smallest difference of the largest and the smallest output that counts as a foreground on a background."""
PREPROCESSOR = "preprocessor_config.json"
"""File beside a network that may state `size`, `image_mean` and `image_std` of its input."""
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Network = Callable[[np.ndarray], Any]
"""Maps pictures, float32 [1, 3, S, S], to one map, float [1, 1, S, S], or to nested sequences or mappings of maps."""


class NeuralCutout:
    """Applies a network that tells foreground from background to photographs of any size."""

    def __init__(
        self,
        network: Network,
        *,
        mean: Sequence[float] = _IMAGENET[0],
        std: Sequence[float] = _IMAGENET[1],
        side: int = INPUT_SIDE,
    ) -> None:
        """`network` gets colours from 0 to 1 less `mean`, divided by `std`, at `side` x `side` pixels."""
        self._network = network
        self._mean, self._std = (np.asarray(values, np.float32)[:, None, None] for values in (mean, std))
        self.side = side

    def __call__(self, photo: np.ndarray) -> np.ndarray:
        """Returns the probability of "foreground" at each pixel of a photograph, uint8 [H, W, 3], as float32 [H, W].

        The network's output is stretched to the range from 0 to 1, as the publishers of RMBG do.

        Raises: CutoutError when the network sees no difference between foreground and background; UserError when it
        returns no map of one channel.
        """
        square = np.asarray(Image.fromarray(photo).resize((self.side, self.side), Image.Resampling.BILINEAR))
        pixels = (square.transpose(2, 0, 1).astype(np.float32) / 255 - self._mean) / self._std
        share = foreground_of(self._network(np.ascontiguousarray(pixels[None])))
        low, high = float(share.min()), float(share.max())
        if not high - low >= MIN_CONTRAST:  # false for NaN too
            raise CutoutError("the background remover found nothing in the photograph")
        stretched = Image.fromarray((share - low) / np.float32(high - low))
        whole = stretched.resize(photo.shape[1::-1], Image.Resampling.BILINEAR)
        return np.clip(np.asarray(whole, np.float32), 0, 1)


def foreground_of(output: Any) -> np.ndarray:
    """Returns the map of the foreground among a network's outputs, float32 [h, w] from 0 to 1.

    It is the largest map of one channel, and the first of several that are equally large: RMBG-1.4 returns six of one
    size, the finest first, BiRefNet several of growing size. Logits are recognised by values outside 0 to 1.

    Raises: UserError when there is no such map.
    """
    maps = list(_maps(output))
    if not maps:
        raise UserError(
            "the network for cutting out returns no map of one channel; use one that separates a foreground"
        )
    best = max(maps, key=lambda found: found.size)
    if best.min() < 0 or best.max() > 1:
        best = 1 / (1 + np.exp(-np.clip(best, -60, 60)))
    return best.astype(np.float32)


def load_transformers(folder: Path, runs_code: bool, setting: str) -> NeuralCutout:
    """Loads the model for image segmentation in a folder, onto the GPU if there is one.

    runs_code: whether code in the folder may run. setting: the setting or argument that names the folder.

    Raises: UserError when the model can't be loaded.
    """
    check_transformers(folder, runs_code, setting)
    import torch
    from transformers import AutoModelForImageSegmentation

    try:
        model = AutoModelForImageSegmentation.from_pretrained(
            str(folder), trust_remote_code=runs_code, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError, ImportError) as error:
        raise UserError(f"{setting}: {folder} can't be loaded as a model for image segmentation: {error}") from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device).float().eval()

    @torch.inference_mode()
    def network(pixels: np.ndarray) -> Any:
        return model(torch.from_numpy(pixels).to(device))

    return NeuralCutout(network, **_input_of(folder))


def check_transformers(folder: Path, runs_code: bool, setting: str) -> None:
    """Checks that the folder has a configuration, and that its code may run if the model needs it.

    Raises: UserError otherwise.
    """
    config = _json(folder / "config.json")
    code = config.get("auto_map") or {}
    if runs_code or not isinstance(code, Mapping):
        return
    name = code.get("AutoModelForImageSegmentation")
    if name:
        file = folder / f"{str(name).rsplit('.', 1)[0].rsplit('--', 1)[-1]}.py"
        raise UserError(
            f"{setting}: the model in {folder} consists of code of its own, which runs only if you name it; "
            f'read {file.name}, then set {setting} to "{file}"'
        )


def load_onnx(path: Path, setting: str) -> NeuralCutout:
    """Loads a network from an ONNX file, with onnxruntime if it is installed, otherwise with OpenCV.

    Raises: UserError when neither can read it.
    """
    known = _input_of(path.parent) or _input_of(path.parent.parent)
    if importlib.util.find_spec("onnxruntime") is not None:
        import onnxruntime  # pyright: ignore[reportMissingImports]

        try:
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common class
            raise UserError(f"{setting}: onnxruntime can't read {path}: {error}") from error
        entry = session.get_inputs()[0]
        if isinstance(entry.shape[-1], int):
            known["side"] = entry.shape[-1]
        return NeuralCutout(lambda pixels: session.run(None, {entry.name: pixels}), **known)
    import cv2

    try:
        net = cv2.dnn.readNetFromONNX(str(path))
    except cv2.error as error:
        raise UserError(
            f"{setting}: OpenCV can't read {path}; install the package onnxruntime, which reads more kinds of networks"
        ) from error

    def network(pixels: np.ndarray) -> Any:
        net.setInput(pixels)
        return net.forward(net.getUnconnectedOutLayersNames())

    return NeuralCutout(network, **known)


def _input_of(folder: Path) -> dict[str, Any]:
    """Returns what the folder's `PREPROCESSOR` states about the network's input, as arguments of `NeuralCutout`."""
    path = folder / PREPROCESSOR
    if not path.is_file():
        return {}
    stated, found = _json(path), {}
    for key, name in (("image_mean", "mean"), ("image_std", "std")):
        if isinstance(stated.get(key), list) and len(stated[key]) == 3:
            found[name] = stated[key]
    size = stated.get("size")
    side = size.get("height") if isinstance(size, Mapping) else size
    return found | ({"side": side} if isinstance(side, int) else {})


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read as JSON; download the network's folder again") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds no JSON object; download the network's folder again")
    return found


def _maps(output: Any) -> Iterator[np.ndarray]:
    """Yields the maps of one channel among nested outputs, float32 [h, w] each."""
    if isinstance(output, Mapping):
        output = list(output.values())
    if isinstance(output, list | tuple):
        for part in output:
            yield from _maps(part)
        return
    if hasattr(output, "detach"):
        output = output.detach().float().cpu().numpy()
    if isinstance(output, np.ndarray) and output.ndim in (3, 4) and output.size == output.shape[-1] * output.shape[-2]:
        yield output.reshape(output.shape[-2:]).astype(np.float32)
