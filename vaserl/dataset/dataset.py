"""The folder of a curated data set. `DataSet` is its only reader and writer:

manifest.parquet         one row for each input photograph, see `Row`
clips/<sha256>.mp4       turntable videos
models/<vase>.glb        3D models
pictures/<sha256>        photographs that an imported table held itself, instead of naming their files
views/<vase>/<view>.png  canonical views of the 3D models and their normal maps, if turntable.stills is set
DATASET.md               the card, which describes the data set, with contact_sheet.png
config.toml              the settings that the data set was curated with
curation.json            summary of the curation run, and the version of vaserl that wrote the data set
.work/                   the curation job's lock, and its finished shards, from which a killed job resumes
"""

import functools
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from vaserl.dataset import names
from vaserl.dataset.manifest import Manifest
from vaserl.dataset.row import SPLITS, Row
from vaserl.dataset.vase import Vase
from vaserl.dataset.writer import CURRENT_WRITER, DATASET_FORMAT, Writer
from vaserl.errors import UserError
from vaserl.files import UNFINISHED, sha256_of, write_atomic
from vaserl.files.clip import ClipStore
from vaserl.files.fetched_clips import FetchedClips
from vaserl.files.node_cache import NodeCache
from vaserl.files.storage import is_file, is_url, joined, no_answer, read_bytes, sizes_in
from vaserl.settings import DataSettings
from vaserl.settings.section import Section, dump_config, load_config
from vaserl.types import FIELD_OF_DIMENSION

_BYTES_PER_GB = 10**9
_SectionT = TypeVar("_SectionT", bound=Section)


