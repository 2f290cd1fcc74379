"""Inputs of the benches: a model folder, random clips, groups and data sets, and the engine's arguments."""

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vaserl.dataset import DataSet, Row
from vaserl.files.clip import Clip
from vaserl.policy.clips import ClipPixels
from vaserl.policy.groups import Branch, PrefixGroup
from vaserl.policy.model_folder import check_model_folder
from vaserl.policy.prompter import Prompter
from vaserl.synthetic.models.random_qwen import build_shape
from vaserl.synthetic.models.tiny_qwen import build_tiny_model

PROMPT = "Describe the vase."
_TEXTS = (
    PROMPT,
    "Athenian black-figure lekythos, c. 525–500 BCE, depicting a warrior, attributed to the Berlin Painter.",
)
CUDA_GRAPHS: Mapping[str, Any] = {"compilation_config": {"cudagraph_capture_sizes": [1, 8, 16, 32, 64, 128]}}
"""Arguments of vLLM on a GPU: CUDA graphs are captured for few batch sizes only, so that vLLM starts faster."""
GPU_SHARES: Mapping[str, float] = {"engine": 0.5, "learner": 0.4, "encoder": 0.1}
"""Share of the GPU that Ray's scheduler reserves for an actor, by kind of actor. All actors share one GPU. The share
does not limit GPU memory; vLLM's own arguments limit the engine's memory."""


def add_model_arguments(parser: argparse.ArgumentParser, default: str = "") -> None:
    """Adds the command-line options --model and --scratch.

    `default` is the default of --model. If `default` is empty, the default of --model is the 7B shape on a GPU and the
    tiny model on a CPU.
    """
    parser.add_argument(
        "--model",
        default=default or ("shape:7b" if torch.cuda.is_available() else "tiny"),
        help="a model folder, tiny, or shape:3b and shape:7b: random weights of the published sizes (%(default)s)",
    )
    parser.add_argument("--scratch", type=Path, help="folder that keeps a generated model for the next measurement")


def add_clip_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options --num-frames and --size, for the frames of a clip."""
    on_gpu = torch.cuda.is_available()
    parser.add_argument("--num-frames", type=int, default=24 if on_gpu else 8, help="frames of a clip (%(default)s)")
    parser.add_argument(
        "--size", type=int, default=448 if on_gpu else 112, help="width and height of a frame in pixels (%(default)s)"
    )


def engine_args(on_gpu: Mapping[str, Any]) -> dict[str, Any]:
    """Returns vLLM's arguments for up to 256 sequences of 4096 tokens. On a GPU they include `on_gpu`."""
    args: dict[str, Any] = {"max_model_len": 4096, "max_num_seqs": 256}
    return args | {"max_num_batched_tokens": 16384, **on_gpu} if torch.cuda.is_available() else args


@contextmanager
def model_folder(name: str, scratch: Path | None) -> Iterator[Path]:
    """Yields a model's folder. `name` is the value of --model: a folder, "tiny", or "shape:" and a shape.

    A tiny model or a shape is generated if it does not exist yet: in `scratch`, so that the next measurement
    can use it again, or in a temporary folder if `scratch` is None.

    Raises: UserError if the folder contains no Qwen2.5-VL or the shape is unknown.
    """
    if name != "tiny" and not name.startswith("shape:"):
        check_model_folder(name)
        yield Path(name)
        return
    with tempfile.TemporaryDirectory(prefix="vaserl-bench-") as temporary:
        folder = (scratch or Path(temporary)) / name.replace(":", "-")
        if not (folder / "config.json").is_file():
            if name == "tiny":
                build_tiny_model(folder, _TEXTS)
            else:
                build_shape(folder, name.removeprefix("shape:"), device="cuda" if torch.cuda.is_available() else "cpu")
        yield folder


def random_clip(seed: int, *, num_frames: int, size: int, fps: float = 8.0) -> Clip:
    """Returns a clip of random colour blocks, `size` pixels wide and high."""
    blocks = np.random.default_rng(seed).integers(0, 255, (num_frames, size // 14, size // 14, 3), dtype=np.uint8)
    return Clip(
        frames=blocks.repeat(14, 1).repeat(14, 2),
        fps=fps,
        frame_indices=tuple(range(num_frames)),
        num_source_frames=num_frames,
    )


def random_group(
    seed: int, prompter: Prompter, pixels: ClipPixels, *, group_size: int, num_answer_tokens: int
) -> PrefixGroup:
    """Returns a group: a prompt about the clip, and `group_size` random answers of `num_answer_tokens` tokens each."""
    ids = prompter.token_ids(PROMPT, pixels.grid)
    answers = np.random.default_rng(seed).integers(10, 300, (group_size, num_answer_tokens))
    return PrefixGroup(
        prefix_ids=ids,
        video_start=ids.index(prompter.video_token_id),
        grid=pixels.grid,
        branches=tuple(Branch(context_ids=(), target_ids=tuple(int(t) for t in answer)) for answer in answers),
    )


def make_dataset(folder: Path, num_vases: int, *, num_frames: int, size: int, num_val: int = 0) -> Path:
    """Writes a data set with a random clip for each vase. Returns: the folder of the data set. num_val: number of the
    vases, the last ones, that are in the split "val"; the others are in "train".

    If the data set has as many vases as a training step has tasks, the first step uses all clips,
    and later steps use the same clips again.
    """
    dataset = DataSet(folder)
    dataset.write_rows(
        Row(
            photo=f"v{n}.png",
            photo_sha256=f"{n:064x}",
            vase_id=f"v{n}",
            record={"Fabric": "ATHENIAN"},
            clip=dataset.clips.add(random_clip(n, num_frames=num_frames, size=size)),
            caption=PROMPT,
            reference=PROMPT,
            split="val" if n >= num_vases - num_val else "train",
        )
        for n in range(num_vases)
    )
    return folder
