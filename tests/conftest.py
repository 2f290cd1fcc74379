"""Shared fixtures: a tiny Qwen2.5-VL with random weights, a small data set of generated clips, a local Ray."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from vaserl.dataset import DataSet, Question, Row, mesh_name
from vaserl.files.clip import Clip

# No deadlines, because a loaded machine is slow. CI draws the same examples every time, so that a result can be
# reproduced; local runs draw random ones, which find more.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")

SHAPES = ("amphora", "lekythos", "kylix")
TEXTS = [
    "Describe the vase.",
    "What is the fabric of the vase?",
    "Athenian",
    *[f"Athenian black-figure {shape}, c. 525–500 BCE, depicting a warrior." for shape in SHAPES],
]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a Qwen2.5-VL with 0.4 million random parameters."""
    from vaserl.synthetic.models.tiny_qwen import TinyShape, build_tiny_model

    shape = TinyShape(hidden_size=128, num_layers=2, num_heads=4, vision_hidden_size=64, vision_depth=2)
    return build_tiny_model(tmp_path_factory.mktemp("models") / "tiny", TEXTS, shape=shape)


@pytest.fixture(scope="session")
def tied_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a model like `tiny_model`, whose output layer has the embedding's matrix, as in
    Qwen2.5-VL-3B."""
    from vaserl.synthetic.models.tiny_qwen import TinyShape, build_tiny_model

    shape = TinyShape(
        hidden_size=128, num_layers=2, num_heads=4, vision_hidden_size=64, vision_depth=2, tie_word_embeddings=True
    )
    return build_tiny_model(tmp_path_factory.mktemp("models") / "tied", TEXTS, shape=shape)


def make_clip(seed: int, num_frames: int = 8, height: int = 56, width: int = 56, fps: float = 4.0) -> Clip:
    """Returns a clip of random colour blocks, fast to generate, different for each seed, and easy to encode as
    video."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 255, (num_frames, height // 14, width // 14, 3), dtype=np.uint8)
    return Clip(
        frames=blocks.repeat(14, 1).repeat(14, 2),
        fps=fps,
        frame_indices=tuple(range(num_frames)),
        num_source_frames=num_frames,
    )


def make_dataset(folder: Path, num_vases: int = 6) -> Path:
    """Writes a data set as the curation job does, with clips of `make_clip`. Returns: its folder."""
    dataset = DataSet(folder)
    rows = []
    for index in range(num_vases):
        shape = SHAPES[index % len(SHAPES)]
        caption = f"Athenian black-figure {shape}, c. 525–500 BCE, depicting a warrior."
        rows.append(
            Row(
                photo=f"photographs/v{index:02d}_1.png",
                photo_sha256=f"{index:064x}",
                vase_id=f"v{index:02d}",
                record={
                    "Fabric": "ATHENIAN",
                    "Technique": "BLACK-FIGURE",
                    "Shape Name": shape.upper(),
                    "Date": "-525 to -500",
                    "Decoration": "A: WARRIOR",
                },
                mesh=mesh_name(f"v{index:02d}"),
                clip=dataset.clips.add(make_clip(index)),
                caption=caption,
                reference=caption,
                questions=(
                    Question(dimension="fabric", question="What is the fabric of the vase?", answer="Athenian"),
                ),
                split="test" if index >= num_vases - 2 else "train",
            )
        )
    dataset.write_rows(rows)
    return folder


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a data set of six vases with clips of eight frames of 56 x 56 pixels; four vases are in the
    training split, two in the test split."""
    return make_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a synthetic world of six vases, seed 3. All tests share it: do not write into it."""
    from vaserl.synthetic.world import build_world

    folder = tmp_path_factory.mktemp("worlds") / "world"
    build_world(folder, num_vases=6, seed=3, num_workers=1)
    return folder


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """Starts a local Ray with four CPUs for the tests' actors; all tests share it."""
    from actors.cluster import connect
    from vaserl.settings import ClusterSettings

    with connect(ClusterSettings(num_cpus=4)):
        yield


def read_json(path: Path):
    """Returns the content of a JSON file."""
    return json.loads(path.read_text())
