"""Small filter models with the real architectures, trained on a synthetic world in a minute or two of one CPU core.

A bottleneck ResNet of torchvision and a CLIP of open_clip with a ResNet image tower, saved in the forms in which large
ones come, so that a real checkpoint is only another path. The world they learn from must not be the one they filter.
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

from vaserl.curation.settings import IntactSettings, TinyFilterSettings
from vaserl.curation.stages.quality import WEIGHTS
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
"""Photographs taken of each training vase: every kind often enough, unlike in a collection."""

_PROMPTS = IntactSettings()
_POT = ("vase", "Greek vase", "painted vase", "ancient vase", "vessel")
_WHOLE = (
    *(f"a photograph of {whole} {pot}" for whole in ("an intact", "a complete", "an undamaged") for pot in _POT),
    *_PROMPTS.intact,
)
_FRONT = (*(f"a photograph of a {pot} seen from the front" for pot in _POT), *_PROMPTS.front)
_ABOVE = (*(f"a photograph of a {pot} seen from above" for pot in _POT), *_PROMPTS.not_front)
_FLAWS: dict[PhotographKind, tuple[str, ...]] = {
    "fragment": (*(f"a photograph of a fragment of a {pot}" for pot in _POT), *_PROMPTS.against["fragment"]),
    "sketch": (*(f"a line drawing of a {pot}" for pot in _POT), *_PROMPTS.against["drawing"]),
    "blur": (*(f"a blurred photograph of a {pot}" for pot in _POT), *_PROMPTS.against["blur"]),
    "crop": (*(f"a detail of a {pot}" for pot in _POT), *_PROMPTS.against["detail"]),
}
"""What the default prompts say, so that the small model knows their words, and the same of other pots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterExample:
    """A photograph of the training world and what is true of it."""

    path: Path
    """The image."""
    vase_id: str
    """The vase on it."""
    kind: PhotographKind
    """What it is."""
    caption: str
    """Caption of the vase on it."""

    def texts(self) -> tuple[str, ...]:
        """What can truly be said of it, as often as it is to be drawn: that it is whole and from where it is seen
        equally often, a frontal vase's caption as often as both, so that the text tower learns catalogues' language."""
        if self.kind == "intact":
            return (*_WHOLE, *_evenly(_FRONT, len(_WHOLE)), *(self.caption,) * (2 * len(_WHOLE)))
        if self.kind == "above":
            return (*_WHOLE, *_evenly(_ABOVE, len(_WHOLE)))
        return _FLAWS[self.kind]


def train_tiny_filters(settings: TinyFilterSettings, quality_folder: Path, clip_folder: Path) -> None:
    """Makes a synthetic world of its own, trains both models on it and saves them; models that are there stay."""
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
    """KINDS_OF_EACH_VASE photographs of each vase of the world with this seed, written to `folder`."""
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
    """Trains a small ResNet to tell good photographs from others, as `train-quality` does with a large one."""
    settings = TrainQualitySettings(
        labels=LabelSettings(path=folder),  # known already
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

    step = ScheduledAdamW(model, peak=2e-3, weight_decay=0.05, num_steps=num_steps)
    with Progress("tiny CLIP", num_steps) as progress:
        for chosen in _batches(len(photographs), num_steps, CLIP_BATCH, rng):
            spoken = np.array([rng.choice(numbers[index]) for index in chosen])
            image, text, scale = model(augmented(pixels[chosen], rng, AUGMENT), tokens[spoken])[:3]
            progress.advance(loss=step(_contrastive(scale * image @ text.T, is_true[chosen][:, spoken].float())))
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(model.state_dict(), folder / CLIP_WEIGHTS)
    config = {"model_cfg": CLIP_CONFIG, "preprocess_cfg": CLIP_PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")


def _contrastive(logits: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """Cross-entropy in both directions; logits and matches [images, texts], a row's matches share its probability."""
    to_texts = matches / matches.sum(dim=1, keepdim=True)
    to_images = matches.T / matches.T.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, to_texts) + F.cross_entropy(logits.T, to_images)) / 2


def _batches(num_examples: int, num_steps: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Indices of `num_steps` batches, shuffled epoch after epoch; what is left over of an epoch is dropped."""
    num_batches = max(num_examples // size, 1)
    order = np.arange(num_examples)
    for step in range(num_steps):
        if step % num_batches == 0:
            order = rng.permutation(num_examples)
        start = step % num_batches * size
        yield order[start : start + size]


def _evenly(texts: Sequence[str], count: int) -> tuple[str, ...]:
    """`count` texts, each as often as the others or once more."""
    return tuple(texts[index % len(texts)] for index in range(count))
