"""Zero-shot scores of a CLIP model: whether a photograph shows a whole vase, and how frontally."""

from collections.abc import Sequence
from pathlib import Path

import torch

from vaserl.curation.settings import IntactSettings
from vaserl.curation.stage import Kept, Photograph, Rejected, Verdict
from vaserl.curation.stages.intact import DEFAULT_THRESHOLD, FRONT, INTACTNESS
from vaserl.encoders.open_clip import Tokenizer, load_open_clip
from vaserl.errors import UserError
from vaserl.files.photograph import read_photograph
from vaserl.settings import OpenClipSettings


class Intact:
    """Adds `intact` and `front`, and rejects what looks more like a family against it.

    `intact` is cos(image, intact family) minus the largest cos(image, family against it), where a family is the
    normalised mean of its prompts' normalised text features. `front` ranks the views of a vase; both scores come from
    one pass over the image.
    """

    def __init__(self, settings: IntactSettings, open_clip: OpenClipSettings) -> None:
        assert settings.quantile is None, "a quantile is resolved before the stage is made"
        self._threshold = DEFAULT_THRESHOLD if settings.threshold is None else settings.threshold
        self._path = open_clip.path
        self._model, self._preprocess, tokenizer = load_open_clip(open_clip)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model.to(self._device)
        self._against = tuple(settings.against)
        families = [settings.intact, settings.front, settings.not_front, *settings.against.values()]
        self._families = torch.stack([self._family(tokenizer, prompts) for prompts in families])  # [3 + A, E]

    def judge_all(self, photographs: Sequence[Photograph]) -> list[Verdict]:
        """Returns the verdicts, from one pass of the model."""
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
            f"intact, a difference of {score:.3f}, needed {self._threshold:g}",
            columns=columns,
        )

    @torch.inference_mode()
    def cosines(self, photos: Sequence[Path | str]) -> list[list[float]]:
        """Returns [N][3 + A]: cosines of each photograph to the families intact, front, not front and the A against.

        Raises: UserError when the model returns NaN, which would pass every threshold.
        """
        if not photos:
            return []
        pixels = torch.stack([self._preprocess(read_photograph(path)) for path in photos])
        features = self._model.encode_image(pixels.to(self._device), normalize=True)
        cosines = features @ self._families.T
        if not cosines.isfinite().all():
            raise UserError(f"open_clip.path {self._path}: the model returns NaN or infinity; its weights are damaged")
        return cosines.tolist()

    @torch.inference_mode()
    def _family(self, tokenizer: Tokenizer, prompts: Sequence[str]) -> torch.Tensor:
        """Returns [E] of unit length, or zeros for an empty family."""
        if not prompts:
            return torch.zeros_like(self._family(tokenizer, ["a vase"]))
        features = self._model.encode_text(tokenizer(list(prompts)).to(self._device), normalize=True)
        return torch.nn.functional.normalize(features.mean(dim=0), dim=0)
