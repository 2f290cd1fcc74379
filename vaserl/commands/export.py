"""vaserl export RUN: writes the model that a GRPO run trained, as an ordinary Hugging Face model folder."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `export` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser("export", help="write the model that a run trained as an ordinary Hugging Face folder")
    parser.add_argument(
        "run",
        type=Path,
        metavar="RUN",
        help="folder of a GRPO run, or of weights in it (weights/v00031, checkpoints/step=00030)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to create")
    parser.add_argument(
        "--version",
        metavar="N",
        help='version of the weights, or "best": those with the best validation; default: the last that are saved',
    )
    parser.add_argument(
        "--push", metavar="ORG/NAME", help="upload the folder to the Hugging Face hub; the token is HF_TOKEN"
    )
    parser.add_argument("--public", action="store_true", help="with --push: a new model is public; default: private")


def run(arguments: argparse.Namespace) -> None:
    """Writes the model of a GRPO run to a new folder and prints the folder's path. With --push, uploads it and prints
    its URL.

    Raises: UserError when the run's model can't be exported or uploaded.
    """
    from vaserl.errors import UserError
    from vaserl.files.hub import check_push, push_folder
    from vaserl.runs.chosen_weights import chosen_weights
    from vaserl.runs.export import export_run

    if arguments.push:
        check_push(arguments.push)
    elif arguments.public:
        raise UserError("--public has an effect with --push only")
    chosen, version = chosen_weights(arguments.run, arguments.version)
    print(export_run(chosen, arguments.out, version))
    if arguments.push:
        print(push_folder(arguments.out, arguments.push, is_private=not arguments.public))
