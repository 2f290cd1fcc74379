"""Scores the network on scenes of objects that it was not trained on."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from vaserl.meshes.cutout.network import CutoutNet
from vaserl.meshes.cutout.views import VIEWS
from vaserl.synthetic.scenes.bank import ForegroundBank
from vaserl.synthetic.scenes.dice import Dice
from vaserl.synthetic.scenes.props import Props
from vaserl.synthetic.scenes.scene import ScenePictures, compose
from vaserl.synthetic.train_cutout.loss import network_input

_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredBatch:
    """A few scored scenes, for the contact sheet."""

    pictures: ScenePictures
    found: np.ndarray
    """The network's masks, bool [B, S, S]."""
    views: np.ndarray
    """Index of the most probable view of each, int64 [B]."""


def score_network(
    network: CutoutNet, bank: ForegroundBank, props: Props, seed: int, num: int, side: int
) -> tuple[dict[str, Any], ScoredBatch]:
    """Returns the scores on `num` scenes of `side` pixels, and the first batch of them.

    The scores are "iou" (median, p5 and n of all scenes with a vase, and by scene), "gaps" (share of the pixels of gaps
    under handles that are not taken for vase) and "views" (accuracy, and right and n of each view).
    """
    first, overlaps, views = None, defaultdict(list), defaultdict(list)
    gap_right = gap_all = 0
    for number in range(-(-num // _BATCH)):
        pictures = compose(bank, props, Dice([seed, 2, number], bank.device), min(_BATCH, num - number * _BATCH), side)
        with torch.inference_mode():
            mask_logits, view_logits = network(network_input(pictures).to(memory_format=torch.channels_last))
        found = ((mask_logits > 0) & (pictures.inside > 0.5))[:, 0].cpu().numpy()
        named = view_logits.argmax(1).cpu().numpy()
        batch = ScoredBatch(pictures=pictures, found=found, views=named)
        first = first or batch
        true, counts = (t[:, 0].cpu().numpy() > 0.5 for t in (pictures.mask, pictures.counts))
        for k, scene in enumerate(pictures.scenes):
            truth, seen = true[k] & counts[k], found[k] & counts[k]
            if truth.sum() > 20:
                overlaps[scene].append(float((truth & seen).sum() / (truth | seen).sum()))
            views[VIEWS[int(pictures.views[k])]].append(bool(named[k] == int(pictures.views[k])))
            if scene == "side":
                gaps = np.asarray(ndimage.binary_fill_holes(truth), bool) & ~truth
                gap_all, gap_right = gap_all + int(gaps.sum()), gap_right + int((gaps & ~seen).sum())
    assert first is not None
    everything = [value for values in overlaps.values() for value in values]
    right = [value for values in views.values() for value in values]
    scores = {
        "iou": {"all": _spread(everything), **{name: _spread(values) for name, values in sorted(overlaps.items())}},
        "gaps": {"right": round(gap_right / max(gap_all, 1), 4), "pixels": gap_all},
        "views": {
            "accuracy": round(float(np.mean(right)), 4),
            "n": len(right),
            "by_view": {name: {"right": int(sum(values)), "n": len(values)} for name, values in sorted(views.items())},
        },
    }
    return scores, first


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {"n": 0}
    return {
        "median": round(float(np.median(values)), 4),
        "p5": round(float(np.percentile(values, 5)), 4),
        "n": len(values),
    }
