"""vaserl why ID: what became of a vase or a photograph."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the verb."""
    parser = verbs.add_parser("why", help="tell what became of a vase or a photograph in curation")
    parser.add_argument("id", metavar="ID", help="vase id, photograph (path, file name or sha256), or clip")
    parser.add_argument(
        "--dataset", type=Path, default=Path(), metavar="DIR", help="the data set (the working directory)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Prints the story. Raises: UserError when the folder is no data set, or knows no such ID."""
    from vaserl.curation.outcome.why import why
    from vaserl.dataset.dataset import MANIFEST
    from vaserl.errors import UserError

    if not (arguments.dataset / MANIFEST).is_file():
        raise UserError(f"{arguments.dataset.absolute()} has no {MANIFEST}; name the data set's folder with --dataset")
    print(why(arguments.dataset, arguments.id))
