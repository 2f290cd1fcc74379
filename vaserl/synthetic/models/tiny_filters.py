"""Trains small networks for the two photograph filters, in one or two minutes on one CPU core.

The quality filter's network is torchvision's bottleneck ResNet; the other filter's is an open_clip model with a ResNet
image tower. Both are trained on photographs of synthetic vases; don't filter photographs of the same vases with them.
Both are saved in the file formats of large checkpoints, so a large checkpoint can be used in their place.
"""

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
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

from vaserl.curation.bodies.quality import WEIGHTS
from vaserl.curation.settings import IntactSettings, TinyFilterSettings
from vaserl.curation.train_quality.augment import augmented
from vaserl.curation.train_quality.doubts import LEAST_RECALL
from vaserl.curation.train_quality.labels import Labelled
from vaserl.curation.train_quality.report import QualityReport
from vaserl.curation.train_quality.settings import AugmentSettings, LabelSettings, ShapeSettings, TrainQualitySettings
from vaserl.curation.train_quality.train import train_on
from vaserl.files.photograph import read_photograph
from vaserl.meshes.turntable import TurntableRenderer
from vaserl.policy.optimizer import ScheduledAdamW
from vaserl.rewards.vase import reference_caption
from vaserl.runs.progress import Progress
from vaserl.synthetic.mesh import build_mesh
from vaserl.synthetic.paint import paint_vase
from vaserl.synthetic.photograph import RESOLUTION, PhotographKind, label_quality, take_photograph
from vaserl.synthetic.record import beazley_record
from vaserl.synthetic.world import traits_of

_logger = logging.getLogger(__name__)

RESNET = ShapeSettings(layers=(1, 1, 1, 1), width_per_group=16, expansion=1, image_size=64)

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

CLIP_BATCH = 64
AUGMENT = AugmentSettings()

CLIP_WEIGHTS = "open_clip_model.safetensors"

KINDS_OF_EACH_VASE: tuple[PhotographKind, ...] = (
    *("intact", "intact", "intact", "above", "above", "fragment", "fragment", "blur", "sketch", "crop", "crop"),
)
"""Kinds of the photographs of each training vase. Unlike in a collection, every kind is frequent."""

