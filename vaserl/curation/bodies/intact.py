"""Scores photographs zero-shot with a CLIP model: whether a whole vase is shown, and how frontally."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import CenterCrop

from vaserl.curation.settings import IntactSettings
from vaserl.curation.stage import Kept, Photograph, Rejected, Verdict
from vaserl.curation.stages.intact import DEFAULT_THRESHOLD, FRONT, INTACTNESS
from vaserl.encoders.open_clip import Tokenizer, load_open_clip
from vaserl.errors import UserError
from vaserl.files.photograph import read_photograph
from vaserl.settings import OpenClipSettings

_DECODED = 2
"""A JPEG may be decoded at a reduced size, but its shorter side has at least this many times the pixels of the model's
input."""


class Intact:
    """Adds the columns `intact` and `front`, and rejects photographs whose `intact` is below the threshold.

    A family is a list of text prompts for one kind of photograph; its embedding is the normalised mean of the prompts'
    normalised text features. `intact` is cos(image, intact family) minus the largest cos(image, F) over the families F
    of `intact.against`, such as fragments. `front` is cos(image, front) minus cos(image, not front), and ranks the
    views of a vase. Both scores come from one forward pass over the image, which the model sees whole: see `in_square`.
    """

    def __init__(self, settings: IntactSettings, open_clip: OpenClipSettings) -> None:
        assert settings.quantile is None, "replace the quantile by a threshold before building the stage"
        self._threshold = DEFAULT_THRESHOLD if settings.threshold is None else settings.threshold
        self._path = open_clip.path
        self._model, self._preprocess, tokenizer = load_open_clip(open_clip)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model.to(self._device)
        self._crops = any(isinstance(step, CenterCrop) for step in getattr(self._preprocess, "transforms", ()))
        self._shorter_side = _DECODED * _least_side(self._model)
        self._against = tuple(settings.against)
        families = [settings.intact, settings.front, settings.not_front, *settings.against.values()]
        # [3 + A, E]: A families of `intact.against`, E features
        self._families = torch.stack([self._family(tokenizer, prompts) for prompts in families])

    def judge_all(self, photographs: Sequence[Photograph]) -> list[Verdict]:
        """Returns one verdict for each photograph, from one forward pass of the CLIP model."""
        return [self._verdict(cosines) for cosines in self.cosines([photograph.photo for photograph in photographs])]

    def _verdict(self, cosines: Sequence[float]) -> Verdict:
        to_intact, to_front, to_not_front, *to_others = cosines
        nearest = max(range(len(to_others)), key=to_others.__getitem__)
        score = to_intact - to_others[nearest]
        columns = {INTACTNESS.name: score, FRONT.name: to_front - to_not_front}
        if score >= self._threshold:
            return Kept(columns=columns)
        return Rejected(
            reason=f"looks like {self._against[nearest]}: cosine {to_others[nearest]:.3f} against {to_intact:.3f} to "
            f"intact, a difference of {score:.3g}, needed {self._threshold:g}",
            columns=columns,
        )

    @torch.inference_mode()
    def cosines(self, photos: Sequence[Path | str]) -> list[list[float]]:
        """Returns the cosines between each of N photographs and each family of prompts, [N][3 + A].

        The families are intact, front, not front and the A families of `intact.against`, in that order.

        Raises: UserError when the model returns NaN, which would pass every threshold.
        """
        if not photos:
            return []
        images = (read_photograph(path, shorter_side=self._shorter_side) for path in photos)
        if self._crops:
            images = map(in_square, images)
        pixels = torch.stack([self._preprocess(image) for image in images])
        features = self._model.encode_image(pixels.to(self._device), normalize=True)
        cosines = features @ self._families.T
        if not cosines.isfinite().all():
            raise UserError(f"open_clip.path {self._path}: the model returns NaN or infinity; its weights are damaged")
        return cosines.tolist()

    @torch.inference_mode()
    def _family(self, tokenizer: Tokenizer, prompts: Sequence[str]) -> torch.Tensor:
        """Returns the embedding of a family of prompts: [E], E features, of unit length; zeros for an empty family."""
        if not prompts:
            return torch.zeros_like(self._family(tokenizer, ["a vase"]))
        features = self._model.encode_text(tokenizer(list(prompts)).to(self._device), normalize=True)
        return torch.nn.functional.normalize(features.mean(dim=0), dim=0)


def in_square(image: Image.Image) -> Image.Image:
    """Returns the image in the middle of a square of the median colour of its border; a square image as it is.

    The preprocessing of most CLIP models crops the middle square. It would cut lip and foot off a vase in a tall
    photograph, which then looks like a detail.
    """
    width, height = image.size
    if width == height:
        return image
    pixels = np.asarray(image)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    side = max(width, height)
    square = Image.new("RGB", (side, side), tuple(int(value) for value in np.median(border, axis=0)))
    square.paste(image, ((side - width) // 2, (side - height) // 2))
    return square


def _least_side(model: Any) -> int:
    """Returns the shorter side of the model's input in pixels."""
    size = model.visual.image_size
    return size if isinstance(size, int) else min(size)
