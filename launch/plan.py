"""Predicts memory, time, disk and network of a training job: python -m launch plan CONFIG [--cluster 8x8xa100-80]"""

import argparse
import json
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from vaserl.errors import USER_ERROR_EXIT, UserError
from vaserl.planning.hardware import parse_cluster
from vaserl.planning.load import job_load
from vaserl.planning.model_shape import read_shape
from vaserl.planning.plan_words import plan_json, plan_words
from vaserl.planning.remedies import PlannedJob
from vaserl.settings import SftSettings, TrainSettings, load_config

_DOES_NOT_FIT_EXIT = 1
_FRAME_SIZE = 448
PUBLISHED_VASES = 570
"""Vases for training in the published data set of 664, of which test and validation vases are held out."""


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the plan. Returns: exit code 0; 1 if the job does not fit on the cluster; 2 after a UserError."""
    parser = argparse.ArgumentParser(
        prog="python -m launch plan",
        usage="python -m launch plan CONFIG [--cluster 8x8xa100-80] [--with FILE …] [--section.key VALUE …]",
        description="Predicts memory, time, disk and network of a train or sft job. Starts nothing and needs no GPU.",
        allow_abbrev=False,
    )
    parser.add_argument("config", type=Path, metavar="CONFIG", help="TOML file of a train or sft job")
    parser.add_argument("--with", dest="overlays", type=Path, metavar="FILE", action="append", default=[])
    parser.add_argument("--cluster", default="1x1xa100-80", help="NODESxGPUSxKIND[xCPUS] (%(default)s)")
    parser.add_argument("--model", help="sizes, if model.path isn't there yet: shape:3b, shape:7b or a folder")
    parser.add_argument(
        "--frame-size", type=_count, help=f"width of a frame in pixels; default: the data set's, or {_FRAME_SIZE}"
    )
    parser.add_argument(
        "--num-vases", type=_count, help=f"vases for training; default: the data set's, or {PUBLISHED_VASES}"
    )
    parser.add_argument("--text-tokens", type=_count, default=40, help="tokens of a prompt without clip (%(default)s)")
    parser.add_argument("--new-tokens", type=_count, help="mean tokens of a completion; default: the most it can have")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments, overrides = parser.parse_known_args(argv)
    try:
        return _planned(arguments, overrides)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number of 1 or more")
    return int(text)


def _planned(arguments: argparse.Namespace, overrides: Sequence[str]) -> int:
    cluster = parse_cluster(arguments.cluster)
    kind = config_kind(arguments.config)
    settings = load_config(kind, arguments.config, overrides, overlays=arguments.overlays)
    most = settings.rollout.max_new_tokens if isinstance(settings, TrainSettings) else 0
    if arguments.new_tokens and arguments.new_tokens > most:
        raise UserError(
            f"--new-tokens {arguments.new_tokens}: "
            + (
                f"a completion has at most rollout.max_new_tokens = {most}"
                if most
                else "supervised training samples none"
            )
        )
    size, num_vases = data_of(settings)
    job = PlannedJob(
        settings=settings,
        shape=read_shape(arguments.model or settings.model.path),
        cluster=cluster,
        load=job_load(
            settings,
            frame_size=(arguments.frame_size, arguments.frame_size) if arguments.frame_size else size,
            num_text=arguments.text_tokens,
            num_vases=arguments.num_vases or num_vases,
            num_new=arguments.new_tokens,
        ),
    )
    plan = job.plan()
    problems = job.problems(plan)
    remedies = job.remedies() if problems else []
    if arguments.json:
        print(json.dumps(plan_json(plan, problems, remedies), indent=1))
    else:
        print(plan_words(job, plan, problems, remedies))
    return _DOES_NOT_FIT_EXIT if problems else 0


def data_of(settings: TrainSettings | SftSettings) -> tuple[tuple[int, int], int]:
    """Returns width and height of the first training clip of the job's data set, and the number of vases for training;
    those of the published data set if there is no data set yet."""
    from vaserl.dataset import DataSet  # its imports take a second, which --help does not need

    data = DataSet.of_settings(settings.data)
    if not data.exists:
        return (_FRAME_SIZE, _FRAME_SIZE), PUBLISHED_VASES
    vases = data.vases("train")
    size = data.clips.size(vases[0].clip)
    return (size.width, size.height), len(vases)


def config_kind(config: Path) -> type[TrainSettings] | type[SftSettings]:
    """Returns the settings class of a config file of a train or sft job, by the keys that only one of the two has.

    Raises: UserError for the config of another job.
    """
    try:
        keys = tomllib.loads(config.read_text(encoding="utf-8-sig")).keys()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return TrainSettings  # reading the settings explains what is wrong
    train, sft = TrainSettings.model_fields.keys(), SftSettings.model_fields.keys()
    if len(keys - train - sft) > 1:  # one more is a misspelt key
        raise UserError(f"{config} is the config of another job: a train or an sft job is needed")
    return SftSettings if (sft - train) & keys else TrainSettings


if __name__ == "__main__":
    sys.exit(main())
