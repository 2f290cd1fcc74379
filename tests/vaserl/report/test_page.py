"""Tests the report's page for a realistic run: it fetches nothing, shows every part, and names missing parts."""

import base64
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.finished_run import write_lines
from vaserl.errors import UserError
from vaserl.report import write_report
from vaserl.report.story import validated
from vaserl.runs.quickstart_folder import QuickstartFolder


@pytest.fixture(scope="module")
def page(finished_run: Path) -> str:
    return write_report(QuickstartFolder(finished_run)).read_text()


class Visible(HTMLParser):
    """Parser of a page: its visible text, the addresses that a browser would fetch, and the tags that were left
    open."""

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


def test_page_has_the_numbers(page: str, run_summary: dict[str, Any]) -> None:
    text = Visible(page).text
    reward = run_summary["eval"]["differences"]["rl"]["reward"]
    for value in (run_summary["reward_first"], run_summary["reward_last"]):
        assert f"{value:.3f}" in text
    assert f"+{reward['mean']:.3f} [+{reward['low']:.3f}, +{reward['high']:.3f}]" in text
    assert "1,200" in text and "30,000 → 13,599" in text and "3,880 → 664" in text and "2.2 %" in text
    assert "12 min 22 s" in text and "2.60.0" in text
    assert "Rejected by quality: 9" in text and "a sherd, not a vase" in text


def test_page_escapes_what_models_and_museums_wrote(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#34;vase&#34;)&lt;/script&gt;" in page


def test_page_animates_turntables_and_has_a_still_for_paper(page: str) -> None:
    pictures = [decoded(address) for address in Visible(page).addresses if "webp" in address[:24]]
    animated = [picture for picture in pictures if b"ANMF" in picture]
    assert len(animated) >= 6 and len(pictures) > len(animated)
    assert animated[0].count(b"ANMF") == 12  # every second of the 24 frames, because 16 is the maximum
    assert 'media="print"' in page and 'media="(prefers-reduced-motion: reduce)"' in page


def test_write_report_gives_the_same_page_for_the_same_run(finished_run: Path, page: str) -> None:
    assert write_report(QuickstartFolder(finished_run)).read_text() == page


ABSENT = {
    "sft/metrics.jsonl": "There is no SFT curve: sft/metrics.jsonl is not in this run folder.",
    "grpo/metrics.jsonl": "There is no reward curve: grpo/metrics.jsonl is not in this run folder.",
    "grpo/timeline.jsonl": "There is no timeline: grpo/timeline.jsonl is not in this run folder.",
    "evaluation/captions.jsonl": "no captions to show: evaluation/captions.jsonl is not in this run folder.",
    "dataset/photos/0.png": "The photograph 0.png is missing or is not a picture.",
}


def test_page_names_each_absent_file(finished_run: Path, page: str, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    for name in ABSENT:
        (run / name).unlink()
    text, whole = Visible(write_report(QuickstartFolder(run)).read_text()).text, Visible(page).text
    for sentence in ABSENT.values():
        assert sentence in text and sentence not in whole


def test_page_names_an_absent_manifest(finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    # the two metrics files are removed as well, because their figures take long to draw
    for name in ("dataset/manifest.parquet", "grpo/metrics.jsonl", "sft/metrics.jsonl"):
        (run / name).unlink()
    text = Visible(write_report(QuickstartFolder(run)).read_text()).text
    assert "no turntables to show: dataset/manifest.parquet is not in this run folder" in text


def test_page_of_a_summary_alone_names_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("{}")
    text = Visible(write_report(QuickstartFolder(tmp_path)).read_text()).text
    assert "Can't be decided" in text and "The run was not evaluated" in text
    for part in ("no retention table", "no evaluation per dimension", "no eval", "no seconds", "no versions"):
        assert part in text


def test_page_names_absent_curves_per_dimension(finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    write_lines(run / "grpo" / "metrics.jsonl", [{"step": step, "reward/mean": 0.5} for step in range(1, 13)])
    text = Visible(write_report(QuickstartFolder(run)).read_text()).text
    assert "There are no curves per dimension" in text


def test_write_report_refuses_an_unreadable_run(finished_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"it has no summary\.json"):
        write_report(QuickstartFolder(tmp_path))
    run = shutil.copytree(finished_run, tmp_path / "run")
    (run / "sft" / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    with pytest.raises(UserError, match=r"sft/metrics\.jsonl, line 2 is not JSON"):
        write_report(QuickstartFolder(run))


def test_page_draws_the_validations_beside_the_training_reward(page: str) -> None:
    seen = Visible(page)
    assert "Greedy captions of 24 of the 60 vases of the split val" in seen.text
    assert "The best weights are those after step 30: reward 0.928; the last ones have 0.917." in seen.text
    figures = [decoded(address).decode() for address in seen.addresses if "svg" in address[:24]]
    (figure,) = [figure for figure in figures if "validation, greedy" in figure]
    assert "best: 0.928, step 30" in figure and "training, sampled" in figure


def test_page_of_a_run_without_validation_lacks_the_figure_only(finished_run: Path, page: str, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    (run / "grpo" / "validation.jsonl").unlink()
    (run / "grpo" / "config.toml").unlink()  # as in a run of an earlier version
    other = Visible(write_report(QuickstartFolder(run)).read_text())
    assert "validation" not in other.text.lower() and "validation" in Visible(page).text.lower()
    assert len(other.addresses) == len(Visible(page).addresses) - 1


def test_page_times_the_steps_without_the_validation_before_the_first(page: str) -> None:
    figures = [decoded(address).decode() for address in Visible(page).addresses if "svg" in address[:24]]
    (phases,) = [figure for figure in figures if "publish 0.1" in figure]  # the legend of seconds per step
    assert "validate" not in phases


def test_validated_says_when_the_last_weights_are_the_best(finished_run: Path) -> None:
    rows = QuickstartFolder(finished_run).grpo.validations
    assert validated(rows[:4], "reward").endswith("The last weights are the best: reward 0.928.")
    assert validated(rows, "accuracy/shape") == "" and validated([], "reward") == ""
