"""Tests the picture that shows one vase at every stage of the program."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fakes.turned_vases import lit_photograph, seen_mask
from vaserl.dataset import Row
from vaserl.files.clip import Clip
from vaserl.report.contents import ReportContents
from vaserl.report.overview import overview_png, vase_overview
from vaserl.runs.evaluation_run import EvaluatedVase
from vaserl.runs.quickstart_folder import QuickstartFolder


def contents_of(folder: Path, photo: Path) -> ReportContents:
    """Returns the contents of a quick start with one held-out vase and this photograph."""
    quickstart = QuickstartFolder(folder)
    frames = np.random.default_rng(0).integers(0, 255, (8, 64, 64, 3), dtype=np.uint8)
    clip = quickstart.dataset.clips.add(
        Clip(frames=frames, fps=4.0, frame_indices=tuple(range(8)), num_source_frames=8)
    )
    row = Row(vase_id="v1", photo=str(photo), clip=clip, split="test")
    captions = {"sft": "A red-figure kylix.", "rl": "Athenian red-figure kylix, c. 500 BCE."}
    vase = EvaluatedVase(id="v1", record={}, reference="R", captions=captions, scores={}, values={}, clip=clip)
    return ReportContents(
        folder=quickstart,
        summary={},
        photographs=[row],
        sft=[],
        grpo=[],
        timeline=[],
        validations=[],
        validation_metric="",
        captions=[vase],
        absent={},
    )


def save_photograph(path: Path) -> Path:
    Image.fromarray(lit_photograph(seen_mask())).save(path)
    return path


def test_vase_overview_is_one_picture_and_the_same_each_time(tmp_path: Path) -> None:
    contents = contents_of(tmp_path, save_photograph(tmp_path / "v1_1.png"))
    png = vase_overview(contents, "v1")
    assert png is not None and png == vase_overview(contents, "v1")
    assert Image.open(io.BytesIO(png)).size == (1430, 396)  # 13 x 3.6 inches at 110 dots


def test_vase_overview_needs_captions_a_photograph_and_a_profile(tmp_path: Path) -> None:
    contents = contents_of(tmp_path, save_photograph(tmp_path / "v1_1.png"))
    assert vase_overview(contents, "v2") is None
    assert vase_overview(replace(contents, captions=[]), "v1") is None
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "v1_1.png")
    assert vase_overview(contents, "v1") is None
    (tmp_path / "v1_1.png").unlink()
    assert vase_overview(contents, "v1") is None


def test_overview_png_shows_each_caption() -> None:
    image = np.full((32, 32, 3), 200, dtype=np.uint8)
    profile = np.array([[0.2, 0.0], [0.4, 0.5], [0.3, 1.0]])
    frames = np.stack([image] * 8)
    with_one = overview_png(image, profile, frames, [("before", "a cup")])
    with_other = overview_png(image, profile, frames, [("before", "a jug")])
    assert with_one != with_other
