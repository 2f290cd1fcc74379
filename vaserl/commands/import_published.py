"""vaserl import-published SRC: imports a data set that was published in the layout of VaseVQA-3D."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `import-published` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser(
        "import-published",
        help="import a data set that was published in the layout of VaseVQA-3D",
        description="SRC holds models/, images/ and annotations/, or a folder of six views for each model and "
        "groundTruth.json. Clips are made from the four views around each vase, or from its 3D model (--turntables).",
    )
    parser.add_argument("source", type=Path, metavar="SRC")
    parser.add_argument("--out", type=Path, required=True, metavar="DATASET", help="folder of the data set to write")
    parser.add_argument(
        "--resolution", type=int, default=224, help="width and height of a frame in pixels (%(default)s)"
    )
    parser.add_argument("--turntables", action="store_true", help="render a turntable video of each 3D model")
    parser.add_argument("--num-frames", type=int, default=16, help="frames of a turntable video (%(default)s)")
    parser.add_argument("--fps", type=float, default=8.0, help="frames per second of a turntable video (%(default)s)")
    parser.add_argument(
        "--num-val",
        type=int,
        default=0,
        metavar="N",
        help="training vases that become validation vases, for a data set published without them (%(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed for drawing unpublished splits (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Writes the imported data set. Prints each rejected vase with the reason. Also prints the number of vases, of
    questions left out, and of records parsed from questions or captions because metadata is missing.

    Returns: exit code 1 if a vase was rejected, else 0.
    """
    from vaserl.curation.published import import_published
    from vaserl.curation.settings import TurntableSettings
    from vaserl.dataset import DataSet

    turntable = None
    if arguments.turntables:
        turntable = TurntableSettings(
            num_frames=arguments.num_frames, fps=arguments.fps, resolution=arguments.resolution
        )
    dataset = DataSet(arguments.out)
    done = import_published(
        arguments.source,
        dataset,
        turntable=turntable,
        resolution=arguments.resolution,
        num_val=arguments.num_val,
        seed=arguments.seed,
    )
    for name, reason in done.rejected.items():
        print(f"{name}: {reason}")
    vases = ", ".join(f"{number:,} {split}" for split, number in done.num_vases.items()) or "none"
    print(f"vases: {vases}; rejected: {len(done.rejected):,}")
    print(f"questions left out, about neither a dimension nor the provenance: {done.num_questions_left_out:,}")
    print(f"records read from questions or captions because metadata is missing: {done.num_records_from_texts:,}")
    return int(bool(done.rejected))
