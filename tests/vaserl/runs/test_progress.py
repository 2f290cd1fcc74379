"""Tests the progress output when it isn't a terminal."""

from vaserl.runs.progress import Progress


def test_progress_off_a_terminal_prints_plain_lines(capsys):
    with Progress("work", total=20) as progress:
        for _ in range(20):
            progress.advance(loss=0.123456)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10  # one for each tenth
    assert lines[0].startswith("stage=work done=2/20 elapsed_s=0 left_s=")
    assert lines[-1].endswith("loss=0.1235")
    assert not any("\r" in line or "\x1b" in line for line in lines)
