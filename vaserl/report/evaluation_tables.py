"""The tables of an evaluation: metrics of each system, differences from the baseline, the published evaluation."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vaserl.errors import UserError
from vaserl.report.paper_rows import PAPER_NOTE, PAPER_ROWS
from vaserl.report.table_formats import Table
from vaserl.report.tables import METRIC_TITLES
from vaserl.report.words import count, difference, dig, number, percent, with_interval
from vaserl.types import DIMENSIONS

NOTHING = "–"
_SHARES = ("failed", "unread", "recall_")
_DIMENSION_TITLES = {
    "accuracy": "{} right",
    "stated": "{} stated",
    "accuracy_when_stated": "{} right when stated",
    "accuracy_when_both_state": "{} right where both state it",
}
_COLUMNS = (
    *("system", "metric", "mean", "low", "high", "bootstrap_low", "bootstrap_high", "num_values", "num_clusters"),
    *("chance", "noise_floor", "baseline", "difference", "difference_low", "difference_high", "p", "p_holm", "test"),
    *("wins", "ties", "losses", "detectable", "verdict"),
)


def evaluation_tables(result: Mapping[str, Any]) -> list[Table]:
    """Returns the tables of one evaluation. result: content of evaluation.json.

    The published rows are a table of their own, which appears only with a table of the same metrics of the systems.
    """
    tables = [_metrics(result)]
    if result["differences"]:
        tables.append(_differences(result))
    if result.get("answers"):
        tables.append(_questions(result))
    if result.get("paper"):
        tables += [_paper(result), _published()]
    return tables


def to_csv(result: Mapping[str, Any]) -> str:
    """Returns the metrics and differences as CSV, one line for each system and metric, with all digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for metric in _metric_keys(result):
        for system in result["systems"]:
            measured = dig(result["systems"], system, *metric)
            change = dig(result["differences"], system, *metric)
            if measured is None and change is None:
                continue
            known = {"mean": measured} if isinstance(measured, int | float) else dict(measured or {})
            row = {
                **known,
                "system": system,
                "metric": "/".join(metric),
                "chance": _chance(result, metric, system),
                "noise_floor": _floor(result, metric, system),
            }
            if change:
                row |= {f"difference{end}": change[bound] for end, bound in _BOUNDS.items()}
                row |= {name: change[name] for name in _COLUMNS if name in change and name not in known}
                row["baseline"] = result["baseline"]
            writer.writerow({name: row.get(name) for name in _COLUMNS})
    return text.getvalue()


_BOUNDS = {"": "mean", "_low": "low", "_high": "high"}


