"""Tests the wheel: it holds only vaserl, and vaserl imports in an environment with no other package."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    (built,) = out.glob("vaserl-*.whl")
    return built


def test_wheel_holds_vaserl_and_its_data_alone(wheel: Path):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"vaserl"}
    in_tree = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "vaserl").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert in_tree <= set(names)
    assert any(name.endswith("entry_points.txt") for name in names)


def test_wheel_imports_in_a_bare_environment(wheel: Path, tmp_path: Path):
    venv.create(tmp_path / "bare", with_pip=True)
    python = tmp_path / "bare" / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    script = (
        "import sys, vaserl, vaserl.types, vaserl.errors\n"
        "from vaserl.commands.__main__ import main\n"
        "heavy = {'torch', 'ray', 'vllm', 'transformers', 'deepspeed'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "print(vaserl.__version__, len(vaserl.types.DIMENSIONS))\n"
        "main(['--help'])\n"
    )
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0.1.0 6\nusage: vaserl")
