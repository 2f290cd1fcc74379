"""Tests of the cut-out network: its files, and how photographs are put before it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from vaserl.errors import UserError
from vaserl.meshes.cutout.network import CutoutNet
from vaserl.meshes.cutout.predict import CANVAS_PX, SMALL_CANVAS_PX, predict_cutout
from vaserl.meshes.cutout.views import VIEWS
from vaserl.meshes.cutout.weights import CUTOUT_RECIPE, CUTOUT_WEIGHTS, load_cutout, save_cutout

SHAPE = {"widths": [8, 8, 8, 8, 8], "depths": [1, 1, 1, 1, 1]}


class Recorder(nn.Module):
    """Stands for the network: keeps its input, and calls bright pixels vase."""

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.seen = pictures.numpy()
        return pictures[:, :1] * 10, torch.zeros(1, len(VIEWS))


def written(folder: Path) -> Path:
    torch.manual_seed(0)
    network = CutoutNet(SHAPE["widths"], SHAPE["depths"])
    save_cutout(network.state_dict(), folder, {"shape": SHAPE})
    return folder


def test_load_cutout_gives_the_network_that_was_saved(tmp_path: Path):
    torch.manual_seed(0)
    network = CutoutNet(SHAPE["widths"], SHAPE["depths"]).eval()
    found = load_cutout(written(tmp_path))
    assert not found.training
    inputs = torch.rand(1, 4, 64, 64)
    with torch.inference_mode():
        for one, other in zip(network(inputs), found(inputs), strict=True):
            assert torch.allclose(one, other, atol=0.02)  # stored in float16


@pytest.mark.parametrize("name", [CUTOUT_WEIGHTS, CUTOUT_RECIPE])
def test_load_cutout_refuses_missing_file(tmp_path: Path, name: str):
    (written(tmp_path) / name).unlink()
    with pytest.raises(UserError, match=f"{name} is missing"):
        load_cutout(tmp_path)


def test_load_cutout_refuses_weights_of_another_hash(tmp_path: Path):
    path = written(tmp_path) / CUTOUT_WEIGHTS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # one bit of one weight
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"has sha256 .* take both files from one training"):
        load_cutout(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_load_cutout_refuses_what_is_no_recipe(tmp_path: Path, text: str):
    (written(tmp_path) / CUTOUT_RECIPE).write_text(text)
    with pytest.raises(UserError, match="not a recipe of weights"):
        load_cutout(tmp_path)


def test_save_cutout_refuses_more_than_four_megabytes(tmp_path: Path):
    with pytest.raises(ValueError, match="the weights take"):
        save_cutout({"weight": torch.zeros(2_100_000)}, tmp_path, {})


@pytest.mark.parametrize(
    ("height", "width", "canvas"),
    [(300, 150, CANVAS_PX), (100, 50, SMALL_CANVAS_PX), (50, 224, SMALL_CANVAS_PX), (900, 901, CANVAS_PX)],
)
def test_predict_cutout_letterboxes_and_returns_the_photographs_size(height: int, width: int, canvas: int):
    photo = np.zeros((height, width, 3), np.uint8)
    photo[height // 4 : height // 2] = 255
    network = Recorder()
    found = predict_cutout(network, photo)  # type: ignore[arg-type]
    assert network.seen.shape == (1, 4, canvas, canvas)
    rows, columns = np.nonzero(network.seen[0, 3])
    # proportions are kept, to the pixel
    assert np.ptp(columns) + 1 == round(width * canvas / max(height, width))
    assert np.ptp(rows) + 1 == round(height * canvas / max(height, width))
    assert np.all(network.seen[0, :3, network.seen[0, 3] == 0] == 0)
    assert found.vase.shape == (height, width)
    assert found.vase.dtype == np.float32
    assert found.vase[height // 4 + 3 : height // 2 - 3].min() > 0.9 > 0.1 > found.vase[height // 2 + 8 :].max()


def test_predict_cutout_views_are_a_distribution():
    found = predict_cutout(Recorder(), np.zeros((40, 40, 3), np.uint8))  # type: ignore[arg-type]
    assert tuple(found.views) == VIEWS
    assert sum(found.views.values()) == pytest.approx(1)
    assert found.view == "side"  # the first of equals


@pytest.mark.parametrize("shape", [(40, 40), (40, 40, 4), (0, 40, 3)])
def test_predict_cutout_refuses_other_arrays(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="expected a photograph"):
        predict_cutout(Recorder(), np.zeros(shape, np.uint8))  # type: ignore[arg-type]


def test_recipe_is_json_with_hash_and_size(tmp_path: Path):
    recipe = json.loads((written(tmp_path) / CUTOUT_RECIPE).read_text())
    assert recipe["bytes"] == (tmp_path / CUTOUT_WEIGHTS).stat().st_size
    assert recipe["shape"] == SHAPE
