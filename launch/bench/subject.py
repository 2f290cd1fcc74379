"""What is measured: a model folder, and clips and answers for it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
MODEL_HELP = "a model folder, tiny, or shape:3b and shape:7b: random weights of the published sizes"


@contextmanager
def model_folder(name: str, scratch: Path | None) -> Iterator[Path]:
    """The folder behind a model's name, made where there is none: below `scratch`, where it stays for the next
    measurement, or in a folder that goes at the end.

    Raises: UserError for a folder that is none, or an unknown shape.
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
    """A clip of random blocks, `size` pixels high and wide."""
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
    """A prompt about the clip with `group_size` random answers, all of one length."""
    ids = prompter.token_ids(PROMPT, pixels.grid)
    answers = np.random.default_rng(seed).integers(10, 300, (group_size, num_answer_tokens))
    return PrefixGroup(
        prefix_ids=ids,
        video_start=ids.index(prompter.video_token_id),
        grid=pixels.grid,
        branches=tuple(Branch(context_ids=(), target_ids=tuple(int(t) for t in answer)) for answer in answers),
    )


def make_dataset(folder: Path, num_vases: int, *, num_frames: int, size: int) -> Path:
    """A data set of random clips: where it has as many vases as a step has tasks, no clip is new after the first."""
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
            split="train",
        )
        for n in range(num_vases)
    )
    return folder
