"""vaserl import-published SRC: imports a data set in the layout of VaseVQA-3D."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the verb."""
    parser = verbs.add_parser(
        "import-published",
        help="import a data set that was published in the layout of VaseVQA-3D",
        description="SRC holds models/, images/ and annotations/, or a folder of six views for each model and "
        "groundTruth.json. Clips are made of the four views around each vase, unless its models are filmed.",
    )
    parser.add_argument("source", type=Path, metavar="SRC")
    parser.add_argument("--out", type=Path, required=True, metavar="DATASET", help="folder of the data set to write")
    parser.add_argument("--resolution", type=int, default=224, help="pixels of a frame's side (%(default)s)")
    parser.add_argument("--turntables", action="store_true", help="film the models")
    parser.add_argument("--num-frames", type=int, default=16, help="of a turntable (%(default)s)")
    parser.add_argument("--fps", type=float, default=8.0, help="of a turntable (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="draws the splits where none are published (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Writes the data set and prints what became of its vases. Returns: 1 if a vase was rejected, else 0."""
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
        arguments.source, dataset, turntable=turntable, resolution=arguments.resolution, seed=arguments.seed
    )
    for name, reason in done.rejected.items():
        print(f"{name}: {reason}")
    vases = ", ".join(f"{number:,} {split}" for split, number in done.num_vases.items()) or "none"
    print(f"vases: {vases}; rejected: {len(done.rejected):,}")
    print(f"questions about other things, left out: {done.num_questions_left_out:,}")
    print(f"records read from questions or captions, where metadata is missing: {done.num_records_from_texts:,}")
    return int(bool(done.rejected))
