"""Tests of the ways of cutting the vase out of its photograph, and of networks given by path."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from tests.fakes.turned_vases import lit_photograph, photograph, seen_mask, with_handles
from vaserl.errors import UserError
from vaserl.meshes.cutout.cutout import CutoutError
from vaserl.meshes.cutout.method import (
    CutoutMethod,
    check_method,
    cut_out,
    cut_out_whole_vase,
    files_of_method,
    load_method,
    read_mask,
)
from vaserl.meshes.cutout.network import CutoutNet
from vaserl.meshes.cutout.neural import NeuralCutout, foreground_of
from vaserl.meshes.cutout.views import VIEWS
from vaserl.meshes.cutout.weights import save_cutout
from vaserl.meshes.lathe import lathe
from vaserl.meshes.silhouette import intersection_over_union

CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel


class DarkConfig(PretrainedConfig):
    model_type = "dark"


class Dark(PreTrainedModel):
    config_class = DarkConfig

    def __init__(self, config):
        super().__init__(config)
        self.steepness = torch.nn.Parameter(torch.ones(1))
        self.post_init()

    def forward(self, pixels):
        fine = -self.steepness * pixels.mean(1, keepdim=True)  # logits: dark is foreground
        return [fine[..., ::4, ::4], fine]
"""
"""Model of a folder with code of its own, which returns two scales as BiRefNet does."""


def pot() -> tuple[Image.Image, np.ndarray]:
    mask = with_handles(seen_mask())
    return Image.fromarray(lit_photograph(mask)), mask


def dark_pot() -> tuple[Image.Image, np.ndarray]:
    mask = seen_mask()
    return Image.fromarray(photograph(mask)), mask


def remote_folder(folder: Path) -> Path:
    from safetensors.torch import save_file

    folder.mkdir()
    (folder / "dark.py").write_text(CODE)
    classes = {"AutoConfig": "dark.DarkConfig", "AutoModelForImageSegmentation": "dark.Dark"}
    (folder / "config.json").write_text(json.dumps({"model_type": "dark", "auto_map": classes}))
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"size": {"height": 128, "width": 128}, "image_mean": [0.5] * 3, "image_std": [0.1] * 3})
    )
    save_file({"steepness": torch.full((1,), 3.0)}, folder / "model.safetensors", {"format": "pt"})
    return folder


