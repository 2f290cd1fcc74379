"""vaserl caption FILE: describes a photograph or a GLB model."""

import argparse
from pathlib import Path

DEFAULT_MODEL = Path("runs/quickstart/export")


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declares the verb."""
    parser = verbs.add_parser("caption", help="describe a photograph (converted to a 3D model first) or a GLB model")
    parser.add_argument("file", type=Path, metavar="FILE", help="a .glb model, or a photograph of one vase")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="model folder (%(default)s)")
    parser.add_argument("--num-frames", type=int, default=4, help="frames the model sees (%(default)s)")
    parser.add_argument("--resolution", type=int, default=112, help="pixels of a frame's side (%(default)s)")
    parser.add_argument("--out", type=Path, help="folder for the GLB, the turntable and the profile drawing")


def run(arguments: argparse.Namespace) -> None:
    """Prints the caption of the file."""
    from vaserl.evaluation.caption_file import caption_file

    print(
        caption_file(
            arguments.file,
            model=arguments.model,
            num_frames=arguments.num_frames,
            resolution=arguments.resolution,
            out_dir=arguments.out,
        )
    )
