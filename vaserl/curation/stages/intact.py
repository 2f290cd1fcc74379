"""Does the photograph show a whole vase, and how squarely? Zero-shot scores of a CLIP model against prompt families."""

from collections.abc import Sequence
from pathlib import Path

import torch

from vaserl.curation.job.batch import RowBatch, rejecting, remaining, with_column
from vaserl.curation.settings import IntactSettings
from vaserl.encoders.open_clip import Tokenizer, load_open_clip
from vaserl.errors import UserError
from vaserl.files.photograph import read_photograph
from vaserl.settings import OpenClipSettings

STAGE = "intact"
DEFAULT_THRESHOLD = 0.0
"""A photograph is as near to the intact family as to the best one against it."""
VIEW = "front"


class Intact:
    """Adds `intact` and `front`, and rejects what looks more like one of the families against it.

    `intact` is cos(image, intact family) minus the largest cos(image, family against it), where a family is the
    normalised mean of its prompts' normalised text features. `front` ranks the views of a vase; both scores come from
    one pass over the image.
    """

    def __init__(self, settings: IntactSettings, clip: OpenClipSettings) -> None:
        assert settings.quantile is None, "a quantile is worked out before the stage is made"
        self._threshold = DEFAULT_THRESHOLD if settings.threshold is None else settings.threshold
        self._path = clip.path
        self._model, self._preprocess, tokenizer = load_open_clip(clip)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model.to(self._device)
        self._against = tuple(settings.against)
        families = [settings.intact, settings.front, settings.not_front, *settings.against.values()]
        self._families = torch.stack([self._family(tokenizer, prompts) for prompts in families])  # [3 + A, E]

    def __call__(self, batch: RowBatch) -> RowBatch:
        rows = remaining(batch)
        cosines = dict(zip(rows, self.cosines([batch["photo"][index] for index in rows]), strict=True))
        intact, front, reasons = {}, {}, {}
        for index, (to_intact, to_front, to_not_front, *to_others) in cosines.items():
            nearest = max(range(len(to_others)), key=to_others.__getitem__)
            intact[index] = to_intact - to_others[nearest]
            front[index] = to_front - to_not_front
            if intact[index] < self._threshold:
                reasons[index] = (
                    f"looks like {self._against[nearest]}: cosine {to_others[nearest]:.3f} against {to_intact:.3f} to "
                    f"intact, a difference of {intact[index]:.3f}, needed {self._threshold:g}"
                )
        scored = with_column(with_column(batch, STAGE, intact, float("nan")), VIEW, front, float("nan"))
        return rejecting(scored, STAGE, reasons)

    @torch.inference_mode()
    def cosines(self, photos: Sequence[Path | str]) -> list[list[float]]:
        """[N][3 + A] cosine of each photograph to the families intact, front, not front and the A against.

        Raises: UserError when the model's answer is no number, which every threshold would let through.
        """
        if not photos:
            return []
        pixels = torch.stack([self._preprocess(read_photograph(path)) for path in photos])
        features = self._model.encode_image(pixels.to(self._device), normalize=True)
        cosines = features @ self._families.T
        if not cosines.isfinite().all():
            raise UserError(f"clip.path {self._path}: the model's answers aren't numbers; its weights are damaged")
        return cosines.tolist()

    @torch.inference_mode()
    def _family(self, tokenizer: Tokenizer, prompts: Sequence[str]) -> torch.Tensor:
        """[E] of unit length, or zeros for an empty family."""
        if not prompts:
            return torch.zeros_like(self._family(tokenizer, ["a vase"]))
        features = self._model.encode_text(tokenizer(list(prompts)).to(self._device), normalize=True)
        return torch.nn.functional.normalize(features.mean(dim=0), dim=0)