class DataSet:
    """A data set's folder: its paths, typed reads and atomic writes. A file is read when the property or method for it
    is used, not on construction.

    The folder may be behind an fsspec URL. Then rows, vases and clips can be read, for which the clips are fetched; all
    else needs a folder on a file system.
    """

    def __init__(self, root: Path | str, cache: NodeCache | None = None) -> None:
        """root: path or URL of the folder. cache: folder for the clips that are fetched from a URL."""
        self.root = str(root).rstrip("/") if is_url(str(root)) else str(Path(root))
        self._cache = cache

    @classmethod
    def of_settings(cls, settings: DataSettings) -> "DataSet":
        """Returns the data set that a job reads."""
        return cls(settings.path, NodeCache(settings.cache_folder, int(settings.cache_max_gb * _BYTES_PER_GB)))

    @property
    def path(self) -> Path:
        """The folder. Raises: UserError if it is behind a URL."""
        if is_url(self.root):
            raise UserError(f"{self.root} must be on a file system (POSIX) for this. Copy the data set to a folder")
        return Path(self.root)

    @property
    def exists(self) -> bool:
        """True if the folder contains a manifest."""
        return is_file(self.place(names.MANIFEST))

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the manifest, which contains the content hash of each photograph and turntable video."""
        if is_url(self.root):
            return hashlib.sha256(self._read(names.MANIFEST)).hexdigest()
        return sha256_of(self.path / names.MANIFEST)

    @property
    def rows(self) -> Manifest:
        """All rows of the manifest. Each iteration reads the file again and holds one batch of rows in memory.

        Raises: UserError when a newer version wrote the data set in a format that this version does not know.
        """
        writer = self.writer
        if writer.format > DATASET_FORMAT:
            raise UserError(
                f"{self.root} was written by {writer}; this is {CURRENT_WRITER}, which can't read newer formats. "
                f"Install vaserl {writer.vaserl} or newer."
            )
        return Manifest(self.place(names.MANIFEST))

    def vases(self, split: str) -> list[Vase]:
        """Returns the vases of one split, sorted by id.

        Raises: UserError when the split has no vase, when a vase's record states none of the six dimensions (fabric,
        technique, …), or when a vase's turntable video is missing.
        """
        splits: set[str] = set()
        vases: list[Vase] = []
        has_clip = self._clip_test()
        for row in self.rows:
            if row.kept:
                splits.add(row.split)
                if row.split == split:
                    vases.append(self._vase(row, has_clip))
        if not vases:
            found = f"splits there: {', '.join(sorted(splits))}"
            detail = found if splits else "every photograph was rejected, or there was none"
            # the keys of the curation config that make the splits other than "train"
            hint = f"; set split.num_{split} in the config of `launch curate` and curate again"
            hint += ", or import published data with --num-val" * (split == "val")
            hint = hint if splits and split in SPLITS[1:] else ""
            raise UserError(f"data set {self.root} has no vase in split {split!r} ({detail}){hint}")
        return sorted(vases, key=lambda vase: vase.id)

    @property
    def clips(self) -> ClipStore:
        """Store of the turntable videos, which are named by content hash."""
        if is_url(self.root):
            assert self._cache is not None, "of_settings makes a data set behind a URL"
            return FetchedClips(self.place(names.CLIPS), self._cache)
        return ClipStore(self.path / names.CLIPS)

    def clip_path(self, digest: str) -> Path:
        """Returns the path of the turntable video with this content hash; the file need not exist."""
        return self.path / names.clip_name(digest)

    def mesh(self, row: Row | Vase) -> Path:
        """Returns the path of the row's 3D model (GLB); the row must have a 3D model."""
        return self._inside(row.mesh)

    def place(self, name: str) -> str:
        """Returns the path or URL of a file, such as a photograph, from its name in a row."""
        return joined(self.root, name)

    def add_picture(self, content: bytes) -> Path:
        """Stores a photograph's file in the data set, named by its content hash. Returns: its path."""
        path = self.path / names.PICTURES / hashlib.sha256(content).hexdigest()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
        return path

    @property
    def models(self) -> Path:
        """Folder of the 3D models (GLB files)."""
        return self.path / names.MODELS

    @property
    def work(self) -> Path:
        """Folder of the curation job's finished shards and of its lock."""
        return self.path / names.WORK

    @property
    def sheet(self) -> Path:
        """Path of the contact sheet, the picture in the card; the file need not exist."""
        return self.path / names.SHEET

    @property
    def card(self) -> str | None:
        """Text of the card, which describes the data set; None if there is no card."""
        path = self.path / names.CARD
        return path.read_text() if path.is_file() else None

    @property
    def summary(self) -> dict[str, Any]:
        """Summary of the curation run; empty if there is none, as in an imported data set.

        Raises: UserError when the file is damaged.
        """
        if not is_file(self.place(names.SUMMARY)):
            return {}
        try:
            return json.loads(self._read(names.SUMMARY))
        except ValueError as error:
            raise UserError(f"{self.place(names.SUMMARY)} is not JSON: {error}; remove it, or curate again") from error

    @property
    def writer(self) -> Writer:
        """Version of vaserl and of the data set format that the data set was written with."""
        return Writer.of_summary(self.summary)

    def settings(self, kind: type[_SectionT]) -> _SectionT | None:
        """Returns the settings that the data set was curated with; None if it has no settings file.

        Raises: UserError, naming the version that wrote the settings, when this version can't read them.
        """
        path = self.path / names.SETTINGS
        if not path.is_file():
            return None
        try:
            return load_config(kind, path)
        except UserError as error:
            raise UserError(
                f"{error}\n{self.path} was written by {self.writer}; this is {CURRENT_WRITER}. Curate again, or remove "
                f"{path.name} to do without its thresholds and its license."
            ) from error

    def views(self, mesh: str) -> Path:
        """Returns the folder of the canonical views of the 3D model whose path is `mesh`."""
        return self.path / names.VIEWS / Path(mesh).stem

    def write_rows(self, rows: Iterable[Row]) -> None:
        """Writes the manifest atomically, sorted by the photographs' paths."""
        self.rows.write(sorted(rows, key=lambda row: row.photo))

    def link_files(self, source: "DataSet") -> None:
        """Creates symbolic links to the folders of turntable videos and 3D models of the data set `source`."""
        for name in (names.CLIPS, names.MODELS):
            target = (source.path / name).resolve()
            if target.is_dir() and not (self.path / name).exists():
                (self.path / name).symlink_to(target)

    def write_card(self, text: str, sheet: Image.Image | None) -> None:
        """Writes the contact sheet, if there is one, and then the card, each atomically."""
        if sheet is not None:
            picture = io.BytesIO()
            sheet.save(picture, format="PNG", optimize=True)
            write_atomic(self.sheet, picture.getvalue())
        write_atomic(self.path / names.CARD, text.encode())

    def write_settings(self, settings: Section) -> None:
        """Writes the settings atomically, in the format that `settings` reads."""
        write_atomic(self.path / names.SETTINGS, dump_config(settings).encode())

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Writes the summary of a run atomically, with the version of vaserl and the number of the data set format."""
        content = {"vaserl": CURRENT_WRITER.vaserl, "format": CURRENT_WRITER.format, **summary}
        write_atomic(self.path / names.SUMMARY, (json.dumps(content, indent=2) + "\n").encode())

    def sweep(self) -> int:
        """Removes unfinished files and folders, which killed processes left. The caller must hold the lock in `work`.

        Returns: the number of files and folders removed.
        """
        folders = ("", f"{names.WORK}/*/", f"{names.MODELS}/", f"{names.CLIPS}/", f"{names.VIEWS}/*/")
        patterns = [*(f"{folder}{UNFINISHED}" for folder in folders), f"{names.MODELS}/{names.UNFINISHED_MODEL}*"]
        unfinished = [path for pattern in patterns for path in self.path.glob(pattern)]
        for path in unfinished:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return len(unfinished)

    def _inside(self, name: str) -> Path:
        """Returns the path of a file that the manifest names. Raises: UserError for one outside of the folder, which a
        manifest of somebody else could make a command read or publish."""
        if name.startswith("/") or ".." in Path(name).parts:
            raise UserError(
                f"{self.place(names.MANIFEST)} names the file {name!r} outside of the data set; remove the row"
            )
        return self.path / name

    def _read(self, name: str) -> bytes:
        place = self.place(name)
        try:
            return read_bytes(place)
        except OSError as error:
            raise no_answer(place, error) from error

    def _clip_test(self) -> Callable[[str], bool]:
        """Returns a function that tells whether there is a clip with a hash. Clips behind a URL are listed once, at its
        first call."""
        if not is_url(self.root):
            return lambda digest: self.clip_path(digest).is_file()
        listed = functools.cache(self._clip_names)
        return lambda digest: f"{digest}.mp4" in listed()

    def _clip_names(self) -> frozenset[str]:
        folder = self.place(names.CLIPS)
        try:
            return frozenset(sizes_in(folder))
        except FileNotFoundError:
            return frozenset()
        except OSError as error:
            raise no_answer(folder, error) from error

    def _vase(self, row: Row, has_clip: Callable[[str], bool]) -> Vase:
        manifest = self.place(names.MANIFEST)
        if not any(row.record.get(field) for field in FIELD_OF_DIMENSION.values()):
            raise UserError(
                f"{manifest}: vase {row.vase_id} ({row.photo}) has a record that states no dimension; "
                f"it must contain one of the fields {', '.join(FIELD_OF_DIMENSION.values())}"
            )
        if not names.is_clip_digest(row.clip):
            raise UserError(f"{manifest}: vase {row.vase_id}: its clip {row.clip!r} is no SHA-256; curate again")
        if not has_clip(row.clip):
            raise UserError(
                f"{manifest}: vase {row.vase_id}: its turntable video {names.clip_name(row.clip)} is missing"
            )
        return Vase.of_row(row)
