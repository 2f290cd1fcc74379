"""Settings of a quality filter that is small enough to be trained in a test."""

from pathlib import Path

from vaserl.curation.bodies.quality import ResNetConfig
from vaserl.curation.train_quality.settings import LabelSettings, ShapeSettings, TrainQualitySettings

SHAPE = ShapeSettings(layers=(1, 1, 1, 1), width_per_group=8, expansion=1, image_size=32)
CONFIG = ResNetConfig(**SHAPE.model_dump())


def training(folder: Path, out: Path, **changes) -> TrainQualitySettings:
    return TrainQualitySettings(
        labels=LabelSettings(path=folder), out=out, shape=SHAPE, num_epochs=8, learning_rate=3e-3, **changes
    )
