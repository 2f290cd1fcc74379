"""The loss of the cut-out network: pixels, above all those at outlines; overlap; and the view."""

import torch
from torch.nn import functional as F

from vaserl.synthetic.scenes.scene import ScenePictures

OUTLINE_WEIGHT = 4.0
"""How much more a pixel at an outline counts than one in an area."""
VIEW_WEIGHT = 0.3
_MOST_SMOOTH = 0.05


def network_input(pictures: ScenePictures) -> torch.Tensor:
    """Returns the pictures as the network's input, float [B, 4, S, S]."""
    return torch.cat([(pictures.pixels * 2 - 1) * pictures.inside, pictures.inside], 1)


def cutout_loss(
    mask_logits: torch.Tensor, view_logits: torch.Tensor, pictures: ScenePictures
) -> dict[str, torch.Tensor]:
    """Returns the loss ("loss") and its parts: "pixels", "overlap" and "views", scalars.

    mask_logits: [B, 1, S, S]; view_logits: [B, len(VIEWS)].
    """
    mask, counts = pictures.mask, pictures.counts
    outline = F.max_pool2d(mask, 5, 1, 2) + F.max_pool2d(-mask, 5, 1, 2)
    weight = counts * (1 + OUTLINE_WEIGHT * outline)
    logits = mask_logits.float()
    pixels = (
        F.binary_cross_entropy_with_logits(logits, mask, reduction="none") * weight
    ).sum() / weight.sum().clamp_min(1)
    found = torch.sigmoid(logits) * counts
    both, either = (found * mask).sum((1, 2, 3)), (found + mask * counts).sum((1, 2, 3))
    shows = ((mask * counts).sum((1, 2, 3)) > 20).float()
    overlap = ((1 - (2 * both + 1) / (either + 1)) * shows).sum() / shows.sum().clamp_min(1)
    views = F.cross_entropy(view_logits.float(), pictures.views, label_smoothing=_MOST_SMOOTH)
    return {"loss": pixels + 0.5 * overlap + VIEW_WEIGHT * views, "pixels": pixels, "overlap": overlap, "views": views}
