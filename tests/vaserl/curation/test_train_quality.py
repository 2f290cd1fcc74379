"""Tests the training of the quality filter: labels, split, the files that it writes and that the stage reads."""

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from torchvision.models.resnet import Bottleneck, ResNet

from tests.fakes.curation_stages import over_batches
from tests.fakes.small_filter import CONFIG, SHAPE, training
from vaserl.curation.bodies.quality import Quality, ResNetConfig, decision_of, load_pretrained, load_resnet
from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.settings import QualitySettings
from vaserl.curation.stages.quality import QUALITY
from vaserl.curation.train_quality.calibration import (
    ChosenThreshold,
    choose_threshold,
    probabilities_of,
    temperature_of,
)
from vaserl.curation.train_quality.fit import Epoch, Examples, margins_of
from vaserl.curation.train_quality.labels import Labelled, read_labels, split_by_vase
from vaserl.curation.train_quality.report import ScoredPhotographs, f1_interval, report_of, write_filter_report
from vaserl.curation.train_quality.settings import LabelSettings, TrainQualitySettings
from vaserl.curation.train_quality.train import train_quality
from vaserl.errors import UserError
from vaserl.files.photograph import read_photograph
from vaserl.settings.section import load_config
from vaserl.statistics.calibration import expected_calibration_error

