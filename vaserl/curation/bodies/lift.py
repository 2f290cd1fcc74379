"""Makes a 3D model from a photograph with one of five generators, two of which run a neural network from its checkout.

A generator is a callable that gets the photograph's path, the vase's id and the path of the GLB to write. It raises
`LiftFailure` if it can't make a model, which rejects that photograph only.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from vaserl.curation.settings import LiftSettings
from vaserl.curation.stage import Kept, Photograph, Rejected, Verdict
from vaserl.curation.stages.best_view import INSTEAD_OF, OTHER_VIEWS
from vaserl.curation.stages.lift import FAULT, MESH, OTHER_PHOTOS, SEEN_SHARE, SILHOUETTE, place_of_given
from vaserl.dataset import UNFINISHED_MODEL, mesh_name
from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.files.storage import is_for_good, local_copy, no_answer, read_bytes
from vaserl.meshes.cutout.method import check_method, load_method
from vaserl.meshes.generators import (
    CommandSettings,
    Generator,
    GeneratorOfViews,
    Hunyuan3DSettings,
    LatheSettings,
    LiftFailure,
    OtherView,
    TripoSGSettings,
)
from vaserl.meshes.generators.lathe_generator import Lathe


class Lift:
    """Adds the column `mesh`, the path of each vase's GLB relative to the data set.

    Rejects photographs from which no GLB could be made. Also adds `silhouette_iou` if the generator has measured it,
    and `model_fault` if it doesn't believe its own model.
    A generator that uses several photographs also gets the vase's views from other sides, which the column
    `other_views` lists; `other_photos` and `seen_share` then state which of them were used and how much they show.
    """

    def __init__(self, settings: LiftSettings, source: Path | str, dataset: Path) -> None:
        self._generate = build_generator(settings, source)
        self._dataset = dataset

    def judge(self, photograph: Photograph) -> Verdict:
        """Writes the vase's 3D model, and returns the verdict."""
        tried = json.loads(photograph.columns.get(INSTEAD_OF.name) or "[]")
        mesh = mesh_name(photograph.vase_id, 1 + len(tried))
        try:
            measured = self._write(photograph, self._dataset / mesh)
        except LiftFailure as failure:
            return Rejected(reason=str(failure))
        return Kept(columns={MESH.name: mesh, **measured})

    def _write(self, photograph: Photograph, target: Path) -> dict[str, float | str]:
        """Runs the generator in a scratch folder and writes `target` atomically. Returns: what the generator reports,
        by name of the column."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=UNFINISHED_MODEL) as scratch:
            glb = Path(scratch) / "model.glb"
            try:
                measured = self._run(photograph, glb)
            except LiftFailure as failure:
                raise LiftFailure(_same_in_each_run(str(failure).replace(scratch, "…"))) from failure
            content = glb.read_bytes() if glb.is_file() else b""
            if not content.startswith(b"glTF"):
                raise LiftFailure("the generator wrote no GLB")
            write_atomic(target, content)
        return measured

    def _run(self, photograph: Photograph, glb: Path) -> dict[str, float | str]:
        photo = _local(photograph.photo, glb.parent / "0")
        others = json.loads(photograph.columns.get(OTHER_VIEWS.name) or "[]")
        if not isinstance(self._generate, GeneratorOfViews):
            overlap = self._generate(photo, photograph.vase_id, glb)
            return {} if overlap is None else {SILHOUETTE.name: overlap}
        views = [
            OtherView(photo=_local(other["photo"], glb.parent / str(number)), side=other["side"] or None)
            for number, other in enumerate(others, start=1)
        ]
        made = self._generate.from_views(photo, views, glb)
        measured: dict[str, float | str] = {SILHOUETTE.name: made.silhouette_iou, FAULT.name: made.fault}
        if made.used:
            used = [others[index]["photo"] for index in made.used]
            measured |= {OTHER_PHOTOS.name: json.dumps(used, ensure_ascii=False), SEEN_SHARE.name: made.seen_share}
        return measured


class Given:
    """Copies GLBs that exist already: scans, or models that were made elsewhere."""

    def __init__(self, place: Callable[[str], str]) -> None:
        """`place` returns the path or URL of a vase's 3D model, by the vase's id."""
        self._place = place

    def __call__(self, photo: Path, vase_id: str, glb: Path) -> None:
        """Copies the vase's GLB to the path `glb`.

        Raises: LiftFailure if there is no such file; UserError if its storage fails temporarily, see `is_for_good`.
        """
        place = self._place(vase_id)
        try:
            glb.write_bytes(read_bytes(place))
        except OSError as error:
            if not is_for_good(error):
                raise no_answer(place, error) from error
            raise LiftFailure(f"no model given: {place}") from error


class Command:
    """Runs a program that takes an image and writes a GLB, in a process session that is killed as a whole."""

    def __init__(self, settings: CommandSettings) -> None:
        self._settings = settings

    def __call__(self, photo: Path, vase_id: str, glb: Path) -> None:
        arguments = [part.replace("{photo}", str(photo)).replace("{glb}", str(glb)) for part in self._settings.command]
        problem, num_retries = "", self._settings.num_retries
        for _ in range(1 + num_retries):
            problem = self._run(arguments)
            if not problem:
                return
            glb.unlink(missing_ok=True)
        tries = f", {1 + num_retries} attempts" if num_retries else ""
        raise LiftFailure(f"{Path(arguments[0]).name} {problem}{tries}")

    def _run(self, arguments: list[str]) -> str:
        """Runs the program once. Returns: "" after success, else a description of what went wrong."""
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            try:
                code = process.wait(self._settings.timeout_s)
            except subprocess.TimeoutExpired:
                return f"was killed after {self._settings.timeout_s:g} s"
            finally:
                _kill_session(process)
            if code == 0:
                return ""
            log.seek(max(log.tell() - 2000, 0))
            lines = log.read().decode(errors="replace").strip().splitlines()
            return f"ended with code {code}: {lines[-1] if lines else 'it printed nothing'}"


def build_generator(settings: LiftSettings, source: Path | str) -> Generator:
    """Builds the generator that the settings select.

    Raises: UserError if the generator's program, checkout, weights or device, or the network that cuts out, is
    missing.
    """
    place, arguments = place_of_given(settings, source), settings.arguments
    if place is not None:
        return Given(place)
    if isinstance(arguments, CommandSettings):
        if shutil.which(arguments.command[0]) is None:
            raise UserError(f"lift.generator_args.command: no program {arguments.command[0]!r} found on this machine")
        return Command(arguments)
    if isinstance(arguments, TripoSGSettings):
        from vaserl.meshes.generators.triposg import TripoSG  # imports torch, which the other generators don't need

        return TripoSG(arguments, load_method(arguments.cutout))
    if isinstance(arguments, Hunyuan3DSettings):
        from vaserl.meshes.generators.hunyuan3d import Hunyuan3D

        return Hunyuan3D(arguments, load_method(arguments.cutout))
    assert isinstance(arguments, LatheSettings)
    return Lathe(load_method(arguments.cutout))


def check_generator(settings: LiftSettings, source: Path | str) -> None:
    """Checks that the generator can be built, but loads no neural network and needs no GPU.

    Raises: UserError if the generator's program, checkout, weights or device, or the network that cuts out, is
    missing.
    """
    arguments = settings.arguments
    if isinstance(arguments, TripoSGSettings):
        from vaserl.meshes.generators.triposg import check_triposg

        check_triposg(arguments)
        check_method(arguments.cutout)
    elif isinstance(arguments, Hunyuan3DSettings):
        from vaserl.meshes.generators.hunyuan3d import check_hunyuan3d

        check_hunyuan3d(arguments)
        check_method(arguments.cutout)
    elif isinstance(arguments, LatheSettings):
        check_method(arguments.cutout)
    else:
        build_generator(settings, source)


def _same_in_each_run(message: str) -> str:
    """Returns a program's message without addresses of objects and paths of temporary files, which differ between runs
    and would make two manifests of the same photographs differ."""
    message = re.sub(r"\b0x[0-9a-fA-F]{6,}\b", "0x…", message)
    return re.sub(rf"{re.escape(tempfile.gettempdir().rstrip('/'))}/[^\s'\",;:)>]*", "…", message)


def _local(place: str, folder: Path) -> Path:
    """Returns a local path of the photograph at a path or URL; a remote one is copied to the new folder `folder`."""
    folder.mkdir()
    try:
        return local_copy(place, folder)
    except OSError as error:
        raise no_answer(place, error) from error


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kills all processes of the program's session, even after a clean exit.

    A child process that the program left running would keep its GPU memory.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
