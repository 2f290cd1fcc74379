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
    trained = "default: as in the model's training"
    parser.add_argument("--num-frames", type=int, help=f"number of turntable frames that the model is given; {trained}")
    parser.add_argument("--fps", type=float, help=f"frames per second of the turntable; {trained}")
    parser.add_argument("--resolution", type=int, help=f"width and height of a frame in pixels; {trained}")
    parser.add_argument("--max-pixels", type=int, metavar="N", help="largest photograph to read; default: 50,000,000")
    parser.add_argument(
        "--cutout",
        default="network",
        metavar="METHOD",
        help='how to cut the vase out of a photograph: "network", or the path of a network (%(default)s)',
    )
    parser.add_argument("--out", type=Path, help="folder for the GLB file, the turntable video and the profile drawing")


def run(arguments: argparse.Namespace) -> None:
    """Prints the caption that a vision-language model generates for the vase in a photograph or GLB file, and after it
    the reasons to doubt it, one on a line."""
    from vaserl.evaluation.caption_file import ClipShape, caption_file
    from vaserl.files.photograph import use_pixel_limit

    if arguments.max_pixels:
        use_pixel_limit(arguments.max_pixels)
    shape = ClipShape(num_frames=arguments.num_frames, fps=arguments.fps, resolution=arguments.resolution)
    captioned = caption_file(
        arguments.file, model=arguments.model, shape=shape, out_dir=arguments.out, cutout=arguments.cutout
    )
    print(captioned.caption)
    for note in captioned.notes:
        print(f"  note: {note}")
