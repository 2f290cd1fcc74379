"""Tests the validation during training: its metrics, its files, and the decision to stop early."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import make_dataset
from tests.fakes.settings import train_settings
from tests.vaserl.evaluation.test_evaluate import bag_of_words
from vaserl.dataset import DataSet, Vase
from vaserl.errors import UserError
from vaserl.evaluation.evaluate import EvaluationConfig, EvaluationRow, evaluate_captions
from vaserl.evaluation.reading import reward_reader
from vaserl.evaluation.validation import Validation, drawn_vases, make_validation, num_stalled
from vaserl.files import read_json_lines
from vaserl.rewards import load_scorer
from vaserl.runs.run import Run
from vaserl.types import Completion, Group, ScoredGroup

SHAPES = ("kylix", "lekythos", "kylix", "pelike")
TRAIN = [{"Fabric": "ATHENIAN", "Shape Name": shape.upper()} for shape in SHAPES]
SCORER = load_scorer(["vaserl.rewards:VaseReward"])
HALF_RIGHT = ["An Athenian kylix.", "An Athenian kylix.", "An Athenian kylix.", "A pelike."]
ALL_RIGHT = [f"An Athenian {shape}." for shape in SHAPES]


def vase(number: int, shape: str) -> Vase:
    record = {"Fabric": "ATHENIAN", "Shape Name": shape.upper()}
    reference = f"Athenian {shape}."
    texts = {"photo": "", "mesh": "", "clip": "c", "caption": reference, "reference": reference}
    return Vase(id=f"v{number}", record=record, questions=(), split="val", **texts)


VASES = [vase(number, shape) for number, shape in enumerate(SHAPES)]


def scored(validation: Validation, captions: list[str], version: int, scorer=SCORER) -> list[ScoredGroup]:
    """Returns greedy completions of the validation's tasks; a caption has one token for each word."""
    groups = []
    for task, caption in zip(validation.tasks, captions, strict=True):
        num_tokens = len(caption.split())
        completion = Completion(
            text=caption,
            token_ids=(1,) * num_tokens,
            logprobs=(0.0,) * num_tokens,
            finish_reason="length" if num_tokens > 2 else "stop",
            weights_version=version,
        )
        groups.append(Group(task=task, prompt_ids=(), completions=(completion,)))
    return scorer.score_all(groups)


def validation(folder: Path, encoder=None, vases=VASES, num_steps: int = 7, **settings) -> Validation:
    folder.mkdir(exist_ok=True)
    chosen = train_settings(num_steps=num_steps, seed=5, validation={"every": 2, **settings})
    return Validation(chosen, Run(folder), vases, TRAIN, reward_reader(), encoder)


@pytest.mark.parametrize("encoder", [bag_of_words, None])
def test_validation_has_the_metrics_of_launch_evaluate(tmp_path: Path, encoder):
    validator = validation(tmp_path, encoder)
    groups = scored(validator, HALF_RIGHT, version=3)
    validator.record(2, groups)
    found = Run(tmp_path).validations[0].metrics

    rows = [
        EvaluationRow(
            id=vase.id,
            record=vase.record,
            reference=vase.reference,
            captions=dict.fromkeys(("sft", "rl"), group.group.completions[0].text),
            scores=dict.fromkeys(("sft", "rl"), group.scores[0]),
        )
        for vase, group in zip(VASES, groups, strict=True)
    ]
    expected = evaluate_captions(rows, TRAIN, reward_reader(), bag_of_words, EvaluationConfig(seed=5)).summary[
        "systems"
    ]["rl"]
    del expected["chance"], expected["text_kernel_distance"]
    own = {"num_tokens", "truncated"}
    of_encoder = {name for name in expected if name.startswith(("text_", "recall_", "overall_"))}
    assert len(of_encoder) == 9 and set(found) == (set(expected) - (set() if encoder else of_encoder)) | own
    assert {name: value for name, value in found.items() if name not in own} == {
        name: value for name, value in expected.items() if name in found
    }


