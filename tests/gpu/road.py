"""Runs docs/reproduce.md on a GPU: python -m tests.gpu.road --folder FOLDER [--model shape:7b] [--until JOB]

Every command of the page that needs no public weights and no network runs as it stands there, in a process of its own:
on data in the published layout, which this program makes, and random weights of the published sizes. What differs from
the page is in `CHANGES`. FOLDER/road.json has exit code, seconds, peak of GPU memory and essential output of each
command; FOLDER/road.log is that output as text. A second start continues after the last command that ended well.
"""

import argparse
import json
import multiprocessing
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import open_clip
from safetensors.torch import save_file

from launch.bench.gpu_memory import GpuMemoryWatch
from launch.bench.plan import seconds_of_steps
from launch.bench.timing import circumstances
from launch.sft import tokenizer_texts
from tests.fakes.published_layout import write_published_layout
from tests.launch.test_chain import tiny_clip
from tests.launch.test_reproduce import COMMANDS, ON_CPU, ROOT, SMALLER, build_model
from vaserl.dataset import DataSet
from vaserl.runs.run import Run, SftRun
from vaserl.settings import CAPTION_PROMPT
from vaserl.synthetic.models.random_qwen import build_shape

NUM_TEST, NUM_VAL, NUM_TRAIN = 16, 32, 32
_ROUNDS = ["--rollout.max_fingerprint_gap", "0.2"]  # random weights have a nearly flat distribution
CHANGES = {
    "train": ["--num_steps", "3", "--max_logprob_gap", "0.1", *_ROUNDS],
    "evaluate": ["--trained", "runs/7b/grpo/weights/v00004", *_ROUNDS],
}
"""Settings that are added to the page's command, by job."""
ELSEWHERE = ["--dry-run", "--cluster", "1x8xa100-80"]
"""Options of the commands that are for a cluster: who would sit where."""
_NOISE = re.compile(
    r"^\(|^\s*$|^(INFO|WARNING|DEBUG|\[rank)|^\d{4}-\d\d-\d\d|it/s|s/it|%\||Warning: |^\s+warnings?\.warn"
)
_MOST_LINES = 60


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--model", default="shape:7b", help="shape:7b, shape:3b, or tiny for a machine without a GPU")
    parser.add_argument("--until", default="", help="stop before the first command of this job, such as train")
    arguments = parser.parse_args()
    folder, is_tiny = arguments.folder.absolute(), arguments.model == "tiny"
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    command = f"python -m tests.gpu.road --folder FOLDER --model {arguments.model}"
    begun = {"model": arguments.model, **circumstances(), "command": command, "made_s": {}, "commands": []}
    found = _read(folder) or begun
    done = {row["command"] for row in found["commands"] if row["is_as_expected"]}
    if not (folder / "VaseVQA-3D").is_dir():
        found["made_s"]["data"] = _timed(lambda: _make_data(folder, is_tiny=is_tiny))
    with GpuMemoryWatch() as memory:
        for number, command in enumerate(COMMANDS):
            words = shlex.split(command)
            job = words[3] if words[0] == "python" else words[1]
            if arguments.until and job == arguments.until and "--with" not in words:
                return 0
            if job == "sft" and "model" not in found["made_s"]:
                found["made_s"]["model"] = _timed(lambda: _make_model(folder, arguments.model))
            if command in done:
                continue
            row = _run(folder, number, command, memory, is_tiny=is_tiny)
            found["commands"].append(row)
            (folder / "road.json").write_text(json.dumps(found, indent=1))
            with (folder / "road.log").open("a") as log:
                text = "\n".join(row["lines"])
                log.write(f"$ {row['ran']}\n{text}\n[exit code {row['exit_code']}, {row['seconds']:.0f} s]\n\n")
            end = f"{row['seconds']:7.1f} s {row['peak_gpu_gib']:6.1f} GiB  {row['exit_code']}"
            print(f"{end}  {row['ran']}", flush=True)
            if not row["is_as_expected"]:
                print("\n".join(row["lines"][-40:]))
                return 1
    return 0


