"""vaserl why ID: prints what each curation stage did with a vase or a photograph."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `why` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser("why", help="print what each curation stage did with a vase or a photograph")
    parser.add_argument("id", metavar="ID", help="vase id, photograph (path, file name or sha256), or clip")
    parser.add_argument(
        "--dataset",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="folder of the data set (default: the working directory)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Prints what each curation stage did with the vase or photograph that has the given ID.

    Raises: UserError when the given folder is not a data set, or when the data set does not contain the ID.
    """
    from vaserl.curation.outcome.why import why
    from vaserl.dataset import DataSet
    from vaserl.errors import UserError

    dataset = DataSet(arguments.dataset)
    if not dataset.exists:
        path = dataset.rows.path.absolute()
        raise UserError(f"{path.parent} contains no {path.name}; give the data set's folder with --dataset")
    print(why(dataset, arguments.id))
