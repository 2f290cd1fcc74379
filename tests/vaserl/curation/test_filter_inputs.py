"""Tests what the filters' networks see of a photograph, with networks of random weights in the formats of large ones,
and the words about networks that can't be used."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from tests.fakes.random_clip import save_random_clip
from vaserl.curation.bodies.intact import Intact, in_square
from vaserl.curation.bodies.quality import load_resnet
from vaserl.curation.settings import IntactSettings
from vaserl.curation.stage import Photograph, Rejected
from vaserl.encoders.open_clip import load_open_clip
from vaserl.errors import UserError
from vaserl.settings import OpenClipSettings


def tall(path: Path, lip: tuple[int, int, int]) -> str:
    """Writes a picture of 60 x 120 pixels whose uppermost 20 rows have the colour `lip`. Returns: its path."""
    pixels = np.full((120, 60, 3), 128, np.uint8)
    pixels[:20] = lip
    Image.fromarray(pixels).save(path)
    return str(path)


def test_intact_sees_lip_and_foot_of_a_tall_photograph(tmp_path):
    # a centre crop of 60 x 60 takes rows 30 to 89, which are equal in both pictures
    photos = [tall(tmp_path / "a.png", (255, 0, 0)), tall(tmp_path / "b.png", (0, 0, 255))]
    for mode in ("shortest", "squash"):
        save_random_clip(tmp_path / mode, resize_mode=mode)
        one, other = Intact(IntactSettings(), OpenClipSettings(path=tmp_path / mode)).cosines(photos)
        assert np.abs(np.subtract(one, other)).max() > 1e-4, mode


def test_intact_leaves_a_model_that_crops_nothing_its_own_preprocessing(tmp_path):
    save_random_clip(tmp_path / "clip", resize_mode="squash")
    settings = OpenClipSettings(path=tmp_path / "clip")
    intact, (model, preprocess, _) = Intact(IntactSettings(), settings), load_open_clip(settings)
    photo = tall(tmp_path / "a.png", (255, 0, 0))
    with torch.inference_mode():
        expected = model.encode_image(preprocess(Image.open(photo))[None], normalize=True) @ intact._families.T.cpu()
    np.testing.assert_allclose(intact.cosines([photo]), expected.numpy(), atol=1e-5)


def test_in_square_keeps_the_image_and_continues_its_border():
    pixels = np.full((4, 10, 3), (10, 20, 30), np.uint8)
    pixels[1:3, 4:6] = 200
    square = np.asarray(in_square(Image.fromarray(pixels)))
    assert square.shape == (10, 10, 3)
    assert (square[3:7] == pixels).all()  # (10 - 4) // 2 = 3 rows above
    assert (square[[0, 2, 7, 9]] == (10, 20, 30)).all()
    upright = np.asarray(in_square(Image.fromarray(pixels.transpose(1, 0, 2))))
    assert (upright == square.transpose(1, 0, 2)).all()
    image = Image.fromarray(pixels[:, :4])
    assert in_square(image) is image


def test_intact_reason_states_a_small_difference(tmp_path):
    """CLIP's cosines differ by thousandths, so that three decimals would say "a difference of -0.000, needed 0"."""
    save_random_clip(tmp_path / "clip")
    photograph = Photograph(photo=tall(tmp_path / "a.png", (255, 0, 0)))
    settings = OpenClipSettings(path=tmp_path / "clip")
    [verdict] = Intact(IntactSettings(threshold=-2), settings).judge_all([photograph])
    score = float(verdict.columns["intact"])
    body = Intact(IntactSettings(), settings)
    rejected = body._verdict([0.2511, 0.0, 0.0, 0.1, 0.2515, 0.1, 0.1])
    assert isinstance(rejected, Rejected) and "looks like drawing" in rejected.reason
    assert "a difference of -0.0004, needed 0" in rejected.reason
    # the least score that passes is the score itself
    for threshold, kind in ((score, "Kept"), (score + 1e-6, "Rejected")):
        [verdict] = Intact(IntactSettings(threshold=threshold), settings).judge_all([photograph])
        assert type(verdict).__name__ == kind


def test_load_open_clip_names_a_tokenizer_that_is_not_on_this_machine(tmp_path):
    """A SigLIP has a tokenizer of its own, which open_clip would download during the job."""
    save_random_clip(tmp_path / "clip")
    config = json.loads((tmp_path / "clip" / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "timm/ViT-B-16-SigLIP"
    (tmp_path / "clip" / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"open_clip\.path .*the tokenizer of .*SigLIP, is not on this machine; give"):
        load_open_clip(OpenClipSettings(path=tmp_path / "clip"))


def test_load_resnet_names_a_classifier_of_other_classes(tmp_path):
    safetensors.torch.save_file({"fc.weight": torch.zeros(1000, 2048)}, tmp_path / "imagenet.safetensors")
    with pytest.raises(UserError, match=r"a classifier of 1000 classes; it needs two, 0 for low .* train-quality"):
        load_resnet(tmp_path / "imagenet.safetensors")
