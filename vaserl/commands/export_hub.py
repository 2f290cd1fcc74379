"""vaserl export-hub DATASET: a data set as self-contained files for the Hugging Face hub."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the verb; `publish` is its earlier name."""
    parser = verbs.add_parser(
        "export-hub",
        aliases=["publish"],
        help="write a data set as parquet files that hold pictures, turntables and models, for the hub",
        description="Writes a folder that the Hugging Face hub shows and `datasets` loads from anywhere. Vases whose "
        "photographs state no rights are left out and counted.",
    )
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="folder that the curate job wrote")
    parser.add_argument("--out", type=Path, required=True, help="new folder")
    parser.add_argument(
        "--rights",
        default=".+",
        metavar="REGEX",
        help='export photographs whose rights match it wholly, such as "CC0.*"; ".*" exports all (%(default)s)',
    )


def run(arguments: argparse.Namespace) -> None:
    """Writes the folder and prints what is in it."""
    from vaserl.curation.outcome.hub_export import export_to_hub
    from vaserl.dataset import DataSet

    done = export_to_hub(DataSet(arguments.dataset), arguments.out, arguments.rights)
    for path in done.files:
        print(f"{path.stat().st_size / 1e6:8.1f} MB  {path}")
    vases = ", ".join(f"{number:,} {split}" for split, number in done.num_vases.items())
    print(f"vases: {vases}; withheld for their rights: {done.num_withheld:,}")