def test_validation_record_writes_row_and_captions_and_returns_means(tmp_path: Path, capsys):
    validator = validation(tmp_path)
    values = validator.record(2, scored(validator, HALF_RIGHT, version=3))
    # three of four state the fabric, all state the shape: right on the two kylikes and the pelike
    assert values["validation/accuracy/fabric"] == 0.75
    assert values["validation/accuracy_when_stated/fabric"] == 1.0
    assert values["validation/accuracy/shape"] == 0.75
    assert values["validation/num_tokens"] == (3 + 3 + 3 + 2) / 4
    assert values["validation/truncated"] == 0.75
    assert "validation/accuracy/dating" not in values  # no record states a date

    (row,) = Run(tmp_path).validations
    assert (row.step, row.weights_version, row.split) == (2, 3, "val")
    assert (row.num_vases, row.num_split_vases, row.sample_seed) == (4, 4, None)
    assert "over vases" in row.interval
    assert row.metrics["reward"]["mean"] == values["validation/reward"]
    assert row.metrics["reward"]["low"] < row.metrics["reward"]["mean"] < row.metrics["reward"]["high"]
    captions = read_json_lines(tmp_path / "validation" / "step=00002.jsonl")
    assert [caption["caption"] for caption in captions] == HALF_RIGHT
    assert [caption["id"] for caption in captions] == ["v0", "v1", "v2", "v3"]
    assert sum(caption["score"] for caption in captions) / 4 == pytest.approx(values["validation/reward"])
    assert f"step 2, reward {values['validation/reward']:.3f} [" in capsys.readouterr().err


def test_validation_writes_the_same_bytes_for_the_same_captions(tmp_path: Path):
    for name in ("one", "two"):
        for step, captions in [(0, HALF_RIGHT), (2, ALL_RIGHT)]:
            validator = validation(tmp_path / name)  # as after a resume
            validator.record(step, scored(validator, captions, version=step + 1))
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.jsonl")]
    assert len(files) == 3
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert len((tmp_path / "one" / "validation.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(("every", "due"), [(0, []), (1, [0, 1, 2, 3, 4, 5, 6, 7]), (3, [0, 3, 6, 7]), (9, [0, 7])])
def test_validation_is_due_before_the_first_step_every_few_and_after_the_last(tmp_path: Path, every, due):
    validator = validation(tmp_path, every=every)
    assert [step for step in range(8) if validator.is_due(step)] == due


def test_validation_captions_one_sample_and_states_it(tmp_path: Path):
    vases = [vase(number, SHAPES[number % 4]) for number in range(9)]
    validators = [validation(tmp_path, vases=vases, max_vases=4) for _ in range(2)]
    names = [[task.id for task in validator.tasks] for validator in validators]
    assert names[0] == names[1] == sorted(names[0]) and len(names[0]) == 4
    assert names[0] != [task.id for task in validation(tmp_path, vases=vases[:4]).tasks]
    validators[0].record(0, scored(validators[0], HALF_RIGHT, version=1))
    (row,) = Run(tmp_path).validations
    assert (row.num_vases, row.num_split_vases, row.sample_seed) == (4, 9, 5)


def test_drawn_vases_larger_sample_contains_the_smaller():
    vases = [vase(number, "kylix") for number in range(30)]
    samples = [{vase.id for vase in drawn_vases(vases, number, seed=1)} for number in (5, 9, 30)]
    assert [len(sample) for sample in samples] == [5, 9, 30]
    assert samples[0] < samples[1] < samples[2]
    assert samples[0] != {vase.id for vase in drawn_vases(vases, 5, seed=2)}


@pytest.mark.parametrize(
    ("values", "min_gain", "stalled"),
    [
        ([0.5], 0.0, 0),
        ([0.5, 0.6, 0.7], 0.0, 0),
        ([0.5, 0.5, 0.5], 0.0, 2),  # an equal value is no improvement
        ([0.5, 0.7, 0.6, 0.65], 0.0, 2),  # better than the value before, not than the best
        ([0.5, 0.55, 0.59, 0.62], 0.1, 0),  # 0.62 exceeds the reference 0.5 by more than 0.1
        ([0.5, 0.55, 0.59, 0.60], 0.125, 3),
    ],
)
def test_num_stalled_counts_validations_without_improvement(values, min_gain, stalled):
    assert num_stalled(values, min_gain) == stalled


def test_validation_stops_after_validations_without_improvement_also_after_a_resume(tmp_path: Path):
    reasons = []
    for step, captions in [(0, HALF_RIGHT), (2, ALL_RIGHT), (4, ALL_RIGHT), (6, HALF_RIGHT)]:
        validator = validation(tmp_path, stop_after=2)  # a new object knows only the files
        validator.record(step, scored(validator, captions, version=step + 1))
        reasons.append(validator.stop_reason)
    assert reasons[:3] == ["", "", ""]
    assert "validation/reward did not improve in the last 2 validations; the best is" in reasons[3]
    assert "after step 2" in reasons[3] and "stop_after = 2" in reasons[3]
    assert validation(tmp_path).stop_reason == ""  # 0 never stops


def test_validation_stop_reason_names_the_gain(tmp_path: Path):
    for step, captions in [(0, HALF_RIGHT), (2, ALL_RIGHT)]:
        validator = validation(tmp_path, stop_after=1, min_gain=0.9)
        validator.record(step, scored(validator, captions, version=step + 1))
    assert "did not improve by more than 0.9" in validator.stop_reason


def test_validation_metric_of_a_dimension_that_no_caption_states_never_improves(tmp_path: Path, capsys):
    for step in (0, 2):
        validator = validation(tmp_path, metric="accuracy_when_stated/shape", stop_after=1)
        validator.record(step, scored(validator, ["A pot."] * 4, version=step + 1))
    assert "it is undefined" in validator.stop_reason
    assert "accuracy_when_stated/shape undefined" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("rewards", r"'rewards' is unknown; did you mean 'reward'"),
        ("text_cosine", r"'text_cosine' needs validation\.clip_model"),
        ("accuracy/dating", r"no record of the 4 vases of split 'val' states the dating"),
        ("num_tokens", r"'num_tokens' is unknown"),  # more is not better
    ],
)
def test_validation_refuses_a_metric_before_the_run_starts(tmp_path: Path, metric, message):
    with pytest.raises(UserError, match=message):
        validation(tmp_path, metric=metric)
    validation(tmp_path, metric=metric, every=0)  # nothing is validated


