"""Tests the job that trains the quality filter, from labelled folders to the model folder that the curation job
reads."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from launch.curate import main
from vaserl.curation.bodies.quality import decision_of
from vaserl.curation.settings import QualitySettings

CONFIG = """out = "{out}"
num_epochs = {num_epochs}
learning_rate = 3e-3
target_precision = 0.9
[labels]
path = "{labels}"
[shape]
layers = [1, 1, 1, 1]
width_per_group = 8
expansion = 1
image_size = 32
"""


def labelled(folder: Path, *, num_vases: int, blur: float) -> Path:
    """Returns a folder with a checkerboard for each vase among the good photographs, and the same one blurred among the
    bad."""
    rng = np.random.default_rng(0)
    for vase in range(num_vases):
        image = Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8).repeat(6, 0).repeat(6, 1))
        for view, (name, radius) in enumerate((("high", 0.0), ("low", blur))):
            (folder / name).mkdir(parents=True, exist_ok=True)
            image.filter(ImageFilter.GaussianBlur(radius)).save(folder / name / f"v{vase}_{view}.png")
    return folder


def run(tmp_path: Path, *, num_epochs: int, num_vases: int = 20, blur: float = 5.0) -> int:
    labels = labelled(tmp_path / "labels", num_vases=num_vases, blur=blur)
    config = tmp_path / "quality.toml"
    config.write_text(CONFIG.format(out=tmp_path / "quality", labels=labels, num_epochs=num_epochs))
    return main(["train-quality", str(config), "--seed", "3"])


def test_train_quality_command_trains_and_prints_the_result(tmp_path, capsys):
    assert run(tmp_path, num_epochs=8) == 0
    said = capsys.readouterr().err
    assert "stage=train-quality" in said and "left_s=" in said, "progress with an estimate"
    assert "test: precision " in said and str(tmp_path / "quality" / "report" / "report.md") in said
    assert "no threshold" not in said
    assert "warning: a precision of 0.9 is reached on validation but not shown" in said, "by three photographs"
    assert decision_of(QualitySettings(path=tmp_path / "quality")).trained
    assert "seed = 3" in (tmp_path / "quality" / "train_quality.toml").read_text()


def test_train_quality_command_warns_of_a_precision_that_no_threshold_has(tmp_path, capsys):
    # each picture is labelled good and bad, so half of what any threshold keeps is bad
    assert run(tmp_path, num_epochs=1, blur=0.0) == 0
    assert "no threshold has a precision of 0.9 on validation; the best has 0.500" in capsys.readouterr().err
    assert "**Warning:** no threshold has" in (tmp_path / "quality" / "report" / "report.md").read_text()


def test_train_quality_command_too_few_labels_are_a_users_error(tmp_path, capsys):
    assert run(tmp_path, num_epochs=1, num_vases=2) == 2
    assert "2 labelled vases are too few" in capsys.readouterr().err
