"""Kills the curation job at random moments and checks that a restart writes the same data set as an uninterrupted run.

Each kill sends SIGKILL to a real `python -m launch.curate` with a data set of its own. The moment is random, between
the first finished shard and the end of the job, as timed in an uninterrupted run. A kill before the first shard loses
no work, so it is not tested. The same command is then run to its end. Its manifest must equal that of the uninterrupted
run byte for byte, and no finished shard may have been written again. All stages run; ResNet and CLIP are tiny models.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import ray
import torch

from actors.cluster import connect
from launch.bench.timing import circumstances
from vaserl.curation.bodies.quality import ResNetConfig, save_resnet
from vaserl.curation.job.shards import INPUT
from vaserl.curation.settings import (
    CurateSettings,
    IntactSettings,
    JournalSettings,
    MeshGateSettings,
    QualitySettings,
    SourceSettings,
    TurntableSettings,
)
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.settings import ClusterSettings, OpenClipSettings
from vaserl.settings.section import dump_config
from vaserl.synthetic.models.tiny_filters import train_tiny_clip
from vaserl.synthetic.world import build_world

QUALITY_MODEL, CLIP_MODEL = "resnet", "open_clip"
"""Names of the folders of ResNet and CLIP, inside the temporary folder of the measurement."""

Finished = dict[str, tuple[int, int]]
"""Inode and modification time (ns) of each finished shard, by the shard's path relative to the journal's folder.
Writing a shard again changes inode and time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set the number of kills and the size of the data set."""
    parser.add_argument("--num-kills", type=int, default=20, help="number of kills (%(default)s)")
    parser.add_argument(
        "--first", type=int, default=0, help="number of kills to skip, to continue an earlier measurement"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the moments and of the synthetic world (%(default)s)"
    )
    parser.add_argument(
        "--num-vases", type=int, default=16, help="vases of the synthetic world that is curated (%(default)s)"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Kills and resumes the job `num_kills` times.

    Returns: totals over all kills, and for each kill: the moment; the number of shards that were finished at that
    moment, by stage; whether the manifest equals that of the uninterrupted run; and the number of finished shards that
    were written again.
    """
    if arguments.num_kills < 1:
        raise UserError("--num-kills must be at least 1")
    with tempfile.TemporaryDirectory(prefix="kills-") as scratch, contextlib.ExitStack() as running:
        folder = Path(scratch)
        build_world(folder / "world", num_vases=arguments.num_vases, seed=arguments.seed, num_workers=1)
        # one cluster for all jobs: drivers start faster, and a killed driver's workers may still run in the next job
        running.enter_context(connect(ClusterSettings(num_cpus=2)))
        os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
        running.callback(os.environ.pop, "RAY_ADDRESS")
        make_models(folder, arguments.seed)
        config = write_config(folder / "undisturbed", folder)
        started = time.monotonic()
        process = start(config)
        wait_for_a_shard(process, folder / "undisturbed")
        worked_from = time.monotonic()
        finish_curation(process)
        length_s, work_s = time.monotonic() - started, time.monotonic() - worked_from
        undisturbed = _digest(folder / "undisturbed")
        draw = random.Random(arguments.seed)
        moments = [draw.uniform(0, work_s) for _ in range(arguments.first + arguments.num_kills)]
        kills = []
        for number, moment_s in enumerate(moments[arguments.first :], start=arguments.first):
            dataset = folder / f"killed-{number}"
            kills.append(kill_and_resume(write_config(dataset, folder), dataset, moment_s, undisturbed))
            print(json.dumps(kills[-1]), file=sys.stderr, flush=True)
    return {
        "num_kills": len(kills),
        "num_identical": sum(kill["identical"] for kill in kills),
        "num_shards_redone": sum(kill["shards_redone"] for kill in kills),
        "undisturbed_s": length_s,
        "from_first_shard_s": work_s,
        "manifest_sha256": undisturbed,
        "seed": arguments.seed,
        "kills": kills,
        **circumstances(),
    }


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = [
        f"after SIGKILL and a restart, {measured['num_identical']} of {measured['num_kills']} manifests were identical "
        f"and {measured['num_shards_redone']} finished shards were written again; an uninterrupted run took "
        f"{measured['undisturbed_s']:.1f} s, {measured['from_first_shard_s']:.1f} s of them after the first shard"
    ]
    for kill in measured["kills"]:
        done = ", ".join(f"{stage} {count}" for stage, count in kill["finished_shards"].items()) or "nothing finished"
        moment = f"{kill['moment_s']:5.1f} s after the first shard"
        lines.append(f"killed {moment} with {done}: identical {kill['identical']}")
    return "\n".join(lines)


