"""Trains the network of the quality filter on augmented photographs until the validation loss no longer decreases.

A torch data loader is not needed: photographs are decoded once, at the size of the network's input, into a
memory-mapped file. Each epoch reads the pixels from that file, which the operating system caches in free memory.
"""

import copy
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from vaserl.curation.bodies.quality import ResNetConfig
from vaserl.curation.train_quality.augment import augmented
from vaserl.curation.train_quality.settings import TrainQualitySettings
from vaserl.errors import UserError
from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.policy.optimizer import ScheduledAdamW
from vaserl.runs.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """The decoded photographs of one split (train, val or test), with their labels."""

    images: np.ndarray
    """Pixels of the photographs of all splits, memory-mapped: uint8 [M, S, S, 3] for M photographs of side S."""
    rows: np.ndarray
    """Index in `images` of each of this split's N photographs: int [N]."""
    is_good: np.ndarray
    """Label of each of this split's N photographs, True if it is good: bool [N]."""

    def pixels(self, chosen: np.ndarray | slice, config: ResNetConfig) -> torch.Tensor:
        """Returns B of this split's photographs, normalised and not augmented: float32 [B, 3, S, S] with side S.

        chosen: numbers of the photographs within this split, counted from 0.
        """
        return config.normalised(self.images[self.rows[chosen]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The losses of one epoch, which is one pass over the training photographs."""

    number: int
    """Number of the epoch, counted from 1."""
    train_loss: float
    """Mean loss over the optimizer steps of the epoch, on augmented training photographs."""
    val_loss: float
    """Loss on the validation photographs after the epoch, without augmentation."""


def decode(paths: Sequence[Path], config: ResNetConfig, file: Path, num_threads: int) -> tuple[np.ndarray, list[str]]:
    """Decodes N photographs into the new memory-mapped file `file`.

    Returns: (pixels, errors). The pixels are memory-mapped, uint8 [N, S, S, 3] with side S. The errors are one text for
    each photograph: why it can't be decoded, or "" if it was decoded.
    """
    size = config.image_size
    images = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=(len(paths), size, size, 3))

    def read(index: int) -> str:
        try:
            images[index] = config.squeezed(read_photograph(paths[index], shorter_side=size))
        except UnreadablePhotograph as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(num_threads) as threads, Progress("decode", len(paths)) as progress:
        problems = []
        for problem in threads.map(read, range(len(paths))):
            problems.append(problem)
            progress.advance()
    return images, problems


def fit(
    model: torch.nn.Module, config: ResNetConfig, train: Examples, val: Examples, settings: TrainQualitySettings
) -> list[Epoch]:
    """Trains `model` in place. Its final weights are those of the epoch with the lowest validation loss.

    The loss is the weighted cross-entropy. Good photographs have one weight and bad ones another, so that both classes
    have the same total weight in the training photographs. The validation loss uses the same two weights.

    model: network from N photographs of side S, [N, 3, S, S], to their logits of bad and good, [N, 2].
    Returns: all epochs of the training; there are fewer than `num_epochs` if it stopped early.
    Raises: UserError when the validation loss is NaN or infinite.
    """
    rng = np.random.default_rng(settings.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device)
    counts = np.bincount(train.is_good.astype(int), minlength=2)
    weights = torch.tensor(len(train.is_good) / (2 * counts), dtype=torch.float32, device=device)
    size = min(settings.batch_size, len(train.is_good))
    num_batches = len(train.is_good) // size
    step = ScheduledAdamW(
        model,
        peak=settings.learning_rate,
        weight_decay=settings.weight_decay,
        num_steps=num_batches * settings.num_epochs,
    )
    epochs: list[Epoch] = []
    best = copy.deepcopy(model.state_dict())
    with Progress("train-quality", settings.num_epochs) as progress:
        for number in range(1, settings.num_epochs + 1):
            model.train()
            order = rng.permutation(len(train.is_good))
            total = 0.0
            for start in range(
                0, num_batches * size, size
            ):  # drops the last, incomplete batch; the next epoch has another order
                chosen = np.sort(order[start : start + size])
                pixels = augmented(train.pixels(chosen, config), rng, settings.augment).to(device)
                labels = torch.from_numpy(train.is_good[chosen].astype(np.int64)).to(device)
                total += step(F.cross_entropy(model(pixels), labels, weight=weights))
            val_loss = _weighted_loss(margins_of(model, config, val, size), val.is_good, weights.cpu().numpy())
            if not math.isfinite(val_loss):
                raise UserError(
                    f"the validation loss is {val_loss} after epoch {number}: training diverged; reduce learning_rate, "
                    f"which is {settings.learning_rate:g}"
                )
            if val_loss < min((epoch.val_loss for epoch in epochs), default=math.inf):
                best = copy.deepcopy(model.state_dict())
            epochs.append(Epoch(number=number, train_loss=total / num_batches, val_loss=val_loss))
            progress.advance(train_loss=total / num_batches, val_loss=val_loss)
            if number - best_epoch(epochs).number >= settings.patience:
                break
    model.load_state_dict(best)
    model.eval()
    return epochs


def best_epoch(epochs: Sequence[Epoch]) -> Epoch:
    """Returns the epoch with the lowest validation loss, or the first of them if several have the same loss."""
    return min(epochs, key=lambda epoch: epoch.val_loss)


@torch.inference_mode()
def margins_of(model: torch.nn.Module, config: ResNetConfig, examples: Examples, batch_size: int) -> np.ndarray:
    """Returns the margin of each of N photographs, computed without augmentation: float64 [N]. The margin is the logit
    of good minus the logit of bad."""
    model.eval()
    device = next(model.parameters()).device
    margins = []
    for start in range(0, len(examples.rows), batch_size):
        logits = model(examples.pixels(slice(start, start + batch_size), config).to(device)).double()
        margins.append((logits[:, 1] - logits[:, 0]).cpu().numpy())
    return np.concatenate(margins)


def _weighted_loss(margins: np.ndarray, is_good: np.ndarray, weights: np.ndarray) -> float:
    of_each = weights[is_good.astype(int)].astype(np.float64)
    losses = np.logaddexp(0.0, np.where(is_good, -margins, margins))
    return float((of_each * losses).sum() / of_each.sum())
