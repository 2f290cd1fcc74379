"""From a photograph to a 3D model: one interface, five generators, of which two are other people's models.

A generator is called with the row's photograph and the path of the GLB that it is to write; it raises `LiftFailure`
where it can't, which costs that row and nothing else.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vaserl.curation.job.batch import RowBatch, rejecting, remaining, with_column
from vaserl.curation.settings import LiftSettings
from vaserl.dataset import UNFINISHED_MODEL, DataSet, mesh_name
from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.files.photograph import read_photograph
from vaserl.files.storage import is_for_good, joined, local_copy, no_answer, read_bytes
from vaserl.meshes.generators import Generator, LiftFailure, TripoSGSettings
from vaserl.meshes.glb import write_glb
from vaserl.meshes.lathe import LatheError, lathe

STAGE = "lift"
SILHOUETTE = "silhouette_iou"


class Lift:
    """Adds `mesh`, the path of each vase's GLB relative to the data set, and rejects rows without one.

    Also adds `silhouette_iou` where the generator has measured it.
    """

    def __init__(self, settings: LiftSettings, source: Path | str, dataset: Path) -> None:
        self._generate = build_generator(settings, source)
        self._dataset = dataset

    def __call__(self, batch: RowBatch) -> RowBatch:
        meshes: dict[int, str] = {}
        overlaps: dict[int, float] = {}
        reasons: dict[int, str] = {}
        DataSet(self._dataset).models.mkdir(parents=True, exist_ok=True)
        for index in remaining(batch):
            mesh = mesh_name(batch["vase_id"][index])
            try:
                overlap = self._write(batch["photo"][index], batch["vase_id"][index], self._dataset / mesh)
                meshes[index] = mesh
                overlaps[index] = float("nan") if overlap is None else overlap
            except LiftFailure as failure:
                reasons[index] = str(failure)
        lifted = with_column(with_column(batch, "mesh", meshes, ""), SILHOUETTE, overlaps, float("nan"))
        return rejecting(lifted, STAGE, reasons)

    def _write(self, photo: str, vase_id: str, target: Path) -> float | None:
        """The generator writes aside, where its own litter goes too; what it wrote is taken when it is whole."""
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=UNFINISHED_MODEL) as scratch:
            glb = Path(scratch) / "model.glb"
            try:
                local = local_copy(photo, Path(scratch))
            except OSError as error:
                raise no_answer(photo, error) from error
            try:
                overlap = self._generate(local, vase_id, glb)
            except LiftFailure as failure:  # a program may name its file, whose folder is another one each time
                raise LiftFailure(str(failure).replace(scratch, "…")) from failure
            content = glb.read_bytes() if glb.is_file() else b""
            if not content.startswith(b"glTF"):
                raise LiftFailure("the generator wrote no GLB")
            write_atomic(target, content)
        return overlap


def turn_on_the_lathe(photo: Path, vase_id: str, glb: Path) -> float:
    """The vase from its outline: see `vaserl.meshes.lathe`."""
    try:
        result = lathe(np.asarray(read_photograph(photo, keep_alpha=True)))
    except LatheError as error:
        raise LiftFailure(str(error)) from error
    write_glb(glb, result.mesh)
    return result.silhouette_iou


class Given:
    """Takes GLBs that exist: scans, or what a generator elsewhere has made.

    Raises: UserError where a file system gives no answer, see `is_for_good`.
    """

    def __init__(self, pattern: str, folder: str) -> None:
        self._pattern, self._folder = pattern, folder

    def __call__(self, photo: Path, vase_id: str, glb: Path) -> None:
        place = self.place(vase_id)
        try:
            glb.write_bytes(read_bytes(place))
        except OSError as error:
            if not is_for_good(error):
                raise no_answer(place, error) from error
            raise LiftFailure(f"no model given: {place}") from error

    def place(self, vase_id: str) -> str:
        """Path or URL where the vase's model ought to be."""
        return joined(self._folder, self._pattern.format(vase_id=vase_id))


class Command:
    """Runs any program that takes an image and writes a GLB, in a session of its own that can be killed whole."""

    def __init__(self, command: tuple[str, ...], timeout_s: float, num_retries: int) -> None:
        self._command, self._timeout_s, self._num_retries = command, timeout_s, num_retries

    def __call__(self, photo: Path, vase_id: str, glb: Path) -> None:
        arguments = [part.replace("{photo}", str(photo)).replace("{glb}", str(glb)) for part in self._command]
        problem = ""
        for _ in range(1 + self._num_retries):
            problem = self._run(arguments)
            if not problem:
                return
            glb.unlink(missing_ok=True)
        tries = f", {1 + self._num_retries} attempts" if self._num_retries else ""
        raise LiftFailure(f"{Path(arguments[0]).name} {problem}{tries}")

    def _run(self, arguments: list[str]) -> str:
        """ "" after success, else what went wrong."""
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            try:
                code = process.wait(self._timeout_s)
            except subprocess.TimeoutExpired:
                return f"was killed after {self._timeout_s:g} s"
            finally:
                _kill_session(process)
            if code == 0:
                return ""
            log.seek(max(log.tell() - 2000, 0))
            said = log.read().decode(errors="replace").strip().splitlines()
            return f"ended with code {code}: {said[-1] if said else 'it said nothing'}"


def build_generator(settings: LiftSettings, source: Path | str) -> Generator:
    """The generator that the settings name.

    Raises: UserError when its program, checkout, weights or device isn't there.
    """
    if settings.generator == "given":
        return Given(settings.given, str(source))
    if settings.generator == "command":
        if shutil.which(settings.command[0]) is None:
            raise UserError(f"lift.command: no program {settings.command[0]!r} on this machine")
        return Command(settings.command, settings.timeout_s, settings.num_retries)
    if settings.generator == "triposg":
        from vaserl.meshes.generators.triposg import TripoSG  # torch, which the others can do without

        assert settings.triposg is not None  # what the settings check
        return TripoSG(settings.triposg)
    if settings.generator == "hunyuan3d":
        from vaserl.meshes.generators.hunyuan3d import Hunyuan3D

        assert settings.hunyuan3d is not None
        return Hunyuan3D(settings.hunyuan3d)
    return turn_on_the_lathe


def check_generator(settings: LiftSettings, source: Path | str) -> None:
    """Whether the generator could be built, without loading a model or asking for its GPU. Raises: UserError."""
    if settings.triposg is not None and settings.generator == "triposg":
        from vaserl.meshes.generators.triposg import check_triposg

        check_triposg(settings.triposg)
    elif settings.hunyuan3d is not None and settings.generator == "hunyuan3d":
        from vaserl.meshes.generators.hunyuan3d import check_hunyuan3d

        check_hunyuan3d(settings.hunyuan3d)
    else:
        build_generator(settings, source)


def place_of_given(settings: LiftSettings, source: Path | str) -> Callable[[str], str] | None:
    """Where a vase's model ought to be, by the vase's id; None where models are made and not given."""
    return Given(settings.given, str(source)).place if settings.generator == "given" else None


def weights_of(settings: LiftSettings) -> list[Path]:
    """Folders with the weights of the generator's networks, their parts one level down; none for the others."""
    model = {"triposg": settings.triposg, "hunyuan3d": settings.hunyuan3d}.get(settings.generator)
    if model is None:
        return []
    folders = [model.weights, *([model.rmbg] if isinstance(model, TripoSGSettings) and model.rmbg else [])]
    return [part for folder in folders for part in (folder, *sorted(p for p in folder.glob("*") if p.is_dir()))]


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """Also after a clean end: what the program left running behind it would keep the GPU."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
