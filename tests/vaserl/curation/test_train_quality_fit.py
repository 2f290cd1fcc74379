"""Tests the loop that trains the quality filter: the network's inputs, early stopping, and the weights of the
classes."""

import math

import numpy as np
import pytest
import torch

from tests.fakes.small_filter import CONFIG, training
from vaserl.curation.train_quality.augment import augmented
from vaserl.curation.train_quality.fit import Examples, best_epoch, fit
from vaserl.curation.train_quality.settings import AugmentSettings
from vaserl.errors import UserError


class Recording(torch.nn.Module):
    """A fake network that is right on photographs with a bright first pixel, and records all its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.shown: dict[bool, list[torch.Tensor]] = {True: [], False: []}

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.shown[self.training].append(pixels.clone())
        margin = self.scale * pixels.mean(dim=(1, 2, 3))
        return torch.stack([-margin, margin], dim=1)


def examples(num: int, seed: int) -> Examples:
    images = np.random.default_rng(seed).integers(0, 255, (num, 32, 32, 3), dtype=np.uint8)
    return Examples(images=images, rows=np.arange(num), is_good=np.arange(num) % 2 == 0)


def test_fit_two_epochs_see_different_pixels_and_validation_the_same(tmp_path):
    model, train, val = Recording(), examples(8, 0), examples(4, 1)
    fit(model, CONFIG, train, val, training(tmp_path, tmp_path, batch_size=8).model_copy(update={"num_epochs": 2}))
    first, second = model.shown[True]  # a step each: the whole set, in the same order
    assert not any(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    plain = CONFIG.normalised(train.images)
    assert not any(torch.equal(a, b) for a, b in zip(first, plain, strict=True))
    for seen in model.shown[False]:
        assert torch.equal(seen, CONFIG.normalised(val.images))


def test_fit_each_epoch_has_an_order_of_its_own(tmp_path):
    model, train = Recording(), examples(8, 0)
    plain = AugmentSettings(colour=0.0, shift=0.0, mirror=0.0)
    asked = training(tmp_path, tmp_path, batch_size=4, augment=plain).model_copy(update={"num_epochs": 4})
    fit(model, CONFIG, train, examples(4, 1), asked)
    whole = CONFIG.normalised(train.images)
    firsts = [
        tuple(k for k in range(8) if any(torch.equal(whole[k], pixels) for pixels in batch))
        for batch in model.shown[True][::2]
    ]
    assert len(firsts) == 4 and len(set(firsts)) > 1 and all(len(rows) == 4 for rows in firsts)


def test_augmented_shifts_either_way_and_stretches_and_moves_colours():
    column = torch.arange(16.0).expand(200, 3, 16, 16)
    shifted = augmented(column, np.random.default_rng(0), AugmentSettings(colour=0.0, shift=0.125, mirror=0.0))
    assert set((shifted[:, 0, 8, 8] - 8).tolist()) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    coloured = augmented(column, np.random.default_rng(0), AugmentSettings(colour=0.2, shift=0.0, mirror=0.0))
    offset, gain = coloured[:, :, 0, 0], coloured[:, :, 0, 1] - coloured[:, :, 0, 0]
    # 600 draws each: a standard error of 0.006
    assert float(gain.mean()) == pytest.approx(1.0, abs=0.04) and float(gain.std()) == pytest.approx(0.2, abs=0.03)
    assert float(offset.mean()) == pytest.approx(0.0, abs=0.04) and float(offset.std()) == pytest.approx(0.2, abs=0.03)


def test_augmented_moves_by_whole_pixels_and_mirrors():
    """Checks that every output pixel is an input pixel: augmentation must not blur, because blur is to be
    recognised."""
    images = torch.arange(2 * 3 * 16 * 16, dtype=torch.float32).reshape(2, 3, 16, 16)
    moved = augmented(images, np.random.default_rng(0), AugmentSettings(colour=0.0, shift=0.125))
    for before, after in zip(images, moved, strict=True):
        assert set(after.flatten().tolist()) <= set(before.flatten().tolist())
        assert not torch.equal(before, after)
    mirrored = augmented(images, np.random.default_rng(0), AugmentSettings(colour=0.0, shift=0.0, mirror=1.0))
    assert torch.equal(mirrored, images.flip(-1))
    still = augmented(images, np.random.default_rng(0), AugmentSettings(colour=0.0, shift=0.0, mirror=0.0))
    assert torch.equal(still, images)


def test_fit_stops_early_and_keeps_the_best_weights(tmp_path):
    """Uses a validation set with inverted labels, so that each step makes its loss worse: the first epoch stays the
    best."""
    rows, bright = np.arange(8), np.arange(8) % 2 == 0
    images = np.broadcast_to(np.where(bright, 200, 60).astype(np.uint8)[:, None, None, None], (8, 32, 32, 3))
    model, train, val = (
        Recording(),
        Examples(images=images, rows=rows, is_good=bright),
        Examples(images=images, rows=rows, is_good=~bright),
    )
    plain = AugmentSettings(colour=0.0, shift=0.0)
    changed = training(tmp_path, tmp_path, batch_size=8, patience=3, augment=plain)
    changed = changed.model_copy(update={"num_epochs": 30})
    epochs = fit(model, CONFIG, train, val, changed)
    assert best_epoch(epochs).number == 1 and len(epochs) == 4
    assert epochs[-1].train_loss < epochs[0].train_loss and epochs[-1].val_loss > epochs[0].val_loss
    # the rate is at its peak of 3e-3 only after the warm-up, and Adam's first step is as long as the rate
    assert 1.0 < float(model.scale.detach()) < 1.0 + 1.1 * 3e-3


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_fit_that_diverges_is_an_error_and_leaves_no_model(tmp_path):
    class Diverged(Recording):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return super().forward(pixels) * math.nan

    with pytest.raises(UserError, match=r"after epoch 1: training diverged; reduce learning_rate, which is 0\.003"):
        fit(Diverged(), CONFIG, examples(8, 0), examples(4, 1), training(tmp_path, tmp_path))


def test_fit_rare_class_counts_as_much(tmp_path):
    """Uses one bad photograph among eight. With class weights a model that gives 1/2 to everything has a loss of ln 2,
    and a model that gives every photograph 7/8 for good has no lower one."""
    images = np.zeros((8, 32, 32, 3), dtype=np.uint8)
    train = Examples(images=images, rows=np.arange(8), is_good=np.arange(8) > 0)

    class Constant(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bias = torch.nn.Parameter(torch.tensor([0.0, float(np.log(7))]))

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.bias.expand(len(pixels), 2)

    one = training(tmp_path, tmp_path, batch_size=32).model_copy(update={"num_epochs": 1, "learning_rate": 1e-12})
    (epoch,) = fit(Constant(), CONFIG, train, train, one)
    # half the weight on each class: (ln 8 + ln(8/7)) / 2; unweighted it would be (ln 8 + 7 ln(8/7)) / 8 = 0.377
    assert epoch.train_loss == pytest.approx((np.log(8) + np.log(8 / 7)) / 2, abs=1e-5)
    assert epoch.val_loss == pytest.approx(epoch.train_loss, abs=1e-5)
