"""Tests the commands that start jobs: `python -m launch JOB CONFIG`, and each job's own `python -m launch.JOB`."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from launch.__main__ import main
from launch.jobs import JOBS
from launch.main import settings_class
from vaserl.settings.keys import key_tables
from vaserl.settings.section import load_config

ROOT = Path(__file__).parents[2]
CONFIGURED = [name for name, job in JOBS.items() if job.settings is not None]
HEAVY = {"torch", "ray", "vllm", "deepspeed", "transformers", "numpy", "pyarrow", "scipy", "trimesh"}


def test_main_lists_every_job_with_its_line(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed and job.line in listed for name, job in JOBS.items())


def test_main_names_the_nearest_job(capsys: pytest.CaptureFixture[str]):
    assert main(["trian", "x.toml"]) == 2
    assert "no job 'trian'; did you mean 'train'?" in capsys.readouterr().err
    assert main(["zzz"]) == 2
    assert "the jobs are curate, train-quality" in capsys.readouterr().err


@pytest.mark.parametrize("name", CONFIGURED)
def test_main_help_lists_every_key_of_the_job(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    words = capsys.readouterr().out.split()
    tables = key_tables(settings_class(name))
    keys = {f"--{table.path}.{key.name}".replace("--.", "--") for table in tables for key in table.keys}
    assert keys <= set(words)


@pytest.mark.parametrize("name", CONFIGURED)
def test_main_dry_run_prints_a_config_that_loads(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    action = JOBS[name].actions[:1]
    assert main([name, *action, str(ROOT / (JOBS[name].example or "")), "--dry-run", "--seed", "7"]) == 0
    resolved = tmp_path / "resolved.toml"
    resolved.write_text(capsys.readouterr().out)
    assert load_config(settings_class(name), resolved).model_dump()["seed"] == 7


def test_main_lays_the_files_of_with_over_the_config(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    few, many = tmp_path / "few.toml", tmp_path / "many.toml"
    few.write_text("seed = 3\n[rollout]\nnum_workers = 2\n")
    many.write_text("[rollout]\nnum_workers = 5\n")
    example = str(ROOT / (JOBS["train"].example or ""))
    assert main(["train", example, "--with", str(few), "--with", str(many), "--dry-run", "--num_steps", "4"]) == 0
    settings = tomllib.loads(capsys.readouterr().out)
    assert (settings["seed"], settings["rollout"]["num_workers"], settings["num_steps"]) == (3, 5, 4)


def test_main_dry_run_tells_who_sits_where_beside_the_config(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    config = ["train", str(ROOT / "configs/train/quickstart.toml"), "--rollout.num_workers", "3"]
    assert main([*config, "--cluster", "2x0xcpux2", "--dry-run"]) == 0
    printed = capsys.readouterr()
    (tmp_path / "resolved.toml").write_text(printed.out)
    load_config(settings_class("train"), tmp_path / "resolved.toml")
    assert "rollout 0" in printed.err
    assert main([*config, "--cluster", "2x0xcpux2"]) == 2
    assert "--cluster describes a cluster for --dry-run" in capsys.readouterr().err


def test_main_without_settings_passes_the_arguments_on(capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "--help"]) == 0
    assert "usage: python -m launch bench" in capsys.readouterr().out


def test_main_help_imports_nothing_heavy():
    script = f"""
import contextlib, io, sys
from launch.__main__ import main
with contextlib.redirect_stdout(io.StringIO()):
    main([])
    for name in {CONFIGURED}:
        with contextlib.suppress(SystemExit):
            main([name, "--help"])
print(sorted({HEAVY} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


def test_jobs_modules_start_by_their_own_names():
    for job in JOBS.values():
        source = (ROOT / f"{job.module.replace('.', '/')}.py").read_text()
        assert "def main(" in source and 'if __name__ == "__main__":' in source, job.module


@pytest.mark.parametrize("words", [["plan", "configs/7b/train.toml", "--model", "shape:7b"], ["--help"]])
def test_main_exits_quietly_when_the_pipe_is_closed(words: list[str]):
    read, write = os.pipe()
    os.close(read)
    try:
        command = [sys.executable, "-m", "launch", *words]
        done = subprocess.run(command, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, timeout=60, check=False)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr.decode()) == (141, "")
