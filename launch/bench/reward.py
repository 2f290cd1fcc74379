"""Measures how many captions per second the reward scores, on one core and through the pool of Ray actors, and how long
it takes at most to parse a text.

The captions resemble those of a half-trained policy: the eight captions of a task differ, and some facts are wrong,
left out or misspelt. No caption or record occurs twice in a measurement, so the caption parser can't use its cache. The
longest times are those of floods: texts as long as the parser reads, of one kind of word, number or mark.
"""

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from actors.cluster import connect
from actors.placement import placed
from actors.reward import RewardPool
from launch.bench.floods import floods
from vaserl.errors import UserError
from vaserl.planning.requests import actor_request
from vaserl.rewards.vase import VaseReward, parse_caption, reference_caption
from vaserl.rewards.vase.config import ParserConfig
from vaserl.settings import ClusterSettings, RewardSettings
from vaserl.synthetic.record import beazley_record
from vaserl.synthetic.world import traits_of
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Completion, Group, Task

GROUP_SIZE = 8
POOL_SIZES = (1, 2, 4)
NUM_SLOWEST = 5
"""Number of floods that the terminal shows."""
P_WRONG, P_OMITTED, P_MISSPELT = 0.25, 0.1, 0.3
"""Probabilities that a fact is replaced by that of another vase, that a fact is left out, and that a caption lacks a
letter."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set how much is measured."""
    parser.add_argument("--num-tasks", type=int, default=250, help="tasks of 8 captions in a repeat (%(default)s)")
    parser.add_argument("--num-repeats", type=int, default=5, help="repeats, each with other captions (%(default)s)")
    parser.add_argument("--no-pool", action="store_true", help="one core only, without Ray")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures the reward's throughput.

    Returns: `captions_per_second_per_core`, the captions per second of CPU time in the best repeat (CPU time, because
    other programs do not add to it); the spread of the repeats in CPU time and in wall time; and the pool's captions
    per second of wall time, by number of workers. `flood_ms` has the milliseconds of CPU time to parse each flood, the
    median of the repeats, the slowest first.
    """
    if arguments.num_tasks < 1 or arguments.num_repeats < 1:
        raise UserError("--num-tasks and --num-repeats must be at least 1")
    repeats = [make_groups(repeat, arguments.num_tasks) for repeat in range(arguments.num_repeats)]
    one_core = [per_second_on_one_core(groups) for groups in repeats]
    core = rate_spread([cpu for _, cpu in one_core])
    return {
        "captions_per_second_per_core": core["best"],
        "per_core": core,
        "by_the_clock": rate_spread([wall for wall, _ in one_core]),
        "num_captions": arguments.num_tasks * GROUP_SIZE,
        "num_repeats": arguments.num_repeats,
        "num_cores": len(os.sched_getaffinity(0)),
        "flood_ms": flood_milliseconds(arguments.num_repeats),
        "pool": {} if arguments.no_pool else pool_throughput(repeats),
    }


def rate_spread(rates: Sequence[float]) -> dict[str, float]:
    """Returns the best, the median and the lowest of the rates."""
    return {"best": max(rates), "median": statistics.median(rates), "lowest": min(rates)}


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = [f"{measured['num_repeats']} x {measured['num_captions']:,} distinct captions, captions a second:"]
    rows = {"one core, CPU time": measured["per_core"], "one core, by the clock": measured["by_the_clock"]}
    for num_workers, pool in measured["pool"].items():
        rows[f"pool of {num_workers} on {measured['num_cores']} cores"] = pool
    lines += [
        f"{name:24} best {rates['best']:8,.0f}  median {rates['median']:8,.0f}  lowest {rates['lowest']:8,.0f}"
        for name, rates in rows.items()
    ]
    slowest = list(measured["flood_ms"].items())[:NUM_SLOWEST]
    lines.append(f"slowest of {len(measured['flood_ms'])} floods of {ParserConfig().max_chars:,} characters, ms:")
    lines += [f"{name:24} {milliseconds:6.1f}" for name, milliseconds in slowest]
    return "\n".join(lines)


def per_second_on_one_core(groups: Sequence[Group]) -> tuple[float, float]:
    """Scores all groups. Returns: captions per second of wall time and per second of CPU time."""
    reward = VaseReward()
    reward.prepare([group.task.record for group in groups])
    wall, cpu = time.perf_counter(), time.process_time()
    for group in groups:
        for completion in group.completions:
            reward(group.task, completion)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    num_captions = sum(len(group.completions) for group in groups)
    return num_captions / wall, num_captions / cpu


def flood_milliseconds(num_repeats: int) -> dict[str, float]:
    """Parses floods of the greatest length that is parsed. Returns: milliseconds of CPU time, the slowest first."""
    times: dict[str, list[float]] = {}
    for repeat in range(num_repeats):
        for name, text in floods(ParserConfig().max_chars, repeat).items():
            start = time.process_time()
            parse_caption(text)
            times.setdefault(name, []).append(1000 * (time.process_time() - start))
    medians = {name: statistics.median(measured) for name, measured in times.items()}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))


def pool_throughput(repeats: Sequence[Sequence[Group]]) -> dict[str, dict[str, float]]:
    """Scores all groups in the pool of Ray actors. Returns: captions per second, by number of workers.

    The time includes the transfer to the actors and back. Every worker reserves one CPU of the local Ray, even if the
    machine has fewer CPUs.
    """
    cluster = ClusterSettings(num_cpus=max(POOL_SIZES))
    with connect(cluster):
        return {str(num_workers): _through_pool(num_workers, repeats, cluster) for num_workers in POOL_SIZES}


def _through_pool(num_workers: int, repeats: Sequence[Sequence[Group]], cluster: ClusterSettings) -> dict[str, float]:
    settings = RewardSettings(functions=("vaserl.rewards:VaseReward",), num_workers=num_workers, num_cpus=1)
    with placed({"reward": actor_request(settings)}, cluster) as placement:
        pool = RewardPool(settings, placement["reward"])
        pool.wait_until_ready()
        pool.prepare([group.task.record for group in repeats[0]])
        pool.score(make_groups(len(repeats), 4 * num_workers))  # the first call reads the lexicons
        rates = []
        for groups in repeats:
            start = time.perf_counter()
            scored = pool.score(groups)
            seconds = time.perf_counter() - start
            rates.append(sum(len(group.scores) for group in scored) / seconds)
    return rate_spread(rates)


def make_groups(repeat: int, num_tasks: int) -> list[Group]:
    """Returns a group of 8 captions for each of `num_tasks` synthetic vases; other repeats get other vases."""
    rng = np.random.default_rng(repeat)
    first = repeat * num_tasks
    records = [beazley_record(f"v{n}", n, traits_of(0, n)) for n in range(first, first + num_tasks)]
    seen: set[str] = set()
    return [_group(f"v{first + n}", record, records, seen, rng) for n, record in enumerate(records)]


def _group(
    name: str, record: dict[str, str], others: Sequence[dict[str, str]], seen: set[str], rng: np.random.Generator
) -> Group:
    completions = []
    while len(completions) < GROUP_SIZE:
        text = _caption(record, others, rng)
        while text in seen:  # there are few combinations of facts
            text = f"{text} Height {rng.integers(80, 640) / 10} cm, inventory {rng.integers(10**6)}."
        seen.add(text)
        completions.append(Completion(text=text, token_ids=(), logprobs=(), finish_reason="stop", weights_version=0))
    task = Task(
        id=name,
        clip="",
        prompt="Describe the vase.",
        dimensions=DIMENSIONS,
        record=record,
        reference=reference_caption(record),
    )
    return Group(task=task, prompt_ids=(), completions=tuple(completions))


def _caption(record: dict[str, str], others: Sequence[dict[str, str]], rng: np.random.Generator) -> str:
    stated = {}
    for field in FIELD_OF_DIMENSION.values():
        chance = rng.random()
        if chance >= P_OMITTED:
            source = others[int(rng.integers(len(others)))] if chance < P_OMITTED + P_WRONG else record
            stated[field] = source[field]
    text = reference_caption(stated or record)
    if rng.random() < P_MISSPELT:
        place = int(rng.integers(len(text)))
        text = text[:place] + text[place + 1 :]
    return text
