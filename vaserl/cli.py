"""The `vaserl` command: what needs no cluster."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vaserl.errors import UserError

USER_ERROR = 2
DEFAULT_MODEL = Path("runs/quickstart/export")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb. Returns: 0, or 2 after printing a user's error."""
    parser = argparse.ArgumentParser(prog="vaserl", description="Greek vases, described by a vision-language model.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    caption = verbs.add_parser("caption", help="describe a photograph (lifted to 3D first) or a GLB model")
    caption.add_argument("file", type=Path, metavar="FILE", help="a .glb model, or a photograph of one vase")
    caption.add_argument(
        "--model", type=Path, default=Path("runs/quickstart/export"), help="model folder (%(default)s)"
    )
    caption.add_argument("--num-frames", type=int, default=4, help="frames the model sees (%(default)s)")
    caption.add_argument("--resolution", type=int, default=112, help="pixels of a frame's side (%(default)s)")
    caption.add_argument("--out", type=Path, help="folder for the GLB, the turntable and the profile drawing")

    render = verbs.add_parser("render", help="render a GLB model's turntable and six views")
    render.add_argument("file", type=Path, metavar="FILE.glb")
    render.add_argument("--out", type=Path, required=True, help="folder for turntable.mp4 and the views")
    render.add_argument("--num-frames", type=int, default=24, help="frames of the turn (%(default)s)")
    render.add_argument("--resolution", type=int, default=448, help="pixels of a frame's side (%(default)s)")

    export = verbs.add_parser("export", help="write a trained run as an ordinary Hugging Face folder")
    export.add_argument("run", type=Path, metavar="RUN", help="folder of a GRPO run")
    export.add_argument("--out", type=Path, required=True, help="new folder")

    arguments = parser.parse_args(argv)
    try:
        _VERBS[arguments.verb](arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    return 0


def _caption(arguments: argparse.Namespace) -> None:
    from vaserl.captioning import caption_file

    print(
        caption_file(
            arguments.file,
            model=arguments.model,
            num_frames=arguments.num_frames,
            resolution=arguments.resolution,
            out_dir=arguments.out,
        )
    )


def _render(arguments: argparse.Namespace) -> None:
    from PIL import Image

    from vaserl.clip import write_mp4
    from vaserl.turntable import Turntable, load_mesh

    mesh = load_mesh(arguments.file)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with Turntable(arguments.resolution) as turntable:
        write_mp4(arguments.out / "turntable.mp4", turntable.spin(mesh, num_frames=arguments.num_frames, fps=12.0))
        for name, image in turntable.six_views(mesh).items():
            Image.fromarray(image).save(arguments.out / f"{name}.png")
    print(arguments.out / "turntable.mp4")


def _export(arguments: argparse.Namespace) -> None:
    from vaserl.export import export_run

    print(export_run(arguments.run, arguments.out))


_VERBS = {"caption": _caption, "render": _render, "export": _export}