def merged_results(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns one result with the systems of several evaluations, for one table; without differences, because the vases
    of different evaluations aren't compared one by one.

    results: content of evaluation.json by the name of its file. Raises: UserError if the evaluations differ in anything
    that makes their numbers incomparable, such as data or prompt, or if two systems have one name.
    """
    (first, one), *others = results.items()
    for name, other in others:
        differing = [key for key in one["comparable"] if one["comparable"][key] != other["comparable"].get(key)]
        if differing:
            raise UserError(
                f"{name} can't stand in one table with {first}: they differ in {', '.join(differing)}. Evaluate the "
                "systems in one run, or with the same data, prompt and metrics"
            )
    systems: dict[str, Any] = {}
    for name, result in results.items():
        for system, metrics in result["systems"].items():
            if system in systems:
                raise UserError(f"{name}: another file has a system {system!r} too; rename one in its config")
            systems[system] = metrics
    paper = {s: scores for result in results.values() for s, scores in (result.get("paper") or {}).items()}
    return {**one, "systems": systems, "differences": {}, "answers": None, "paper": paper}


def _metrics(result: Mapping[str, Any]) -> Table:
    systems = list(result["systems"])
    rows = []
    for metric in _metric_keys(result):
        found = [dig(result["systems"], system, *metric) for system in systems]
        if all(value is None for value in found) or metric[-1] == "accuracy_when_both_state":
            continue
        sizes = {_size(value, result) for value in found if value is not None}
        levels = [_chance(result, metric, system) for system in systems]
        levels = [_floor(result, metric, s) for s in systems] if levels == [None] * len(levels) else levels
        known = [_plain(level, metric) for level in levels if level is not None]
        rows.append(
            (
                _title(metric),
                " / ".join(sorted(sizes)),
                " / ".join(dict.fromkeys(known)) or NOTHING,
                *(_cell(value, metric) for value in found),
            )
        )
    return Table(
        title="Metrics",
        head=("metric", "n", "chance or floor", *systems),
        rows=tuple(rows),
        note=(
            f"{result['num_vases']} vases, which are the independent units (clusters). In brackets: 95 % intervals, "
            "Wilson's for shares of vases, otherwise Student's t over the vases. Chance: what the metric gives if each "
            "caption is compared with another vase's reference, and for a dimension, the better guess without a video. "
            "Floor: for the FID, what two samples of the references' own distribution score, because it is biased "
            "upwards; for the kernel distance, which is unbiased, what chance exceeds in 5 %. The FID has no interval: "
            "its bias makes that of a bootstrap wrong."
        ),
    )


def _differences(result: Mapping[str, Any]) -> Table:
    rows = []
    for metric in _metric_keys(result):
        for system, changes in result["differences"].items():
            change = dig(changes, *metric)
            if change is None:
                continue
            p = f"{change['p']:.2g}" + (f" ({change['p_holm']:.2g})" if change.get("p_holm") is not None else "")
            rows.append(
                (
                    _title(metric),
                    system,
                    difference(change, _digits(metric)),
                    p,
                    f"{change['wins']} / {change['ties']} / {change['losses']}",
                    number(change["detectable"], _digits(metric)),
                    _word(change, metric),
                )
            )
    return Table(
        title=f"Differences from {result['baseline']}, paired by vase",
        head=("metric", "system", "difference", "p (Holm)", "wins / ties / losses", "detectable", "finding"),
        rows=tuple(rows),
        note=(
            "95 % intervals: Student's t over the vases' differences. p: McNemar's exact test for shares, otherwise a "
            "test that flips the signs of the vases' differences; in brackets after Holm's correction over the six "
            "dimensions. Detectable: smallest true difference that is found with probability 0.8. A difference is "
            "found if its interval excludes 0 and p is at most 0.05."
        ),
    )


def _questions(result: Mapping[str, Any]) -> Table:
    rows = []
    for system, topics in result["answers"]["systems"].items():
        for topic, found in topics.items():
            cells = [_cell(found.get(name), ("failed",)) for name in ("right", "exact", "anls", "date_iou")]
            error = found.get("calibration_error")
            rows.append(
                (topic, system, _size(found["exact"], result), *cells, NOTHING if error is None else number(error))
            )
    return Table(
        title="Answers to questions",
        head=("question about", "system", "n", "right", "exact", "ANLS", "date IoU", "calibration error"),
        rows=tuple(rows),
        note=(
            "Right: by the reward's reading of the answer. Calibration error: expected difference between the "
            "probability that the model gave its answer and the share of exact answers, over ten bins."
        ),
    )


def _paper(result: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            system,
            count(scores["num_pairs"]),
            NOTHING if scores["fid"] is None else number(scores["fid"]),
            number(scores["clip"]),
            *(f"{100 * scores[f'recall_at_{k}']:.2f}" for k in (10, 5, 1)),
            number(scores["lexical"]),
            number(scores["overall"]),
        )
        for system, scores in result["paper"].items()
    )
    return Table(
        title="The published evaluation, applied to these systems",
        head=("system", "N", "FID", "CLIP", "R@10", "R@5", "R@1", "lexical", "overall"),
        rows=rows,
        note=(
            "The published script's definitions with all its quirks: N and the pool shrink with each failure, so rows "
            "of different N don't compare."
        ),
    )


def _published() -> Table:
    rows = tuple(
        (
            row.system,
            number(row.fid),
            number(row.clip),
            *(f"{recall:.2f}" for recall in (row.recall_at_10, row.recall_at_5, row.recall_at_1)),
            number(row.lexical),
        )
        for row in PAPER_ROWS
    )
    head = ("published system", "FID", "CLIP", "R@10", "R@5", "R@1", "lexical")
    return Table(title="Rows of the paper, not measured here", head=head, rows=rows, note=PAPER_NOTE)


def _metric_keys(result: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yields the keys of the metrics in the order of the rows: reward, failures, dimensions, then the others."""
    first = ("reward", "failed")
    yield from ((name,) for name in first)
    for dimension in DIMENSIONS:
        yield from (("dimensions", dimension, name) for name in _DIMENSION_TITLES)
    yield from ((name,) for name in METRIC_TITLES if name not in first)


def _title(metric: Sequence[str]) -> str:
    return METRIC_TITLES[metric[0]] if len(metric) == 1 else _DIMENSION_TITLES[metric[2]].format(metric[1])


def _is_share(metric: Sequence[str]) -> bool:
    return metric[0] == "dimensions" or metric[0].startswith(_SHARES)


def _digits(metric: Sequence[str]) -> int:
    return 1 if metric[0] == "num_words" else 3


def _plain(value: float, metric: Sequence[str]) -> str:
    return percent(value) if _is_share(metric) else number(value, _digits(metric))


def _cell(value: Any, metric: Sequence[str]) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, int | float):
        return number(value)
    if _is_share(metric):
        low, high = max(value["low"], 0.0), min(value["high"], 1.0)  # Student's t may exceed what is possible
        return f"{percent(value['mean'])} [{100 * low:.0f}, {100 * high:.0f}]"
    return with_interval(value, _digits(metric))


def _size(value: Any, result: Mapping[str, Any]) -> str:
    if not isinstance(value, Mapping) or "num_values" not in value:
        return count(result["num_vases"])
    values, clusters = value["num_values"], value.get("num_clusters", value["num_values"])
    return count(values) if values == clusters else f"{count(values)} of {count(clusters)} vases"


def _chance(result: Mapping[str, Any], metric: Sequence[str], system: str) -> float | None:
    if metric[0] == "reward":
        return dig(result, "constant_answer", "reward")
    if metric[-1] == "accuracy":
        guesses = [dig(result, "baselines", metric[1], name, "mean") for name in ("majority", "guess_from_others")]
        return max((guess for guess in guesses if guess is not None), default=None)
    if metric[-1] == "accuracy_when_stated":
        return dig(result["systems"], system, "dimensions", metric[1], "guess_when_stated", "mean")
    return dig(result["systems"], system, "chance", metric[0])


def _floor(result: Mapping[str, Any], metric: Sequence[str], system: str) -> float | None:
    if metric[0] == "text_kernel_distance":
        return dig(result["systems"], system, "text_kernel_distance", "floor")
    return dig(result, "noise_floor", metric[0])


def _word(change: Mapping[str, Any], metric: Sequence[str]) -> str:
    """Returns the verdict; where a larger value is neither better nor worse, only the direction."""
    if change["verdict"] == "inconclusive":
        return "inconclusive"
    if metric[0] in ("failed", "unread"):
        return {"better": "worse", "worse": "better"}[change["verdict"]]
    if metric[0] == "num_words" or metric[-1] == "stated":
        return {"better": "more", "worse": "fewer"}[change["verdict"]]
    return change["verdict"]
