"""vaserl export RUN: writes the model that a GRPO run trained, as an ordinary Hugging Face model folder."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `export` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser("export", help="write the model that a run trained as an ordinary Hugging Face folder")
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a GRPO run")
    parser.add_argument("--out", type=Path, required=True, help="folder to create")
    parser.add_argument("--version", type=int, help="version of the weights; default: the last one that is saved")


def run(arguments: argparse.Namespace) -> None:
    """Writes the model of a GRPO run to a new folder and prints the folder's path.

    Raises: UserError when the run's model can't be exported.
    """
    from vaserl.runs.export import export_run
    from vaserl.runs.run import Run

    print(export_run(Run.open(arguments.run), arguments.out, arguments.version))
