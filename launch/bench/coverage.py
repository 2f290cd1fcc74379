"""Measures the evaluation's statistics on simulated benchmarks: coverage of intervals, size and power of tests.

A simulated benchmark has vases with several yes-or-no questions, answered by two systems. A vase's difficulty is shared
by both systems, each system finds some vases harder than others, and the answers to one vase's questions are therefore
correlated. The true difference of the systems is known in closed form. The interval that counts each question as
independent is measured beside the paired interval over vases.
"""

import argparse
from typing import Any

import numpy as np
from scipy.special import ndtr

from launch.bench.timing import circumstances, seconds_of
from vaserl.errors import UserError
from vaserl.statistics.clusters import Clustered
from vaserl.statistics.intervals import Z_95, wilson_interval
from vaserl.statistics.paired import SIGNIFICANCE, PairedComparison, paired_comparisons

VASE_SPREAD = 1.0
"""Standard deviation of a vase's difficulty, on the probit scale of a single answer."""
SYSTEM_SPREAD = 0.7
"""Standard deviation of how much harder one system finds a vase than the other does, on the same scale."""
LEVELS = (0.55, 0.30)
"""Probit of the two systems' right answers to a vase of average difficulty."""
_RESAMPLES = 400
_FLIPS = 999


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options: number and size of the simulated benchmarks."""
    parser.add_argument("--num-benchmarks", type=int, default=1000, help="simulated benchmarks (%(default)s)")
    parser.add_argument("--num-vases", type=int, default=96, help="vases of a benchmark (%(default)s)")
    parser.add_argument("--num-questions", type=int, default=7, help="questions about a vase (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation (%(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Simulates the benchmarks. Returns: the shares of `measure_coverage` and the circumstances."""
    if min(arguments.num_benchmarks, arguments.num_questions) < 1 or arguments.num_vases < 2:
        raise UserError("--num-benchmarks and --num-questions must be at least 1, --num-vases at least 2")
    measured: dict[str, Any] = {}
    shape = arguments.num_benchmarks, arguments.num_vases, arguments.num_questions
    taken = seconds_of(lambda: measured.update(measure_coverage(*shape, seed=arguments.seed)))
    names = ("num_benchmarks", "num_vases", "num_questions", "seed")
    return {**{name: getattr(arguments, name) for name in names}, **measured, "seconds": taken, **circumstances()}


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    titles = {
        "paired": "paired t interval over vases covers the truth",
        "bootstrap": "paired cluster bootstrap covers the truth",
        "naive": "interval over single questions covers the truth",
        "size": "permutation test rejects equal systems at 5 %",
        "power": "permutation test finds the difference at 5 %",
    }
    lines = [
        f"{measured['num_benchmarks']} benchmarks of {measured['num_vases']} vases with {measured['num_questions']} "
        f"questions; true difference {100 * measured['true_difference']:.2f} points"
    ]
    for name, title in titles.items():
        share = measured[name]
        lines.append(f"{title:50} {share['mean']:6.1%}  [{share['low']:.1%}, {share['high']:.1%}]")
    return "\n".join([*lines, f"{measured['seconds']:.1f} s"])


def measure_coverage(num_benchmarks: int, num_vases: int, num_questions: int, *, seed: int) -> dict[str, Any]:
    """Simulates benchmarks of two different and of two equal systems, and applies the evaluation's statistics to each.

    Returns: the true difference, and shares with Wilson intervals: how often the paired t interval ("paired"), the
    paired cluster bootstrap ("bootstrap") and the interval over single questions ("naive") cover the truth, and how
    often the permutation test rejects equal systems ("size") and different ones ("power").
    """
    rng = np.random.default_rng(seed)
    spread = np.sqrt(1 + VASE_SPREAD**2 + SYSTEM_SPREAD**2)
    truth = float(ndtr(LEVELS[0] / spread) - ndtr(LEVELS[1] / spread))
    hits = dict.fromkeys(("paired", "bootstrap", "naive", "size", "power"), 0)
    shape = (num_benchmarks, num_vases, num_questions)
    different, equal = simulate(*shape, LEVELS, rng), simulate(*shape, (LEVELS[0], LEVELS[0]), rng)
    clusters = np.repeat(np.arange(num_vases), num_questions)
    for index in range(num_benchmarks):
        found, of_equal = (
            _compare(answers[:, index], clusters, num_vases, seed=index) for answers in (different, equal)
        )
        hits["paired"] += found.low <= truth <= found.high
        hits["bootstrap"] += found.bootstrap_low <= truth <= found.bootstrap_high
        single = (different[0, index] - different[1, index]).ravel()
        hits["naive"] += abs(single.mean() - truth) <= Z_95 * single.std(ddof=1) / np.sqrt(len(single))
        hits["size"] += of_equal.p <= SIGNIFICANCE
        hits["power"] += found.p <= SIGNIFICANCE
    shares = {name: wilson_interval(int(count), num_benchmarks).as_dict() for name, count in hits.items()}
    return {"true_difference": truth, **shares}


def _compare(answers: np.ndarray, clusters: np.ndarray, num_vases: int, *, seed: int) -> PairedComparison:
    """Compares the two systems of one benchmark. answers: [2, vases, questions]."""
    a, b = ({"right": Clustered.of_items(each.ravel(), clusters, num_vases)} for each in answers)
    found = paired_comparisons(a, b, seed=seed, num_resamples=_RESAMPLES, num_flips=_FLIPS)["right"]
    assert found is not None, "every benchmark has at least two vases"
    return found


def simulate(
    num_benchmarks: int, num_vases: int, num_questions: int, levels: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Returns the right (1) and wrong (0) answers of two systems, float [2, benchmarks, vases, questions].

    levels: probit of each system's right answers to a vase of average difficulty.
    """
    vases = VASE_SPREAD * rng.standard_normal((1, num_benchmarks, num_vases, 1))
    systems = SYSTEM_SPREAD * rng.standard_normal((2, num_benchmarks, num_vases, 1))
    single = rng.standard_normal((2, num_benchmarks, num_vases, num_questions))
    return (np.reshape(levels, (2, 1, 1, 1)) + vases + systems + single > 0).astype(np.float64)
