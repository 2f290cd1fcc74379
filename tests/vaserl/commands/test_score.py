"""Tests `vaserl score`: its output against numbers by hand, and the lines that it rejects."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vaserl.commands.__main__ import main
from vaserl.evaluation.predictions import question_dimension

RECORD = {
    "Fabric": "ATHENIAN",
    "Technique": "BLACK-FIGURE",
    "Shape Name": "AMPHORA, NECK",
    "Date": "-525 to -475",
    "Attributed To": "ANTIMENES P by BEAZLEY",
    "Decoration": "A,B: WARRIOR",
    "Vase Number": 310001,
}
CAPTION = (
    "Athenian black-figure neck-amphora, c. 525–475 BCE, depicting a warrior on both sides, attributed to the "
    "Antimenes Painter."
)


@pytest.fixture
def files(tmp_path: Path):
    """Writes files of predictions and targets, from objects or raw lines. Returns: the arguments that name the
    files."""

    def write(predictions: list, targets: list) -> list[str]:
        arguments = []
        for name, lines in (("predictions", predictions), ("targets", targets)):
            path = tmp_path / f"{name}.jsonl"
            path.write_bytes(
                b"".join(
                    (x if isinstance(x, bytes) else json.dumps(x, ensure_ascii=False).encode()) + b"\n" for x in lines
                )
            )
            arguments += [f"--{name}", str(path)]
        return ["score", *arguments]

    return write


def lines_of(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_json_gives_id_total_parts_and_what_was_read(files, capsys):
    assert main([*files([{"id": "v1", "caption": CAPTION}], [{"id": "v1", "record": RECORD}]), "--json"]) == 0
    (line,) = lines_of(capsys)
    assert set(line) == {"id", "total", "parts", "parsed"}
    # everything right, nothing missing, word for word: 1 and the full bonus
    assert (line["id"], line["total"]) == ("v1", pytest.approx(1.1))
    assert line["parts"]["fabric"] == 1
    assert line["parsed"] == {
        "fabric": ["athenian"],
        "technique": ["black_figure"],
        "shape": ["amphora/neck"],
        "dating": [[-525, -475]],
        "decoration": ["warrior"],
        "attribution": [{"name": "antimenes", "role": "painter", "qualifier": ""}],
    }


def test_one_vase_may_have_a_caption_and_questions(files, capsys):
    predictions = [
        {"id": "v1", "question": "What is the fabric of the vase?", "answer": "Attic"},
        {"id": "v1", "question": "When was it made?", "answer": "500-475 BC"},
        {"id": "v1", "caption": "Corinthian"},
    ]
    assert main([*files(predictions, [{"id": "v1", "record": RECORD}]), "--json"]) == 0
    fabric, dating, caption = lines_of(capsys)
    assert (fabric["total"], fabric["parsed"]) == (1.0, {"fabric": ["athenian"]})
    # 25 years of 50 are an overlap of 0.5, below tau, but they lie within the record's 50: half of the reward
    assert (dating["parts"]["raw/dating"], dating["total"]) == (0.5, 0.5)
    assert caption["total"] == pytest.approx(
        -0.15
    )  # 0.1 because it is too short, 0.25 of the weight 0.2 because it is wrong


def test_a_caption_can_be_the_target(files, capsys):
    assert main([*files([{"id": 7, "caption": CAPTION}], [{"id": "7", "caption": CAPTION}]), "--json"]) == 0
    assert lines_of(capsys)[0]["total"] == pytest.approx(1.1)


def test_the_table_has_means_over_what_has_a_target(files, capsys):
    predictions = [{"id": "a", "caption": CAPTION}, {"id": "b", "caption": "This is a Corinthian vase."}]
    targets = [{"id": "a", "record": RECORD}, {"id": "b", "record": {"Fabric": "ATHENIAN"}}]
    assert main(files(predictions, targets)) == 0
    rows = {words[0]: words[1:] for words in map(str.split, capsys.readouterr().out.splitlines()[1:])}
    assert rows["fabric"] == ["2", "0.500", "0.375", "50%", "100%", "50%"]
    assert rows["shape"] == ["1", "1.000", "1.000", "100%", "100%", "100%"]
    assert rows["total"] == ["2", "0.425"]  # 1.1 and -0.25


def test_constants_and_other_rewards_come_from_a_config(files, capsys, tmp_path: Path):
    arguments = [
        *files([{"id": "a", "caption": "Attic, 500-450 BC, by Lydos"}], [{"id": "a", "record": RECORD}]),
        "--json",
    ]
    config = tmp_path / "reward.toml"
    config.write_text(
        "tau = 0.3\nbonus = 0.0\nirrelevance_penalty = 0\n"
        "[weights]\nfabric = 0\ntechnique = 0\nshape = 0\ndecoration = 0\n[wrong_costs]\nattribution = 0\n"
    )
    assert main([*arguments, "--config", str(config)]) == 0
    # dating 25 of 75 years at weight 0.15, attribution 0 at 0.10
    assert lines_of(capsys)[0]["total"] == pytest.approx(1 / 3 * 0.15 / 0.25)

    config.write_text('num_steps = 3\n[reward]\nfunctions = ["tests.fakes.rewards_for_tests:one"]\nweights = [0.25]\n')
    assert main([*arguments, "--config", str(config)]) == 0
    assert lines_of(capsys)[0]["total"] == 0.25


def test_what_was_read_is_what_the_reward_read(files, capsys, tmp_path: Path):
    config = tmp_path / "reward.toml"
    config.write_text("[parser]\nsingle_year_margin_years = 25\n")
    arguments = files([{"id": "a", "caption": "Attic cup, about 500 BC"}], [{"id": "a", "record": RECORD}])
    assert main([*arguments, "--json", "--config", str(config)]) == 0
    assert lines_of(capsys)[0]["parsed"]["dating"] == [[-525, -475]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tua = 0.5", ["reward.toml", "tua", "did you mean 'tau'"]),
        ("tau = 2", ["tau", "less than or equal to 1"]),
        ("[weights]\nfabric = 'much'", ["weights.fabric", "number"]),
        ("functions = ['a:b']", ["reward.toml", "[reward] table"]),
        ("[reward]\nfunction = ['a:b']", ["reward.toml:2", "did you mean 'functions'"]),
        ("tau =", ["reward.toml", "Invalid value"]),
    ],
)
def test_a_wrong_config_is_explained(files, tmp_path: Path, capsys, text: str, words: list[str]):
    config = tmp_path / "reward.toml"
    config.write_text(text)
    arguments = files([{"id": "a", "caption": "x"}], [{"id": "a", "record": RECORD}])
    assert main([*arguments, "--config", str(config)]) == 2
    message = capsys.readouterr().err
    assert not [word for word in words if word not in message], message


GOOD_TARGET = {"id": "a", "record": RECORD}
GOOD = {"id": "a", "caption": "Attic"}


@pytest.mark.parametrize(
    ("predictions", "targets", "where", "kind"),
    [
        ([GOOD, GOOD], [GOOD_TARGET], "predictions.jsonl:2", "duplicate id"),
        ([GOOD], [GOOD_TARGET, b"", GOOD_TARGET], "targets.jsonl:3", "duplicate id"),
        ([GOOD, {"id": "b", "caption": ""}], [GOOD_TARGET], "predictions.jsonl:2", "id without a target"),
        ([GOOD], [{"id": "b", "record": RECORD}, GOOD_TARGET], "targets.jsonl:1", "id without a prediction"),
        ([b'{"id": "b", "caption": "x"', GOOD], [GOOD_TARGET], "predictions.jsonl:1", "broken line"),
        ([GOOD, b'{"id": "\xff"}'], [GOOD_TARGET], "predictions.jsonl:2", "broken line"),
        ([GOOD, b"[" * 100_000], [GOOD_TARGET], "predictions.jsonl:2", "broken line"),
        ([GOOD, [1]], [GOOD_TARGET], "predictions.jsonl:2", "broken line"),
        ([GOOD, {"caption": "x"}], [GOOD_TARGET], "predictions.jsonl:2", "broken line"),
        ([GOOD, {"id": "b", "caption": None}], [GOOD_TARGET], "predictions.jsonl:2", "broken line"),
        ([GOOD, {"id": "b", "text": "x"}], [GOOD_TARGET], "predictions.jsonl:2", "broken line"),
        ([GOOD, {"id": "a", "question": "How?", "answer": "x"}], [GOOD_TARGET], "predictions.jsonl:2", "broken line"),
        ([GOOD], [GOOD_TARGET, {"id": "b", "record": {"Fabric": 3}}], "targets.jsonl:2", "broken line"),
        ([GOOD], [GOOD_TARGET, {"id": "b", "record": {"Height": "3"}}], "targets.jsonl:2", "broken line"),
        ([GOOD], [GOOD_TARGET, {"id": "b", "caption": "..."}], "targets.jsonl:2", "broken line"),
    ],
)
def test_what_cant_be_used_is_an_error_or_counted(files, capsys, predictions, targets, where, kind):
    arguments = files(predictions, targets)
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert f"{where}: {kind}: " in message
    assert "Traceback" not in message

    assert main([*arguments, "--lenient", "--json"]) == 0
    printed = capsys.readouterr()
    assert [json.loads(line)["id"] for line in printed.out.splitlines()] == ["a"]
    assert printed.err == f"left out: 1 x {kind}\n"


def test_nothing_left_is_an_error_even_then(files, capsys):
    assert main([*files([GOOD], [{"id": "b", "record": RECORD}]), "--lenient"]) == 2
    assert "no line has an id that occurs in" in capsys.readouterr().err


def test_missing_files_are_named(tmp_path: Path, capsys):
    assert main(["score", "--predictions", str(tmp_path / "no.jsonl"), "--targets", "x"]) == 2
    assert "no.jsonl: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("question", "dimension"),
    [
        ("What is the fabric of the vase?", "fabric"),
        ("What is the date of the vase?", "dating"),
        ("When was this made?", "dating"),
        ("Who painted it?", "attribution"),
        ("What is depicted?", "decoration"),
        ("What SHAPE is it?", "shape"),
    ],
)
def test_the_question_says_its_dimension(question: str, dimension: str):
    assert question_dimension(question) == dimension


def test_scoring_a_file_loads_nothing_heavy(files):
    program = (
        "import sys\nfrom vaserl.commands.__main__ import main\n"
        f"assert main({files([GOOD], [GOOD_TARGET])!r}) == 0\n"
        "heavy = {'torch', 'ray', 'transformers', 'vllm', 'pyarrow', 'scipy', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
