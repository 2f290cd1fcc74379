"""vaserl caption FILE: describes the vase in a photograph or a GLB file (3D model)."""

import argparse
from pathlib import Path

DEFAULT_MODEL = Path("runs/quickstart/export")


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `caption` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser(
        "caption", help="describe the vase in a photograph (converted to a 3D model first) or a GLB file"
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="a .glb file (3D model), or a photograph of one vase")
    parser.add_argument(
        "--model", type=Path, default=DEFAULT_MODEL, help="folder of the vision-language model (%(default)s)"
    )
    parser.add_argument(
        "--num-frames", type=int, default=4, help="number of turntable frames that the model is given (%(default)s)"
    )
    parser.add_argument(
        "--resolution", type=int, default=112, help="width and height of a frame in pixels (%(default)s)"
    )
    parser.add_argument("--out", type=Path, help="folder for the GLB file, the turntable video and the profile drawing")


def run(arguments: argparse.Namespace) -> None:
    """Prints the caption that a vision-language model generates for the vase in a photograph or GLB file."""
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