def test_validation_of_a_reward_without_dimensions(tmp_path: Path):
    scorer = load_scorer(["tests.fakes.rewards_for_tests:even_tokens"])
    validator = validation(tmp_path)
    values = validator.record(0, scored(validator, HALF_RIGHT, 1, scorer))
    assert {"validation/reward", "validation/lexical_strict"} <= set(values)
    assert not [name for name in values if "accuracy" in name]
    picky = validation(tmp_path, metric="accuracy/shape")
    with pytest.raises(UserError, match=r"'accuracy/shape': the scores of .* have no part 'shape'"):
        picky.record(2, scored(picky, HALF_RIGHT, 3, scorer))
    assert len(Run(tmp_path).validations) == 1


def test_make_validation_refuses_a_data_set_without_enough_vases(tmp_path: Path):
    folder = make_dataset(tmp_path / "data")
    settings = train_settings(num_steps=2, data={"path": str(folder)}, validation={"every": 1})
    with pytest.raises(UserError, match=r"no vase in split 'val' \(splits there: test, train\); set split\.num_val in"):
        make_validation(settings, Run(tmp_path), TRAIN, reward_reader())
    rows = sorted(DataSet(folder).rows, key=lambda row: row.vase_id)
    DataSet(folder).write_rows([replace(rows[0], split="val"), *rows[1:]])
    with pytest.raises(UserError, match=r"only 1 vase in split 'val'.*split\.num_val.*validation\.every = 0"):
        make_validation(settings, Run(tmp_path), TRAIN, reward_reader())
    DataSet(folder).write_rows([*(replace(row, split="val") for row in rows[:2]), *rows[2:]])
    tasks = make_validation(settings, Run(tmp_path), TRAIN, reward_reader()).tasks
    assert [task.id for task in tasks] == ["v00/caption", "v01/caption"]
    off = train_settings(data={"path": str(tmp_path / "nowhere")})
    assert make_validation(off, Run(tmp_path), TRAIN, reward_reader()).tasks == []


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"every": 1, "split": "test"}, "the test split is for `launch evaluate`"),
        ({"every": 1, "split": "train"}, "its vases are trained on"),
        ({"stop_after": 2}, r"stop_after = 2 has an effect with validation\.every > 0 only"),
        ({"every": 1, "min_gain": 0.1}, r"min_gain = 0\.1 has an effect with validation\.stop_after > 0 only"),
    ],
)
def test_validation_settings_refuse(keys, message):
    with pytest.raises(ValueError, match=message):
        train_settings(validation=keys)


def test_validation_row_is_json_without_nan(tmp_path: Path):
    validator = validation(tmp_path)
    validator.record(0, scored(validator, ["A pot."] * 4, version=1))
    text = (tmp_path / "validation.jsonl").read_text()
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text)["metrics"]["dimensions"]["shape"]["accuracy_when_stated"] is None
