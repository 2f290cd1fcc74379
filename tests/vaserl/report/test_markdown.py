"""Tests the Markdown table of an evaluation."""

from vaserl.report.markdown import evaluation_markdown


def _measured(mean: float, low: float, high: float) -> dict[str, float]:
    return {"mean": mean, "low": low, "high": high}


def test_evaluation_markdown_aligns_columns_and_marks_differences_that_exclude_zero():
    summary = {
        "num_vases": 96,
        "sft": {"reward": _measured(0.7, 0.65, 0.75), "num_words": _measured(12.0, 11.5, 12.5), "text_fid": 0.4},
        "rl": {"reward": _measured(0.8, 0.75, 0.85), "num_words": _measured(12.1, 11.6, 12.6), "text_fid": 0.3},
        "difference": {"reward": _measured(0.1, 0.05, 0.15), "num_words": _measured(0.1, -0.4, 0.6)},
    }
    head, rule, reward, fid, words, blank, note = evaluation_markdown(summary).splitlines()
    assert len({len(head), len(rule), len(reward), len(fid), len(words)}) == 1
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (reward, fid, words)]
    assert cells[0] == ["reward", "0.700 [0.650, 0.750]", "0.800 [0.750, 0.850]", "+0.100 [+0.050, +0.150] *"]
    assert cells[1] == ["text FID, lower is better", "0.400", "0.300", ""]
    assert cells[2][3] == "+0.1 [−0.4, +0.6]"
    assert (blank, note.partition(".")[0]) == ("", "96 vases")