def field(number: int, value: bytes | int | str) -> bytes:
    """Returns a field of a protocol buffer, as ONNX files consist of."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    content = value.encode() if isinstance(value, str) else value
    size, head = len(content), b""
    while size > 127:
        head, size = head + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + head + bytes([size]) + content


def onnx_of_darkness() -> bytes:
    """Returns an ONNX file of one convolution: minus the mean of three channels, less a half."""

    def value(name: str, channels: int) -> bytes:
        side = [field(1, field(2, axis)) for axis in ("h", "w")]
        shape = b"".join([field(1, field(1, 1)), field(1, field(1, channels)), *side])
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))

    def tensor(name: str, dims: list[int], values: list[float]) -> bytes:
        content = b"".join(field(1, size) for size in dims) + field(2, 1) + field(8, name)
        return content + field(9, struct.pack(f"<{len(values)}f", *values))

    node = b"".join(field(1, name) for name in ("x", "w", "b")) + field(2, "y") + field(4, "Conv")
    graph = field(1, node) + field(2, "g")
    graph += field(5, tensor("w", [1, 3, 1, 1], [-1 / 3] * 3)) + field(5, tensor("b", [1], [-0.5]))
    graph += field(11, value("x", 3)) + field(12, value("y", 1))
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


def test_cut_out_by_the_installed_network_finds_the_vase_and_its_view():
    image, truth = pot()
    method = load_method("network")
    found = cut_out_whole_vase(image, method)
    assert found.source == "network" and found.views is not None and found.views["side"] >= 0.8
    assert intersection_over_union(found.mask, truth) >= 0.98
    large = image.resize((900, 900), Image.Resampling.BICUBIC)
    expected = np.asarray(Image.fromarray(truth).resize((900, 900), Image.Resampling.NEAREST))
    assert intersection_over_union(cut_out_whole_vase(large, method).mask, expected) >= 0.975
    with pytest.raises(CutoutError, match=r"no vase found|not a whole vase"):
        cut_out_whole_vase(Image.new("RGB", (900, 900), "white"), method)
    with pytest.raises(CutoutError, match=r"not a whole vase from the side: it seems to show .* upside down"):
        cut_out_whole_vase(image.transpose(Image.Transpose.FLIP_TOP_BOTTOM), method)


def test_cut_out_looks_into_a_picture_within_a_picture():
    image, truth = pot()
    page = Image.new("RGB", (640, 480), (250, 250, 246))
    page.paste(image, (60, 40))
    ImageDraw.Draw(page).text((60, 300), "Fig. 12. Amphora, from the side. Terracotta, height 41 cm", fill=(20, 20, 20))
    found = cut_out_whole_vase(page, load_method("network"))
    expected = np.zeros((480, 640), bool)
    expected[40 : 40 + truth.shape[0], 60 : 60 + truth.shape[1]] = truth
    assert intersection_over_union(found.mask, expected) >= 0.95


def test_cut_out_a_given_mask_goes_before_transparency_and_both_before_the_method():
    def find_nothing(photo: np.ndarray):
        return np.zeros(photo.shape[:2], np.float32), dict.fromkeys(VIEWS, 1 / len(VIEWS))

    image, truth = pot()
    method = CutoutMethod(name="nothing", find=find_nothing, seen_side=300)
    rgba = image.copy()
    rgba.putalpha(Image.fromarray((truth * 255).astype(np.uint8)))
    assert np.array_equal(cut_out(rgba, method).mask, truth) and cut_out(rgba, method).source == "alpha"
    given = np.zeros_like(truth)
    given[90:120, 90:120] = True
    found = cut_out(rgba, method, given)
    assert found.source == "mask" and np.array_equal(found.mask, given) and found.views is None
    with pytest.raises(ValueError, match="expected a mask of bool"):
        cut_out(rgba, method, given[1:])
    with pytest.raises(CutoutError, match="no vase found"):
        cut_out(rgba, method, np.zeros_like(truth))
    with pytest.raises(CutoutError, match="no vase found"):
        cut_out(image, method)


def test_cut_out_by_our_network_states_the_views(tmp_path: Path):
    shape = {"widths": [8, 8, 8, 8, 8], "depths": [1, 1, 1, 1, 1]}
    torch.manual_seed(0)
    network = CutoutNet(shape["widths"], shape["depths"])
    torch.nn.init.constant_(network.head[1].bias, 9.0)  # calls everything vase
    save_cutout(network.state_dict(), tmp_path, {"shape": shape})
    found = cut_out(pot()[0], load_method(str(tmp_path)))
    assert found.source == str(tmp_path) and found.mask.mean() > 0.9
    assert found.views is not None and tuple(found.views) == VIEWS


def test_load_method_runs_a_folders_code_only_if_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = remote_folder(tmp_path / "dark")
    for look in (check_method, load_method):
        with pytest.raises(
            UserError, match=rf'lift.generator_args.cutout: .* set lift.generator_args.cutout to "{folder}/dark.py"'
        ):
            look(str(folder))
    check_method(str(folder / "dark.py"))
    image, truth = dark_pot()
    found = cut_out(image, load_method(str(folder / "dark.py")))
    assert intersection_over_union(found.mask, truth) >= 0.95
    assert found.views is not None and max(found.views, key=lambda name: found.views[name]) == "drawing"


def test_lathe_knows_the_backdrops_colour_around_a_given_mask():
    """Uses a black vase on white, so large that the lathe reduces it."""
    mask = np.kron(seen_mask(), np.ones((4, 4), bool))
    photo = np.where(mask[..., None], 10, 240).astype(np.uint8).repeat(3, axis=2)
    assert lathe(photo, mask).signs.backdrop_inside == 0


def test_load_method_reads_onnx_without_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    path = tmp_path / "dark.onnx"
    path.write_bytes(onnx_of_darkness())
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": 160, "image_mean": [0] * 3}))
    image, truth = dark_pot()
    found = cut_out(image, load_method(str(path)))
    assert found.source == str(path) and intersection_over_union(found.mask, truth) >= 0.95
    path.write_bytes(b"no network")
    with pytest.raises(UserError, match=r"--cutout: OpenCV can't read .*install the package onnxruntime"):
        load_method(str(path), "--cutout")


def test_load_method_names_what_is_missing(tmp_path: Path):
    (tmp_path / "weights.bin").write_bytes(b"")
    for way, words in {
        str(tmp_path / "gone"): 'does not exist; use "network"',
        str(tmp_path / "weights.bin"): "is no ONNX file, no folder",
        str(tmp_path): "holds neither cutout.safetensors",
    }.items():
        with pytest.raises(UserError, match=words):
            check_method(way)
    (tmp_path / "cutout.json").write_text("{}")
    with pytest.raises(UserError, match=r"cutout\.safetensors is missing"):
        check_method(str(tmp_path))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("[]")
    with pytest.raises(UserError, match="holds no JSON object"):
        check_method(str(tmp_path / "other"))


def test_files_of_method_are_those_whose_change_counts(tmp_path: Path):
    (own,) = files_of_method("network")
    assert own.name == "cutout.json"
    assert files_of_method(str(tmp_path / "dark.py")) == [own, tmp_path]
    assert files_of_method(str(tmp_path / "dark.onnx")) == [own, tmp_path / "dark.onnx"]


def test_foreground_of_takes_the_largest_map_the_first_of_equals():
    small, first, second = (np.full((1, 1, side, side), value) for side, value in ((2, 0.1), (4, 0.25), (4, 0.5)))
    features = np.zeros((1, 3, 9, 9))
    assert foreground_of([(small, first, second), (features,)]) == pytest.approx(0.25)
    # a logit of ln 3 is a probability of 3/4
    assert foreground_of({"logits": torch.full((1, 1, 4, 4), float(np.log(3)))}) == pytest.approx(0.75)
    with pytest.raises(UserError, match="no map of one channel"):
        foreground_of(features)


def test_neural_cutout_without_contrast_finds_nothing():
    for value in (0.5, np.nan):
        neural = NeuralCutout(lambda pixels, value=value: np.full((1, 1, 8, 8), value), side=8)
        with pytest.raises(CutoutError, match="remover found nothing"):
            neural(np.zeros((20, 30, 3), np.uint8))


def test_read_mask_takes_bright_or_opaque_pixels(tmp_path: Path):
    mask = np.zeros((6, 9), bool)
    mask[2:4, 3:5] = True
    grey = Image.fromarray((mask * 255).astype(np.uint8))
    grey.save(tmp_path / "grey.png")
    white = Image.new("RGBA", (9, 6), "white")
    white.putalpha(grey)
    white.save(tmp_path / "alpha.png")
    for name in ("grey.png", "alpha.png"):
        assert np.array_equal(read_mask(tmp_path / name, (9, 6)), mask)
    with pytest.raises(UserError, match="9 x 6 pixels, its photograph 9 x 7"):
        read_mask(tmp_path / "grey.png", (9, 7))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UserError, match="can't be read"):
        read_mask(tmp_path / "text.png", (9, 6))
