"""Tests the exit codes that all subcommands share: when the reader of standard output has closed the pipe, and when
another pipe breaks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vaserl.commands.__main__ import main

PROGRAM = "import sys; from vaserl.commands.__main__ import main; sys.exit(main())"
RECORD = {"Fabric": "ATHENIAN", "Technique": "BLACK-FIGURE"}


@pytest.fixture
def targets(tmp_path: Path) -> Path:
    """Returns the file of records and captions of 300 vases, which are more text than a buffer or a pipe holds."""
    path = tmp_path / "targets.jsonl"
    lines = [{"id": f"v{i}", "record": RECORD, "caption": "Athenian black-figure vase."} for i in range(300)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def arguments(verb: str, targets: Path) -> list[str]:
    return {
        "score": ["score", "--predictions", str(targets), "--targets", str(targets), "--json"],
        "audit": ["audit", "--targets", str(targets), "--max-attacked", "2"],
    }[verb]


def test_main_help_loads_nothing_heavy():
    program = (
        "import sys\nfrom vaserl.commands.__main__ import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'ray', 'transformers', 'vllm', 'pyarrow', 'scipy', 'PIL', 'numpy', 'pydantic'}\n"
        "loaded = heavy & set(sys.modules)\nassert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)


def test_module_runs_the_subcommand(tmp_path: Path):
    """Without its guard, `python -m vaserl.commands export …` did nothing and exited with 0."""
    done = subprocess.run(
        [sys.executable, "-m", "vaserl.commands", "export", str(tmp_path / "none"), "--out", str(tmp_path / "model")],
        stderr=subprocess.PIPE,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.decode().startswith("error: ")


@pytest.mark.parametrize("verb", ["score", "audit"])
def test_main_exits_quietly_when_the_pipe_is_closed(verb: str, targets: Path):
    # score fails while it prints; the output of audit fits the buffer and fails at the final flush
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *arguments(verb, targets)], stdout=write, stderr=subprocess.PIPE, timeout=60
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr.decode()) == (141, "")


def test_main_prints_the_first_lines_to_a_reader_that_leaves(targets: Path, capsys):
    assert main(arguments("score", targets)) == 0
    whole = capsys.readouterr().out
    assert len(whole) > 2 * 65536  # a pipe's capacity on Linux: the rest can't be written
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments("score", targets)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        head = [process.stdout.readline() for _ in range(3)]
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
    assert b"".join(head).decode() == "".join(whole.splitlines(keepends=True)[:3])


def test_main_raises_when_another_pipe_breaks(targets: Path, capfd, monkeypatch):
    def broken(arguments):
        raise BrokenPipeError("a renderer's")

    monkeypatch.setattr("vaserl.commands.score.run", broken)
    with pytest.raises(BrokenPipeError, match="renderer"):
        main(arguments("score", targets))