def _run(folder: Path, number: int, command: str, memory: GpuMemoryWatch, *, is_tiny: bool) -> dict[str, Any]:
    """Runs one command of the page. Returns: its entry in road.json."""
    words = shlex.split(command)
    job = words[3] if words[0] == "python" else words[1]
    if is_tiny:
        words = _smaller(folder, words, job)
    is_elsewhere = "configs/clusters" in command
    words += ELSEWHERE if is_elsewhere else CHANGES.get(job, [])
    started = {"python": [sys.executable], "vaserl": [sys.executable, "-m", "vaserl.commands"]}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    log = folder / "logs" / f"{number:02}-{job.replace('/', '-')}.log"
    memory.restart()
    begin = time.monotonic()
    with log.open("w") as output:
        code = subprocess.run(
            [*started.get(words[0], [words[0]]), *words[1:]],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    row: dict[str, Any] = {
        "command": command,
        "ran": shlex.join(words),
        "seconds": time.monotonic() - begin,
        "peak_gpu_gib": memory.peak_gib,
        "exit_code": code,
        # doctor: 1 if packages are not those of the lock; plan: 1 if the job would not fit
        "is_as_expected": code == 0 or (code == 1 and job in ("doctor", "plan")),
        "lines": _essential(log.read_text(errors="replace")),
    }
    if code == 0 and job in ("train", "sft") and not is_elsewhere:
        run = Run(folder / "runs/7b/grpo") if job == "train" else SftRun(folder / "runs/7b/sft")
        row |= {"steps_s": seconds_of_steps(run.timeline), "metrics": run.metrics}
    return row


def _essential(text: str) -> list[str]:
    """Returns the output without the libraries' messages and without progress bars, at most `_MOST_LINES` lines."""
    lines = [line.rpartition("\r")[2].rstrip() for line in text.splitlines()]
    kept = [line for line in lines if not _NOISE.search(line)]
    if len(kept) <= _MOST_LINES:
        return kept
    return [*kept[: _MOST_LINES // 2], "[…]", *kept[-_MOST_LINES // 2 :]]


def _smaller(folder: Path, words: list[str], job: str) -> list[str]:
    """Returns a command for a machine without a GPU: small frames, and the settings of the test of the page."""
    command = shlex.join(words)
    for published, small in SMALLER.items():
        command = command.replace(published, small)
    if job not in ON_CPU or "configs/clusters" in command:
        return shlex.split(command)
    (folder / f"{job}.toml").write_text(ON_CPU[job])
    return [*shlex.split(command), "--with", f"{job}.toml"]


def _make_data(folder: Path, *, is_tiny: bool) -> None:
    num_test, num = (2, 8) if is_tiny else (NUM_TEST, NUM_TEST + NUM_VAL + NUM_TRAIN)
    making, clip = folder / "making", folder / "weights" / "clip-vit-base-patch32"
    shutil.rmtree(making, ignore_errors=True)
    shutil.rmtree(clip, ignore_errors=True)
    if not (folder / "configs").exists():
        (folder / "configs").symlink_to(ROOT / "configs")
    clip.parent.mkdir(exist_ok=True)
    if is_tiny:
        tiny_clip(clip.parent)
        (clip.parent / "clip").rename(clip)
    else:
        _make_clip(clip)
    write_published_layout(making, [f"7fa{n}-42d1_{n + 1}" for n in range(num)], num_test=num_test)
    making.rename(folder / "VaseVQA-3D")


def _make_clip(folder: Path) -> None:
    """Saves a CLIP of the published size with random weights, in open_clip's format."""
    folder.mkdir()
    config = {"model_cfg": open_clip.get_model_config("ViT-B-32"), "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(open_clip.create_model("ViT-B-32").state_dict(), folder / "open_clip_model.safetensors")


def _make_model(folder: Path, model: str) -> None:

    path, data = folder / "weights" / "Qwen2.5-VL-7B-Instruct", folder / "data" / "vasevqa"
    if model == "tiny":
        build_model(path, data)
        return
    texts = tokenizer_texts(DataSet(data).vases("train"), CAPTION_PROMPT)
    # a process of its own, so that this one holds no GPU memory
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        process.submit(build_shape, path, model.removeprefix("shape:"), texts=texts, device="cuda").result()


def _timed(make: Any) -> float:
    begin = time.monotonic()
    make()
    return time.monotonic() - begin


def _read(folder: Path) -> dict[str, Any] | None:
    file = folder / "road.json"
    return json.loads(file.read_text()) if file.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
