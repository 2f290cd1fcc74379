"""Renders objects, trains, scores, and writes weights, recipe, contact sheet and log."""

import hashlib
import json
import math
import platform
import sys
import time
from pathlib import Path
from typing import Any

import torch

from vaserl.files import write_atomic
from vaserl.meshes.cutout.weights import save_cutout
from vaserl.synthetic import scenes
from vaserl.synthetic.scenes.bank import ForegroundBank, render_bank, renderer_hash
from vaserl.synthetic.scenes.bank_file import kept_bank
from vaserl.synthetic.scenes.props import Props
from vaserl.synthetic.train_cutout.fit import CutoutTraining
from vaserl.synthetic.train_cutout.score import score_network
from vaserl.synthetic.train_cutout.settings import TrainCutoutSettings
from vaserl.synthetic.train_cutout.sheet import scene_sheet

_SCORED_SIDE = 256


def train_cutout(settings: TrainCutoutSettings) -> dict[str, Any] | None:
    """Trains the cut-out network, or continues to; returns the scores, or None if the training is to be continued.

    Writes into settings.out: checkpoint.safetensors, train_cutout.jsonl and, when all steps are done,
    cutout.safetensors, cutout.json and cutout.png.

    Raises: UserError when the checkpoint is of other settings, or the weights to begin with don't fit.
    """
    deadline = time.monotonic() + settings.stop_after_s if settings.stop_after_s else math.inf
    wanted = settings.foregrounds
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    start = time.monotonic()
    asked = (wanted.seed, range(wanted.num_objects), wanted.side, device, wanted.num_workers)
    bank = render_bank(*asked) if wanted.keep is None else kept_bank(wanted.keep, *asked)
    props = Props(device)
    training = CutoutTraining(settings, bank, props)
    print(
        f"train-cutout: {len(bank.pixels)} views of {wanted.num_objects} objects ready on {device} after "
        f"{time.monotonic() - start:.0f} s; from step {training.num_done}",
        file=sys.stderr,
        flush=True,
    )
    settings.out.mkdir(parents=True, exist_ok=True)
    with (settings.out / "train_cutout.jsonl").open("a") as log_file:

        def log(line: dict[str, float]) -> None:
            print(json.dumps(line), file=log_file, flush=True)
            words = ", ".join(f"{name} {value:.4g}" for name, value in line.items())
            print(f"train-cutout: {words}", file=sys.stderr, flush=True)

        if not training.train(log, deadline):
            print(f"train-cutout: stopped after step {training.num_done}; the same command continues", file=sys.stderr)
            return None
    network = training.result()
    numbers = range(wanted.num_objects, wanted.num_objects + wanted.num_held_out)
    held_out = render_bank(wanted.seed, numbers, wanted.side, device, wanted.num_workers)
    scores, batch = score_network(network, held_out, props, settings.seed, settings.num_scored, _SCORED_SIDE)
    recipe = _recipe(settings, bank) | {
        "num_done": training.num_done,
        "started_from": training.started_from,
        "scores": scores,
    }
    save_cutout(network.state_dict(), settings.out, recipe)
    write_atomic(settings.out / "cutout.png", scene_sheet(batch))
    return scores


def composer_hash() -> str:
    """Returns the SHA-256 of the source code that composes the scenes."""
    folder = Path(scenes.__file__).parent
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()


def _recipe(settings: TrainCutoutSettings, bank: ForegroundBank) -> dict[str, Any]:
    return {
        "command": "python -m launch train-cutout CONFIG",
        "shape": {"widths": list(settings.widths), "depths": list(settings.depths)},
        "config": json.loads(
            settings.model_dump_json(exclude={"out": True, "start_from": True, "foregrounds": {"keep"}})
        ),
        "data": {
            "views": len(bank.pixels),
            "pixels_checksum": bank.checksum(),
            "renderer_sha256": renderer_hash(),
            "composer_sha256": composer_hash(),
        },
        "made_with": {
            "torch": torch.__version__,
            "python": platform.python_version(),
            "device": torch.cuda.get_device_name(bank.device) if bank.device.type == "cuda" else "CPU",
        },
    }
