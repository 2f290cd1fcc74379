"""vaserl why ID: what became of a vase or a photograph."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the verb."""
    parser = verbs.add_parser("why", help="tell what became of a vase or a photograph in curation")
    parser.add_argument("id", metavar="ID", help="vase id, photograph (path, file name or sha256), or clip")
    parser.add_argument("--dataset", type=Path, default=Path(), metavar="DIR", help="the data set (this folder)")


def run(arguments: argparse.Namespace) -> None:
    """Prints the story."""
    from vaserl.why import why

    print(why(arguments.dataset, arguments.id))
