"""Tests on a GPU that a killed GRPO job continues: the steps that it takes again have the metrics that they had.

VASERL_GPU_MODEL names the model: "tiny" (the default), or the folder of another one.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from launch.bench.step import add_arguments, train_settings
from launch.bench.subject import make_dataset, model_folder
from vaserl.files import read_json_lines
from vaserl.settings import dump_config
from vaserl.settings.checkpoint import CheckpointSettings

pytestmark = pytest.mark.gpu
NUM_STEPS, REDONE_AFTER = 5, 2


def test_train_job_continues_after_sigkill_with_the_metrics_of_the_interrupted_steps(tmp_path: Path):
    """Kills the job after step 4, removes the checkpoints after step 2, and compares steps 3 and 4."""
    name = os.environ.get("VASERL_GPU_MODEL", "tiny")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = parser.parse_args(["--model", name, "--num-steps", str(NUM_STEPS), "--checkpoint-every", "1"])
    with model_folder(name, tmp_path) as model:
        data = make_dataset(
            tmp_path / "data", arguments.num_tasks * 2, num_frames=arguments.num_frames, size=arguments.size
        )
        settings = train_settings(arguments, model, data, tmp_path / "run")
        settings = settings.model_copy(update={"checkpoint": CheckpointSettings(every=1, keep_last=10)})
        config = tmp_path / "train.toml"
        config.write_text(dump_config(settings))
        run = settings.run_dir
        command = [sys.executable, "-m", "launch", "train", str(config)]
        job = subprocess.Popen(command)
        while job.poll() is None and len(read_json_lines(run / "metrics.jsonl", drop_torn=True)) < NUM_STEPS - 1:
            time.sleep(0.05)
        os.kill(job.pid, signal.SIGKILL)
        job.wait()
        before = read_json_lines(run / "metrics.jsonl", drop_torn=True)
        for folder in (run / "checkpoints").iterdir():
            if not folder.name.startswith(".") and int(folder.name[5:10]) > REDONE_AFTER:
                shutil.rmtree(folder)
        assert subprocess.run(command, check=False).returncode == 0
        after = read_json_lines(run / "metrics.jsonl")
    assert [row["step"] for row in after] == list(range(1, NUM_STEPS + 1))
    redone = [row for row in before if row["step"] > REDONE_AFTER]
    assert redone
    differences = {}
    for old, new in zip(redone, after[REDONE_AFTER:], strict=False):
        for metric in old:
            differences[metric] = max(differences.get(metric, 0.0), abs(old[metric] - new[metric]))
    print(json.dumps({"model": name, "redone": [row["step"] for row in redone], "differences": differences}))
    assert differences["reward/mean"] < 0.2
    assert differences["loss"] < 0.05