def kill_and_resume(config: Path, dataset: Path, moment_s: float, undisturbed: str) -> dict[str, Any]:
    """Kills a job `moment_s` after its first finished shard and runs the same command to its end.

    `undisturbed` is the SHA-256 of the uninterrupted run's manifest.

    Returns: the entry of this kill in the result of `run`.
    """
    process = start(config)
    wait_for_a_shard(process, dataset)
    try:
        process.wait(moment_s)
        was_running = False  # the job ended before the kill
    except subprocess.TimeoutExpired:
        was_running = True
    process.send_signal(signal.SIGKILL)
    process.wait()
    at_kill = finished(dataset)
    started = time.monotonic()
    finish_curation(start(config))
    now = finished(dataset)
    return {
        "moment_s": moment_s,
        "was_running": was_running,
        "finished_shards": dict(sorted(Counter(Path(name).parent.name for name in at_kill).items())),
        "shards_redone": sum(now.get(name) != mark for name, mark in at_kill.items()),
        "resumed_s": time.monotonic() - started,
        "identical": _digest(dataset) == undisturbed,
    }


def wait_for_a_shard(process: subprocess.Popen[bytes], dataset: Path) -> None:
    """Waits until the job's first shard is finished or the job has ended."""
    while process.poll() is None and not any(not name.startswith(INPUT) for name in finished(dataset)):
        time.sleep(0.02)


def make_models(folder: Path, seed: int) -> None:
    """Writes two models to `folder`: a small ResNet with random weights, and a tiny CLIP trained for one step."""
    torch.manual_seed(seed)
    resnet = ResNetConfig(layers=(1, 1, 1, 1), image_size=64)
    save_resnet(resnet.build(), resnet, folder / QUALITY_MODEL)
    photographs = sorted((folder / "world" / "photographs").iterdir())[:2]
    train_tiny_clip(photographs, [["a vase"], ["a sherd"]], folder / CLIP_MODEL, seed=seed, num_steps=1)


def write_config(dataset: Path, folder: Path) -> Path:
    """Writes the config of a curation job with all stages and small shards. Returns: the path of the config.

    The job's filters reject no photograph.
    """
    settings = CurateSettings(
        dataset=dataset,
        source=SourceSettings(path=str(folder / "world")),
        open_clip=OpenClipSettings(path=folder / CLIP_MODEL),
        quality=QualitySettings(path=folder / QUALITY_MODEL, threshold=0.0),
        intact=IntactSettings(threshold=-2.0),
        mesh_gate=MeshGateSettings(
            min_iou=0.0, min_symmetry=0.0
        ),  # the best view may be a fragment, as no filter rejects it
        turntable=TurntableSettings(num_frames=8, fps=2.0, resolution=112),
        journal=JournalSettings(num_rows=4, num_rows_lift=1),
        cluster=ClusterSettings(num_cpus=2),
    )
    path = dataset.with_suffix(".toml")
    path.write_text(dump_config(settings))
    return path


def start(config: Path) -> subprocess.Popen[bytes]:
    """Starts `python -m launch.curate` with the config. Returns: the new process."""
    with config.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "launch.curate", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )


def finish_curation(process: subprocess.Popen[bytes]) -> None:
    """Waits for the end of the job. Raises: RuntimeError if the job failed."""
    if process.wait(600) != 0:
        raise RuntimeError(f"{process.args} ended with code {process.returncode}")


def finished(dataset: Path) -> Finished:
    """Returns the inode and modification time of each finished shard in the journal."""
    marks = {}
    for path in DataSet(dataset).work.glob("*/*.parquet"):
        status = path.stat()
        marks[str(path.relative_to(DataSet(dataset).work))] = (status.st_ino, status.st_mtime_ns)
    return marks


def _digest(dataset: Path) -> str:
    """Returns the SHA-256 of the data set's manifest file as hexadecimal digits."""
    return hashlib.sha256(DataSet(dataset).rows.path.read_bytes()).hexdigest()
