"""Tests the command that prints several evaluations in one table."""

import json
from pathlib import Path

import pytest

from tests.vaserl.evaluation.test_evaluate import CONFIG, READER, TRAIN, bag_of_words, world
from vaserl.commands.__main__ import main
from vaserl.evaluation.evaluate import evaluate_captions


def test_table_joins_evaluations_and_refuses_other_prompts(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    summary = evaluate_captions(world(), TRAIN, READER, bag_of_words, CONFIG).summary
    base = {**summary, "systems": {"base": summary["systems"]["sft"]}, "differences": {}}
    for name, result, prompt in (("a", summary, "p"), ("b", base, "p"), ("c", base, "q")):
        (tmp_path / f"{name}.json").write_text(json.dumps({**result, "comparable": {"prompt": prompt}}))
    a, b, c = (str(tmp_path / f"{name}.json") for name in "abc")
    assert main(["table", a, b]) == 0
    head = capsys.readouterr().out.splitlines()[2]
    assert [cell.strip() for cell in head.strip("|").split("|")][3:] == ["sft", "rl", "base"]
    assert main(["table", a, b, "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("system,metric,mean")
    assert main(["table", a, c]) == 2
    assert "they differ in prompt" in capsys.readouterr().err
    (tmp_path / "d.json").write_text("{}")
    assert main(["table", str(tmp_path / "d.json")]) == 2
    assert "d.json is no evaluation.json of this version" in capsys.readouterr().err
