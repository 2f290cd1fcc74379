"""vaserl export-hub DATASET: writes a data set as self-contained files for the Hugging Face hub."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `export-hub` with its arguments to the `vaserl` command. The subcommand's earlier name,
    `publish`, still works."""
    parser = verbs.add_parser(
        "export-hub",
        aliases=["publish"],
        help="write a data set as parquet files with pictures, videos and 3D models, for the Hugging Face hub",
        description="Writes a folder that the Hugging Face hub can display and the `datasets` library can load. Vases "
        "whose photographs state no rights are left out and counted.",
    )
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="folder that the curate job wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder to create")
    parser.add_argument(
        "--rights",
        default=".+",
        metavar="REGEX",
        help='export only photographs whose whole rights text matches, such as "CC0.*"; ".*" exports all (%(default)s)',
    )


def run(arguments: argparse.Namespace) -> None:
    """Writes a data set as a folder for the Hugging Face hub. Prints the size and path of each file, and the numbers of
    vases exported, of vases withheld because of their photographs' rights, and of photographs converted."""
    from vaserl.curation.outcome.hub_export import export_to_hub
    from vaserl.dataset import DataSet

    done = export_to_hub(DataSet(arguments.dataset), arguments.out, arguments.rights)
    for path in done.files:
        print(f"{path.stat().st_size / 1e6:8.1f} MB  {path}")
    vases = ", ".join(f"{number:,} {split}" for split, number in done.num_vases.items())
    print(f"vases: {vases}; withheld for their rights: {done.num_withheld:,}")
    if done.num_converted:
        print(f"photographs converted to PNG, because the hub's viewer could not show them: {done.num_converted:,}")