NUM_VASES = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with two sharp checkerboards and a blurred one for each of 24 vases, and a file that is no
    image."""
    root = tmp_path_factory.mktemp("labels")
    for name in ("high", "low"):
        (root / name).mkdir()
    rng = np.random.default_rng(0)
    for vase in range(NUM_VASES):
        for view in range(3):
            squares = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8).repeat(6, 0).repeat(6, 1)
            image = Image.fromarray(squares)
            if view == 2:
                image = image.filter(ImageFilter.GaussianBlur(5))
            image.save(root / ("low" if view == 2 else "high") / f"vase-{vase}_{view}.png")
    (root / "high" / "torn_1.png").write_bytes(b"no image")
    return root


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "quality"
    return out, train_quality(training(folder, out))


def test_train_quality_tells_sharp_from_blurred_and_leaves_everything_beside_the_weights(trained):
    out, report = trained
    assert report.f1.mean > 0.9
    assert report.f1.low <= report.f1.mean <= report.f1.high and report.precision.low < report.precision.mean
    assert report.num_unreadable == 1 and sum(report.num_photographs.values()) == 3 * NUM_VASES
    assert sum(report.confusion.values()) == report.num_photographs["test"]
    assert report.best_epoch == min(report.epochs, key=lambda epoch: epoch.val_loss).number
    text = (out / "report" / "report.md").read_text()
    assert f"| F1 | {report.f1.mean:.3f}" in text and "Expected calibration error" in text
    for name in ("precision_recall.svg", "reliability.svg"):
        assert b"<svg" in (out / "report" / name).read_bytes()
    again = load_config(TrainQualitySettings, out / "train_quality.toml")
    assert again.shape == SHAPE and again.out == out
    assert "torch" in json.loads((out / "versions.json").read_text())


def test_train_quality_no_vase_is_in_two_sets(trained):
    splits: dict[str, set[str]] = {}
    with (trained[0] / "splits.csv").open() as file:
        for row in csv.DictReader(file):
            splits.setdefault(row["vase_id"], set()).add(row["split"])
    assert len(splits) == NUM_VASES and all(len(found) == 1 for found in splits.values())


def test_train_quality_temperature_and_threshold_are_those_of_validation(trained):
    """Recomputes temperature and threshold from the saved weights and the list of splits."""
    out, report = trained
    model, config = load_resnet(out)
    with (out / "splits.csv").open() as file:
        rows = list(csv.DictReader(file))

    def of(split: str) -> tuple[np.ndarray, np.ndarray]:
        chosen = [row for row in rows if row["split"] == split]
        images = np.stack([config.squeezed(read_photograph(Path(row["file"]))) for row in chosen])
        is_good = np.array([row["label"] == "1" for row in chosen])
        seen = Examples(images=images, rows=np.arange(len(images)), is_good=is_good)
        return margins_of(model, config, seen, 32), is_good

    (margins, is_good), test = of("val"), of("test")
    temperature = temperature_of(margins, is_good)
    assert report.temperature == pytest.approx(temperature, rel=1e-3) and abs(temperature - 1) > 0.05
    chosen = choose_threshold(probabilities_of(margins, temperature), is_good, 0.95)
    assert report.threshold.value == pytest.approx(chosen.value, abs=1e-3)
    for name, (found, truth) in {"val": (margins, is_good), "test": test}.items():
        errors = [expected_calibration_error(probabilities_of(found, t), truth) for t in (1.0, temperature)]
        assert report.calibration_error[name] == pytest.approx(errors, abs=1e-3)
    assert report.test_probabilities == pytest.approx(probabilities_of(test[0], temperature).tolist(), abs=1e-3)


def test_report_of_counts_what_passes_its_threshold(tmp_path):
    chosen = ChosenThreshold(value=0.7, precision=0.9, recall=0.8, reached=False)
    # at temperature 2 the probabilities are 0.88, 0.73, 0.62, 0.73, 0.27, 0.12: five good, of which two pass
    margins = 2 * np.array([2.0, 1.0, 0.5, 1.0, -1.0, -2.0])
    is_good = np.array([True, True, True, False, True, True])
    scored = ScoredPhotographs(margins=margins, is_good=is_good, vases=list("abcdef"))
    report = report_of(
        training(tmp_path, tmp_path / "out", target_precision=0.95),
        epochs=[Epoch(number=1, train_loss=0.5, val_loss=0.4)],
        chosen=chosen,
        temperature=2.0,
        num_photographs={"train": 10, "val": 6, "test": 6},
        num_unreadable=0,
        val=scored,
        test=scored,
    )
    assert report.confusion == {
        "true_positives": 2,
        "false_positives": 1,
        "false_negatives": 3,
        "true_negatives": 0,
    }
    assert (report.precision.mean, report.recall.mean) == (pytest.approx(2 / 3), pytest.approx(2 / 5))
    assert report.f1.mean == pytest.approx(2 * 2 / (3 + 5))
    write_filter_report(tmp_path, report)
    text = (tmp_path / "report.md").read_text()
    assert "| good | 2 | 3 |\n| bad | 1 | 0 |" in text


def test_train_quality_goes_on_from_given_weights(trained, folder, tmp_path):
    start = trained[0] / "model.safetensors"
    still = training(folder, tmp_path / "on", init=start, batch_size=32).model_copy(
        update={"num_epochs": 1, "learning_rate": 1e-12}
    )
    train_quality(still)
    before, after = (safetensors.torch.load_file(path) for path in (start, tmp_path / "on" / "model.safetensors"))
    assert torch.allclose(before["layer1.0.conv1.weight"], after["layer1.0.conv1.weight"], atol=1e-6)
    assert torch.allclose(before["fc.weight"], after["fc.weight"], atol=1e-6)


def test_quality_reads_saved_temperature_and_threshold_unless_the_settings_state_others(trained, folder):
    out, report = trained
    saved = decision_of(QualitySettings(path=out))
    assert (saved.temperature, saved.threshold) == (report.temperature, report.threshold.value)
    assert decision_of(QualitySettings(path=out, threshold=0.9, temperature=2.0)).threshold == 0.9
    photo = folder / "high" / "vase-0_0.png"
    as_saved = Quality(QualitySettings(path=out)).probabilities([photo])[0]
    softer = Quality(QualitySettings(path=out, temperature=2 * saved.temperature)).probabilities([photo])[0]
    # logits halved: the odds become their square root
    assert softer / (1 - softer) == pytest.approx((as_saved / (1 - as_saved)) ** 0.5, rel=1e-4)
    rows = [{"photo": str(photo), "rejected_by": "", "reason": ""}]
    (row,) = rows_of(over_batches(QUALITY, Quality, QualitySettings(path=out, threshold=1.0))(batch_of(rows)))
    assert row["rejected_by"] == "quality" and "needed 1" in row["reason"]
    (row,) = rows_of(over_batches(QUALITY, Quality, QualitySettings(path=out, threshold=as_saved))(batch_of(rows)))
    assert not row["rejected_by"], "the threshold is the least that passes"


def test_train_quality_same_seed_trains_the_same_weights(trained, folder, tmp_path):
    train_quality(training(folder, tmp_path / "again"))
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (trained[0] / "model.safetensors").read_bytes()
    with pytest.raises(UserError, match="already contains weights"):
        train_quality(training(folder, tmp_path / "again"))


vase_counts = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)).filter(any), min_size=30, max_size=60)


@settings(max_examples=50)
@given(vase_counts, st.integers(0, 5))
def test_split_by_vase_keeps_vases_whole_and_classes_in_proportion(counts, seed):
    labelled = [
        Labelled(path=Path(f"{vase}_{k}"), vase_id=str(vase), is_good=k < good)
        for vase, (good, bad) in enumerate(counts)
        for k in range(good + bad)
    ]
    if min(sum(good for good, _ in counts), sum(bad for _, bad in counts)) < 20:
        return
    splits = split_by_vase(labelled, (0.6, 0.2, 0.2), seed)
    of_vase: dict[str, set[str]] = {}
    for photograph, split in zip(labelled, splits, strict=True):
        of_vase.setdefault(photograph.vase_id, set()).add(split)
    assert all(len(found) == 1 for found in of_vase.values())
    found = Counter((split, photograph.is_good) for photograph, split in zip(labelled, splits, strict=True))
    for is_good in (True, False):
        total = sum(photograph.is_good == is_good for photograph in labelled)
        for split, share in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
            # a split can miss its share by about one vase
            assert abs(found[split, is_good] - share * total) <= 5
    assert splits == split_by_vase(labelled, (0.6, 0.2, 0.2), seed)


def of_vases(*counts: tuple[int, int]) -> list[Labelled]:
    """Returns labelled photographs: these numbers of good and bad ones for each vase."""
    return [
        Labelled(path=Path(f"{vase}_{k}"), vase_id=str(vase), is_good=k < good)
        for vase, (good, bad) in enumerate(counts)
        for k in range(good + bad)
    ]


def test_split_by_vase_vases_with_many_photographs_are_dealt_out_first_and_equals_by_seed():
    # due are 12 to each set: the vase of 12, and the small ones for the two others
    splits = split_by_vase(of_vases(*[(1, 1)] * 12, (6, 6)), (1 / 3, 1 / 3, 1 / 3), seed=0)
    assert Counter(splits) == {"train": 12, "val": 12, "test": 12}
    alike = of_vases(*[(2, 1)] * 30)
    assert len({tuple(split_by_vase(alike, (0.6, 0.2, 0.2), seed)) for seed in range(3)}) == 3


def test_split_by_vase_too_few_vases_are_an_error():
    with pytest.raises(UserError, match="13 labelled vases are too few: the split val would have 0 bad"):
        split_by_vase(of_vases(*[(2, 0)] * 12, (0, 3)), (0.6, 0.2, 0.2), seed=0)
    labelled = [Labelled(path=Path(str(k)), vase_id="v", is_good=bool(k % 2)) for k in range(10)]
    with pytest.raises(UserError, match="1 labelled vases are too few"):
        split_by_vase(labelled, (0.7, 0.15, 0.15), seed=0)


def test_read_labels_come_from_folders_or_lists(folder, tmp_path):
    found = read_labels(LabelSettings(path=folder))
    assert Counter(photograph.is_good for photograph in found) == {True: 2 * NUM_VASES + 1, False: NUM_VASES}
    assert {photograph.vase_id for photograph in found} == {*(f"vase-{k}" for k in range(NUM_VASES)), "torn"}
    for name in ("high/A_1.PNG", "low/B_1.JPG", "low/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.path.name for p in read_labels(LabelSettings(path=tmp_path))] == ["A_1.PNG", "B_1.JPG"]
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    lines = [{"file": "a.png", "vase_id": "x", "q": 1}, {"file": "b.png", "q": 0}]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "list.csv").write_text("file,vase_id,q\na.png,x,1\nb.png,,0\n")
    for name in ("list.jsonl", "list.csv"):
        found = read_labels(LabelSettings(path=tmp_path / name, label_field="q"))
        assert [(p.path.name, p.vase_id, p.is_good) for p in found] == [("a.png", "x", True), ("b.png", "b", False)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.png,1\nb.png,2\n", r"list\.csv:3: unknown label '2'; .* low, 0, high, 1"),
        ("file,label\na.png,1\na.png,0\n", r"list\.csv:3: a\.png is already listed on line 2"),
        ("file,label\na.png,1\nc.png,0\n", r"list\.csv:3: .*c\.png: no such file"),
        ("file,q\na.png,1\n", r"list\.csv:2: field 'label' is missing or empty; the row has the fields file, q"),
        ("file,label,note\na.png,1,caf\xe9\n", r"list\.csv:2: not UTF-8"),
        ('file,label,note\na.png,1,"two\nlines"\nb.png,2,\n', r"list\.csv:4: unknown label '2'"),
        ("file,label\na.png,1,0\n", r"list\.csv:2: 1 cells more than the header has"),
        ("file,label\na.png,1\n", r"no photograph has a label in labels\.low"),
    ],
)
def test_read_labels_error_in_a_list_names_its_line(tmp_path, text, message):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    (tmp_path / "list.csv").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=message):
        read_labels(LabelSettings(path=tmp_path / "list.csv"))


def test_read_labels_names_unknown_folders_and_missing_labels(folder, tmp_path):
    (tmp_path / "medium").mkdir()
    with pytest.raises(UserError, match=r"unknown class folder 'medium'"):
        read_labels(LabelSettings(path=tmp_path))
    with pytest.raises(UserError, match="expected an existing folder"):
        read_labels(LabelSettings(path=tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="must have no label in common"):
        LabelSettings(path=folder, low=("a",), high=("a",))


def test_train_quality_starts_from_torchvision_weights_of_other_classes(tmp_path):
    theirs = ResNet(Bottleneck, [1, 1, 1, 1], num_classes=1000)  # ResNet-50, but for the number of its blocks
    safetensors.torch.save_file(theirs.state_dict(), tmp_path / "resnet.safetensors")
    ours = load_pretrained(tmp_path / "resnet.safetensors", ResNetConfig(layers=(1, 1, 1, 1)))
    assert torch.equal(ours.layer4[0].conv3.weight, theirs.layer4[0].conv3.weight)
    assert ours.fc.weight.shape == (2, 2048)
    with pytest.raises(UserError, match="not the weights of ResNetConfig"):
        load_pretrained(tmp_path / "resnet.safetensors", CONFIG)
    with pytest.raises(UserError, match="does not exist"):
        load_pretrained(tmp_path / "nowhere.safetensors", CONFIG)


def test_f1_interval_resamples_whole_vases():
    passed = np.array([True, True, False, True])
    is_good = np.array([True, True, True, False])
    one = f1_interval(passed, is_good, ["a"] * 4, seed=0)
    # hits 2, passed 3, good 3: 4 / 6; a single vase leaves nothing to resample
    assert one.mean == one.low == one.high == pytest.approx(2 / 3)
    each = f1_interval(passed, is_good, list("abcd"), seed=0)
    assert each.mean == pytest.approx(2 / 3) and each.low < 0.3 and each.high == 1.0