_PROMPTS = IntactSettings()
_NOUNS = ("vase", "Greek vase", "painted vase", "ancient vase", "vessel")
_WHOLE = (
    *(f"a photograph of {whole} {noun}" for whole in ("an intact", "a complete", "an undamaged") for noun in _NOUNS),
    *_PROMPTS.intact,
)
_FRONT = (*(f"a photograph of a {noun} seen from the front" for noun in _NOUNS), *_PROMPTS.front)
_ABOVE = (*(f"a photograph of a {noun} seen from above" for noun in _NOUNS), *_PROMPTS.not_front)
_FLAWS: dict[PhotographKind, tuple[str, ...]] = {
    "fragment": (*(f"a photograph of a fragment of a {noun}" for noun in _NOUNS), *_PROMPTS.against["fragment"]),
    "sketch": (*(f"a line drawing of a {noun}" for noun in _NOUNS), *_PROMPTS.against["drawing"]),
    "blur": (*(f"a blurred photograph of a {noun}" for noun in _NOUNS), *_PROMPTS.against["blur"]),
    "crop": (*(f"a detail of a {noun}" for noun in _NOUNS), *_PROMPTS.against["detail"]),
}
"""Texts that describe each flaw: the default prompts of the intact filter, whose words the text tower must learn, and
variants of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterExample:
    """A training photograph with its labels."""

    path: Path
    vase_id: str
    kind: PhotographKind
    caption: str
    """Caption of the vase, generated from its museum record."""

    def texts(self) -> tuple[str, ...]:
        """Returns the texts that are true of the photograph. One that occurs n times is n times as likely in training.

        For a whole vase, texts about its completeness and texts about the viewpoint are equally frequent. If the vase
        is seen from the front, its caption is as frequent as those texts together, so that the text tower learns the
        wording of catalogues.
        """
        if self.kind == "intact":
            return (*_WHOLE, *_evenly(_FRONT, len(_WHOLE)), *(self.caption,) * (2 * len(_WHOLE)))
        if self.kind == "above":
            return (*_WHOLE, *_evenly(_ABOVE, len(_WHOLE)))
        return _FLAWS[self.kind]


def train_tiny_filters(settings: TinyFilterSettings, quality_folder: Path, clip_folder: Path) -> None:
    """Trains the quality filter and the open_clip model and saves each to its folder. If both exist, does nothing.

    The training photographs are rendered to a temporary folder.
    """
    if (quality_folder / WEIGHTS).is_file() and (clip_folder / CLIP_WEIGHTS).is_file():
        return
    with tempfile.TemporaryDirectory() as scratch:
        examples = photograph_examples(Path(scratch), settings.num_vases, settings.seed)
        report = train_tiny_quality(examples, quality_folder, settings.seed)
        if report.recall.mean < LEAST_RECALL:
            _logger.warning("the small quality filter: %s, or raise tiny_filters.num_vases", report.doubts[0])
        paths = [example.path for example in examples]
        texts = [example.texts() for example in examples]
        train_tiny_clip(paths, texts, clip_folder, settings.seed, settings.clip_steps)


def photograph_examples(folder: Path, num_vases: int, seed: int) -> list[FilterExample]:
    """Renders photographs of `num_vases` vases, one for each of `KINDS_OF_EACH_VASE`, and saves them to `folder`.

    Returns: the photographs' paths and labels.
    """
    examples = []
    with TurntableRenderer(RESOLUTION) as turntable, Progress("tiny filters", num_vases) as progress:
        for index in range(num_vases):
            traits = traits_of(seed, index)
            mesh = build_mesh(traits, paint_vase(traits))
            caption = reference_caption(beazley_record(str(index), index, traits))
            rng = np.random.default_rng([seed, index])
            for view, kind in enumerate(KINDS_OF_EACH_VASE):
                image = take_photograph(turntable, mesh, kind, rng, back=bool(rng.random() < 0.3))
                path = folder / f"{index}_{view}.png"
                Image.fromarray(image).save(path, compress_level=1)
                examples.append(FilterExample(path=path, vase_id=str(index), kind=kind, caption=caption))
            progress.advance()
    return examples


def train_tiny_quality(
    examples: Sequence[FilterExample], folder: Path, seed: int, num_epochs: int = 14
) -> QualityReport:
    """Trains a small ResNet to separate good photographs from others; `vaserl train-quality` trains a large one."""
    settings = TrainQualitySettings(
        labels=LabelSettings(path=folder),  # not read: the labels are passed below
        out=folder,
        seed=seed,
        shape=RESNET,
        num_epochs=num_epochs,
        learning_rate=2e-3,
        num_threads=1,
    )
    labelled = [
        Labelled(path=example.path, vase_id=example.vase_id, is_good=bool(label_quality(example.kind)))
        for example in examples
    ]
    return train_on(labelled, settings)


def train_tiny_clip(
    photographs: Sequence[Path], texts: Sequence[Sequence[str]], folder: Path, seed: int, num_steps: int
) -> None:
    """Trains a small open_clip model on photographs and texts and saves it to `folder`.

    The setting `open_clip.path` can be this folder. For each photograph, `texts` contains those that are true of it.

    In each step, one of these texts is sampled; one that is listed n times is n times as likely. The loss is that of
    Radford et al. (2021) with one change: every text of the batch that is true of a photograph counts as its match.
    Otherwise the loss would push photographs of whole vases apart.
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
    tokens = tokenizer(vocabulary)  # [V, C]: V texts of C tokens
    number = {text: index for index, text in enumerate(vocabulary)}
    numbers = [[number[text] for text in own] for own in texts]
    is_true = torch.zeros(len(photographs), len(vocabulary), dtype=torch.bool)
    for index, own in enumerate(numbers):
        is_true[index, own] = True

    step = ScheduledAdamW(model, peak=2e-3, weight_decay=0.05, num_steps=num_steps)
    with Progress("tiny open_clip", num_steps) as progress:
        for chosen in _batches(len(photographs), num_steps, CLIP_BATCH, rng):
            sampled = np.array([rng.choice(numbers[index]) for index in chosen])
            image, text, scale = model(augmented(pixels[chosen], rng, AUGMENT), tokens[sampled])[:3]
            progress.advance(loss=step(_contrastive(scale * image @ text.T, is_true[chosen][:, sampled].float())))
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(model.state_dict(), folder / CLIP_WEIGHTS)
    config = {"model_cfg": CLIP_CONFIG, "preprocess_cfg": CLIP_PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")


def _contrastive(logits: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """Returns the contrastive loss of the logits [images, texts].

    It is the mean of two cross-entropies: that of the texts for each image, and that of the images for each text. The
    targets are the `matches` [images, texts], 1 for a match and 0 otherwise; all matches of an image or text are
    equally probable.
    """
    to_texts = matches / matches.sum(dim=1, keepdim=True)
    to_images = matches.T / matches.T.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, to_texts) + F.cross_entropy(logits.T, to_images)) / 2


def _batches(num_examples: int, num_steps: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yields the indices of the examples of each batch. Each epoch is shuffled; an incomplete batch is dropped."""
    num_batches = max(num_examples // size, 1)
    order = np.arange(num_examples)
    for step in range(num_steps):
        if step % num_batches == 0:
            order = rng.permutation(num_examples)
        start = step % num_batches * size
        yield order[start : start + size]


def _evenly(texts: Sequence[str], count: int) -> tuple[str, ...]:
    """Returns `count` texts by repeating the given ones in turn, so that all occur almost equally often."""
    return tuple(texts[index % len(texts)] for index in range(count))
