"""vaserl lathe PHOTO...: makes a 3D model and a profile drawing of the vase in one photograph or several."""

import argparse
from pathlib import Path


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `lathe` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser(
        "lathe", help="make a 3D model (GLB), a turntable video and a profile drawing from photographs of a vase"
    )
    parser.add_argument(
        "photos",
        type=Path,
        nargs="+",
        metavar="PHOTO",
        help="photograph of one vase from the side; up to four, one of each side",
    )
    parser.add_argument(
        "--sides",
        nargs="+",
        choices=["front", "right", "back", "left"],
        help="the side that each photograph shows, in their order; if absent, the lathe finds out",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for model.glb, profile.svg and the pictures")
    parser.add_argument(
        "--height-mm", type=float, help="height of the vase without handles; if absent, the drawing is not to scale"
    )
    parser.add_argument(
        "--wall-mm", type=float, help="measured thickness of the wall; if given, the section is drawn black"
    )
    parser.add_argument(
        "--scale", type=float, default=0.5, help="scale of the drawing; 0.5 prints at 1:2 (%(default)s)"
    )
    parser.add_argument(
        "--resolution", type=int, default=448, help="width and height of a frame in pixels (%(default)s)"
    )
    cutting = parser.add_mutually_exclusive_group()
    cutting.add_argument(
        "--cutout",
        default="network",
        metavar="METHOD",
        help='how to cut out the vase: "network", or the path of a network (%(default)s)',
    )
    cutting.add_argument(
        "--masks",
        type=Path,
        nargs="+",
        metavar="MASK",
        help="masks of the photographs' sizes, in their order: white on the vase, black elsewhere and in handles' gaps",
    )
    parser.add_argument("--max-pixels", type=int, metavar="N", help="largest photograph to read; default: 50,000,000")


def run(arguments: argparse.Namespace) -> None:
    """Writes the 3D model, the profile drawing, the turntable video and pictures of the vase to a folder.

    Prints the number of handles found, the IoU (overlap) of the vase's silhouettes in the 3D model and in the first
    photograph, the sides and the share of the wall that the photographs show, and the warnings.
    """
    import numpy as np
    from PIL import Image

    from vaserl.errors import UserError
    from vaserl.files.clip import write_mp4
    from vaserl.files.photograph import UnreadablePhotograph, decode_photograph, use_pixel_limit
    from vaserl.meshes.cutout.cutout import CutoutError
    from vaserl.meshes.cutout.method import cut_out_whole_vase, load_method, read_mask
    from vaserl.meshes.gate import gate
    from vaserl.meshes.glb import write_glb
    from vaserl.meshes.lathe import LatheError, VaseView, lathe_views, model_fault, profile_drawing
    from vaserl.meshes.lathe.sheet import reconstruction_sheet
    from vaserl.meshes.turntable import TurntableRenderer

    sides = arguments.sides or [None] * len(arguments.photos)
    if len(sides) != len(arguments.photos):
        raise UserError(f"--sides names {len(sides)} sides for {len(arguments.photos)} photographs; name one for each")
    masks = arguments.masks or [None] * len(arguments.photos)
    if len(masks) != len(arguments.photos):
        raise UserError(f"--masks names {len(masks)} masks for {len(arguments.photos)} photographs; name one for each")
    method = load_method(arguments.cutout, "--cutout")
    if arguments.max_pixels:
        use_pixel_limit(arguments.max_pixels)
    images, views, notes = [], [], []
    for path, side, given in zip(arguments.photos, sides, masks, strict=True):
        try:
            photograph = decode_photograph(path, keep_alpha=True)
            image = photograph.image
            found = cut_out_whole_vase(image, method, None if given is None else read_mask(given, image.size))
        except (UnreadablePhotograph, CutoutError) as error:
            raise UserError(f"{path}: {error}") from error
        images.append(np.asarray(image))
        views.append(VaseView(photo=np.asarray(found.photo), mask=found.mask, side=side))
        notes += [f"{path.name}: {note}" for note in photograph.notes]
    names = ", ".join(str(path) for path in arguments.photos)
    try:
        result = lathe_views(views, num_sections=240, texture_size=(2048, 1024))
        drawing = profile_drawing(
            result, height_mm=arguments.height_mm, wall_mm=arguments.wall_mm, scale=arguments.scale
        )
    except (LatheError, ValueError) as error:
        raise UserError(f"{names}: {error}") from error
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_glb(arguments.out / "model.glb", result.mesh)
    (arguments.out / "profile.svg").write_text(drawing)
    with TurntableRenderer(arguments.resolution) as turntable:
        clip = turntable.render_clip(result.mesh, num_frames=24, fps=12.0)
        write_mp4(arguments.out / "turntable.mp4", clip)
        around = clip.frames[::3]
        _save(arguments.out / "turntable.png", np.concatenate([around[:4], around[4:]], axis=1))
        first = result.views[0].index
        sheet = reconstruction_sheet(views[first].photo, result, around[:3])
        Image.fromarray(sheet).save(arguments.out / "sheet.png")
        normals = turntable.render_normal_maps(result.mesh)
        _save(arguments.out / "normals.png", np.concatenate([normals[:3], normals[3:]], axis=1))
    Image.fromarray((result.mask * 255).astype(np.uint8)).save(arguments.out / "mask.png")
    print(
        f"{arguments.out}: {result.num_handles} handles, silhouette IoU {result.silhouette_iou:.3f}, "
        f"shown: {', '.join(result.sides)} ({result.seen_share:.0%} of the wall)"
    )
    for warning in (*notes, *result.warnings):
        print(f"  {warning}")
    if fault := model_fault(result.signs) or gate(result.mesh, images[first]).reason:
        print(f"  a curation would reject the model: {fault}")


def _save(path: Path, columns) -> None:
    """Writes N images side by side to one image file.

    columns: [N, H, W, 3] uint8 RGB, N images of H x W pixels.
    """
    import numpy as np
    from PIL import Image

    Image.fromarray(np.concatenate(list(columns), axis=1)).save(path, optimize=True)
