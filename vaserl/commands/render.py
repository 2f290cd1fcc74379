"""vaserl render FILE.glb: renders a turntable video and six views of a 3D model."""

import argparse
import sys
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `render` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser("render", help="render a turntable video and six views of a 3D model")
    parser.add_argument("file", type=Path, metavar="FILE.glb")
    parser.add_argument("--out", type=Path, required=True, help="folder for turntable.mp4 and the views")
    parser.add_argument("--num-frames", type=int, default=24, help="number of frames of the video (%(default)s)")
    parser.add_argument(
        "--resolution", type=int, default=448, help="width and height of a frame in pixels (%(default)s)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Writes a turntable video and six still views of a 3D model to a folder, and prints the video's path."""
    from PIL import Image

    from vaserl.errors import UserError
    from vaserl.files.clip import write_mp4
    from vaserl.meshes.film import ONE_COLOUR, film_fault
    from vaserl.meshes.glb import load_mesh
    from vaserl.meshes.turntable import TurntableRenderer

    mesh = load_mesh(arguments.file)
    with TurntableRenderer(arguments.resolution) as turntable:
        clip = turntable.render_clip(mesh, num_frames=arguments.num_frames, fps=12.0)
        fault = film_fault(mesh, clip)
        if fault == ONE_COLOUR:
            print(f"{arguments.file}: {fault}", file=sys.stderr)
        elif fault:
            raise UserError(f"{arguments.file}: {fault}; look at the model in a viewer and export it again")
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_mp4(arguments.out / "turntable.mp4", clip)
        for name, image in turntable.render_six_views(mesh).items():
            Image.fromarray(image).save(arguments.out / f"{name}.png")
    print(arguments.out / "turntable.mp4")
