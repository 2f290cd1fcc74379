"""Small filter models with the real architectures, trained on a synthetic world in about a minute of two CPU cores.

A bottleneck ResNet of torchvision and a CLIP of open_clip with a ResNet image tower, saved in the forms in which large
ones come, so that a real checkpoint is only another path. The world they learn from must not be the one they filter.
"""

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import safetensors.torch
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch.nn import functional as F

from vaserl.curation.photograph import read_photograph
from vaserl.curation.quality import WEIGHTS, ResNetConfig, save_resnet
from vaserl.curation.settings import TinyFilterSettings
from vaserl.progress import Progress
from vaserl.rewards import gold_caption
from vaserl.synthetic.mesh import build_mesh
from vaserl.synthetic.paint import paint
from vaserl.synthetic.photograph import RESOLUTION, Kind, label_quality, photograph
from vaserl.synthetic.record import record_of
from vaserl.synthetic.world import traits_of
from vaserl.turntable import Turntable

RESNET = ResNetConfig(layers=(1, 1, 1, 1), width_per_group=16, expansion=1, image_size=64)

CLIP_CONFIG = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 24, "patch_size": None},
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 64, "heads": 4, "layers": 1},
}
CLIP_PREPROCESS = {
    "mean": list(open_clip.OPENAI_DATASET_MEAN),
    "std": list(open_clip.OPENAI_DATASET_STD),
    "interpolation": "bilinear",
    "resize_mode": "squash",
}

JITTER = 0.2
"""Standard deviation of the random gain and offset of each colour channel, in units of normalised pixels."""

CLIP_WEIGHTS = "open_clip_model.safetensors"

KINDS_OF_EACH_VASE: tuple[Kind, ...] = (
    *("intact", "intact", "intact", "fragment", "fragment", "blur", "sketch", "crop", "crop"),
)
"""Photographs taken of each training vase: every kind often enough, unlike in a collection."""

