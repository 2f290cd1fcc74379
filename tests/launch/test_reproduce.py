"""Walks docs/reproduce.md: runs its commands in order, on small data in the published layout and a small model."""

import re
import shlex
from pathlib import Path

import pytest

from launch.__main__ import main as launch
from tests.fakes.published_layout import write_published_layout
from tests.launch.test_chain import tiny_clip
from vaserl.commands.__main__ import main as vaserl
from vaserl.dataset import DataSet
from vaserl.files import read_json_lines
from vaserl.synthetic.models.tiny_qwen import TinyShape, build_tiny_model

ROOT = Path(__file__).parents[2]
NEEDS_A_NETWORK = ("git", "hf", "source", "VASERL_EXTRA=gpu")
SMALLER = {"--resolution 448": "--resolution 56", "--num-val 32": "--num-val 2"}
"""Options of the page's commands, with those of the test."""
_ENGINE = """[rollout]
num_gpus = 0
num_cpus = 0.5
max_new_tokens = 24
engine_args = { max_model_len = 512, max_num_seqs = 16, compilation_config = { cudagraph_capture_sizes = [] } }
"""
ON_CPU = {
    "sft": """
vases_per_step = 4
[model]
dtype = "float32"
[learner]
num_gpus = 0
num_cpus = 0.4
[features]
num_gpus = 0
folder = "features"
[cluster]
address = "local"
""",
    "train": """
num_steps = 3
tasks_per_step = 2
[model]
dtype = "float32"
[learner]
num_gpus = 0
num_cpus = 0.5
[features]
num_gpus = 0
folder = "features"
[cluster]
address = "local"
"""
    + _ENGINE,
    "evaluate": """
trained = "runs/7b/grpo/weights/v00004"
[model]
dtype = "float32"
[cluster]
address = "local"
"""
    + _ENGINE,
}


def commands(page: str) -> list[str]:
    """Returns the lines of a page's shell blocks."""
    return [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]


PAGE = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
COMMANDS = [line for line in commands(PAGE) if line.split()[0] not in NEEDS_A_NETWORK]


def test_page_has_the_road_in_order():
    jobs = [re.sub(r"^python -m launch |^vaserl ", "", line).split()[0] for line in COMMANDS]
    road = ["doctor", "check", "import-published", "sft", "plan", "train", "status", "evaluate", "cat", "export"]
    assert jobs == [*road, "sft", "train", "evaluate"], "the last three are the same jobs on a cluster"


def test_every_overlay_is_on_the_page():
    folders = {path.name for path in (ROOT / "configs" / "clusters").iterdir()}
    assert folders == set(re.findall(r"`(a100_\dx\d)`", PAGE))


@pytest.mark.slow
def test_the_road_from_published_data_to_the_table(cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    write_published_layout(tmp_path / "VaseVQA-3D", [f"7fa{n}-42d1_{n + 1}" for n in range(8)], num_test=2)
    (tmp_path / "weights").mkdir()
    tiny_clip(tmp_path / "weights")
    (tmp_path / "weights" / "clip").rename("weights/clip-vit-base-patch32")
    for command in COMMANDS:
        for published, small in SMALLER.items():
            command = command.replace(published, small)
        words = shlex.split(command)
        if words[0] == "cat":
            assert "recall@10, as published" in Path(words[1]).read_text()
            continue
        if words[0] == "vaserl":
            assert vaserl(words[1:]) == 0, command
            if words[1] == "import-published":
                build_model(tmp_path / "weights" / "Qwen2.5-VL-7B-Instruct", tmp_path / "data" / "vasevqa")
            continue
        job = words[3]
        if job in ("doctor", "plan"):
            assert launch(words[3:]) in (0, 1), "doctor: 1 if this machine's packages are not those of the lock"
            continue
        (tmp_path / f"{job}.toml").write_text(ON_CPU[job])
        on_a_cluster = ["--dry-run"] if "--with" in words else []
        assert launch([*words[3:], "--with", f"{job}.toml", *on_a_cluster]) == 0, command
    assert len(read_json_lines(tmp_path / "runs/7b/grpo/metrics.jsonl")) == 3
    assert (tmp_path / "exported" / "7b" / "config.json").is_file()


def build_model(folder: Path, data: Path) -> None:
    texts = [text for vase in DataSet(data).vases("train") for text in (vase.caption, vase.reference)]
    shape = TinyShape(hidden_size=128, num_layers=2, num_heads=4, vision_hidden_size=64, vision_depth=2)
    build_tiny_model(folder, texts, shape=shape)