_WHOLE = ("an intact", "a complete", "a whole", "an undamaged")
_POT = ("vase", "Greek vase", "painted vase", "ancient vase", "vessel")
_PLAIN = tuple(
    f"a {picture} of {whole} {pot}" for picture in ("photograph", "picture") for whole in _WHOLE for pot in _POT
)
_TEMPLATES: dict[Kind, tuple[str, ...]] = {
    "fragment": (
        "a fragment of pottery",
        "a photograph of a fragment of a {pot}",
        "a broken sherd of a {pot}",
        "a piece of a {pot} with broken edges",
        "pottery sherds",
    ),
    "sketch": (
        "a drawing of a {pot}",
        "a line drawing of a {pot} on paper",
        "an archaeological drawing of a {pot}",
        "a sketch of a {pot}",
    ),
    "blur": ("a blurred photograph of a {pot}", "an unsharp picture of a {pot}"),
    "crop": ("a detail of a {pot}", "a close-up of the surface of a {pot}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A photograph of the training world and what is true of it."""

    path: Path
    """The image."""
    kind: Kind
    """What it is."""
    caption: str
    """Caption of the vase on it."""

    def texts(self) -> tuple[str, ...]:
        """What can truly be said of it; a whole vase's caption as often as all the rest, so that it is drawn half the
        time and the text tower learns the language of catalogues too."""
        if self.kind == "intact":
            return _PLAIN + (self.caption,) * len(_PLAIN)
        return tuple(dict.fromkeys(t.format(pot=pot) for t in _TEMPLATES[self.kind] for pot in _POT))


def train_tiny_filters(settings: TinyFilterSettings, quality_folder: Path, clip_folder: Path) -> None:
    """Makes a synthetic world of its own, trains both models on it and saves them; models that are there stay."""
    if (quality_folder / WEIGHTS).is_file() and (clip_folder / CLIP_WEIGHTS).is_file():
        return
    with tempfile.TemporaryDirectory() as scratch:
        examples = photograph_examples(Path(scratch), settings.num_vases, settings.seed)
        paths = [example.path for example in examples]
        good = [bool(label_quality(example.kind)) for example in examples]
        train_tiny_quality(paths, good, quality_folder, settings.seed)
        train_tiny_clip(paths, [example.texts() for example in examples], clip_folder, settings.seed)


def photograph_examples(folder: Path, num_vases: int, seed: int) -> list[Example]:
    """KINDS_OF_EACH_VASE photographs of each vase of the world with this seed, written to `folder`."""
    examples = []
    with Turntable(RESOLUTION) as turntable, Progress("tiny filters", num_vases) as progress:
        for index in range(num_vases):
            traits = traits_of(seed, index)
            mesh = build_mesh(traits, paint(traits))
            caption = gold_caption(record_of(str(index), index, traits))
            rng = np.random.default_rng([seed, index])
            for view, kind in enumerate(KINDS_OF_EACH_VASE):
                image = photograph(turntable, mesh, kind, rng, back=bool(rng.random() < 0.3))
                path = folder / f"{index}_{view}.png"
                Image.fromarray(image).save(path, compress_level=1)
                examples.append(Example(path=path, kind=kind, caption=caption))
            progress.advance()
    return examples


def train_tiny_quality(
    photographs: Sequence[Path], is_good: Sequence[bool], folder: Path, seed: int, num_steps: int = 120
) -> None:
    """Trains a small ResNet to tell good photographs from others and saves it as `quality.path` wants it.

    Classes weigh the same however many examples they have. Augmentation: mirroring and a shift of a few pixels.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    pixels = torch.stack([RESNET.pixels(read_photograph(path)) for path in photographs])  # [N, 3, S, S]
    labels = torch.tensor(np.array(is_good, dtype=np.int64))
    weights = len(labels) / (2 * torch.bincount(labels, minlength=2).clamp(min=1))
    model = RESNET.build().train()

    def loss_of(chosen: np.ndarray) -> torch.Tensor:
        return F.cross_entropy(model(_augmented(pixels[chosen], rng)), labels[chosen], weight=weights)

    _optimise(model, loss_of, len(labels), num_steps, batch_size=32, learning_rate=2e-3, rng=rng)
    save_resnet(model.eval(), RESNET, folder)


def train_tiny_clip(
    photographs: Sequence[Path], texts: Sequence[Sequence[str]], folder: Path, seed: int, num_steps: int = 110
) -> None:
    """Trains a small CLIP on pairs of a photograph and one of the texts that are true of it, drawn anew each time;
    a text that is listed n times is drawn n times as often.

    The loss is CLIP's, with every text of the batch that is true of a photograph counted as its match: otherwise two
    photographs of whole vases would be taught to differ. Saves an open_clip folder as `clip.path` wants it.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    model = open_clip.CLIP(**CLIP_CONFIG)
    preprocess: Any = image_transform_v2(
        PreprocessCfg(size=CLIP_CONFIG["vision_cfg"]["image_size"], **CLIP_PREPROCESS), is_train=False
    )
    tokenizer = open_clip.SimpleTokenizer(context_length=CLIP_CONFIG["text_cfg"]["context_length"])
    pixels = torch.stack([preprocess(read_photograph(path)) for path in photographs])
    vocabulary = sorted({text for own in texts for text in own})
    tokens = tokenizer(vocabulary)  # [V, context]
    number = {text: index for index, text in enumerate(vocabulary)}
    numbers = [[number[text] for text in own] for own in texts]
    is_true = torch.zeros(len(photographs), len(vocabulary), dtype=torch.bool)
    for index, own in enumerate(numbers):
        is_true[index, own] = True

    def loss_of(chosen: np.ndarray) -> torch.Tensor:
        spoken = np.array([rng.choice(numbers[index]) for index in chosen])
        image, text, scale = model(_augmented(pixels[chosen], rng), tokens[spoken])[:3]
        return _contrastive(scale * image @ text.T, is_true[chosen][:, spoken].float())

    _optimise(model, loss_of, len(photographs), num_steps, batch_size=64, learning_rate=2e-3, rng=rng)
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(model.state_dict(), folder / CLIP_WEIGHTS)
    config = {"model_cfg": CLIP_CONFIG, "preprocess_cfg": CLIP_PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")


def _contrastive(logits: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """Cross-entropy in both directions; logits and matches [images, texts], a row's matches share its probability."""
    to_texts = matches / matches.sum(dim=1, keepdim=True)
    to_images = matches.T / matches.T.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, to_texts) + F.cross_entropy(logits.T, to_images)) / 2


def _optimise(
    model: torch.nn.Module,
    loss_of: Callable[[np.ndarray], torch.Tensor],
    num_examples: int,
    num_steps: int,
    batch_size: int,
    learning_rate: float,
    rng: np.random.Generator,
) -> None:
    """AdamW over shuffled epochs, the rate warmed up over a twentieth of the steps and then on a cosine to nothing."""
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}])
    num_batches = max(num_examples // batch_size, 1)
    order = np.arange(num_examples)
    for step in range(num_steps):
        if step % num_batches == 0:
            order = rng.permutation(num_examples)
        progress = step / num_steps
        rate = learning_rate * min(20 * (step + 1) / num_steps, 0.5 * (1 + math.cos(math.pi * progress)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        start = step % num_batches * batch_size
        loss = loss_of(order[start : start + batch_size])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def _augmented(pixels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """[N, 3, S, S] some mirrored, all shifted by up to a sixteenth of the side, edges repeated, and their colours
    stretched and moved channel by channel: neither lamp nor backdrop says what a photograph shows."""
    size = pixels.shape[-1]
    reach = size // 16
    padded = F.pad(pixels, [reach] * 4, mode="replicate")
    shifted = []
    for image, (top, left), mirrored in zip(
        padded, rng.integers(0, 2 * reach + 1, (len(pixels), 2)), rng.random(len(pixels)) < 0.5, strict=True
    ):
        window = image[:, top : top + size, left : left + size]
        shifted.append(window.flip(-1) if mirrored else window)
    gain = torch.from_numpy(rng.normal(1.0, JITTER, (len(pixels), 3, 1, 1)).astype(np.float32))
    offset = torch.from_numpy(rng.normal(0.0, JITTER, (len(pixels), 3, 1, 1)).astype(np.float32))
    return torch.stack(shifted) * gain + offset
