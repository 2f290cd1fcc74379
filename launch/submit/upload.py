"""The files of the working directory that a submitted job gets: which ones, how large, and as an archive."""

import fnmatch
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vaserl.errors import UserError

_TOP_FOLDERS = ("docs", "tests", "runs", "data", "dist", "build", "wandb")
"""Folders directly in the working directory that no job needs: results, data, documentation."""
_ANYWHERE = (".*", "__pycache__", "*.pyc", "*.egg-info", "node_modules")
_SECRET_FILES = (
    "token",
    "*_token",
    "*.token",
    "*.pem",
    "*.key",
    "id_rsa",
    "id_ed25519",
    "credentials",
    "credentials.json",
)
_NUM_NAMED = 8
_MB = 1_000_000
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Files that are sent to the cluster."""

    folder: Path
    sizes: dict[str, int]
    """Size in bytes of each file, by its path relative to `folder`, in sorted order."""

    @property
    def num_bytes(self) -> int:
        """Sum of the sizes, before compression."""
        return sum(self.sizes.values())

    def has(self, path: str) -> bool:
        """Tells whether a file or folder, given by its path relative to `folder`, is among the files."""
        name = os.path.normpath(path)
        return name == "." or name in self.sizes or any(file.startswith(f"{name}/") for file in self.sizes)

    def write(self, archive: Path) -> None:
        """Writes a zip file; equal files give equal bytes, so that Ray recognises an upload that it has already.

        Raises: UserError for a file that can't be read.
        """
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
            for name in self.sizes:
                path = self.folder / name
                entry = zipfile.ZipInfo(name, _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                try:
                    entry.external_attr = (path.stat().st_mode & 0xFFFF) << 16
                    content = path.read_bytes()
                except OSError as error:
                    raise UserError(
                        f"{path}: can't be uploaded: {error.strerror}. Leave it out with --exclude, or submit again"
                    ) from error
                target.writestr(entry, content)


def find_upload(folder: Path, *, max_mb: float, exclude: Sequence[str] = ()) -> Upload:
    """Returns the files below a folder that a job needs.

    Left out are hidden files, caches, files named as tokens and keys are, links to folders, links to files outside of
    the folder, and the folders docs, tests, runs, data, dist, build and wandb.

    exclude: further patterns, as in `fnmatch`, of a file's or folder's name or path. max_mb: limit in megabytes (10⁶
    bytes).

    Raises: UserError, which names the largest files, if the files are larger than the limit.
    """
    sizes = dict(sorted(_files(folder, exclude)))
    upload = Upload(folder=folder, sizes=sizes)
    if upload.num_bytes > max_mb * _MB:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:_NUM_NAMED]
        lines = [f"  {sizes[name] / _MB:8.1f} MB  {name}" for name in largest]
        raise UserError(
            f"the upload of {folder} has {upload.num_bytes / _MB:.1f} MB in {len(sizes)} files, more than {max_mb:g} "
            "MB. Its largest files:\n" + "\n".join(lines) + "\n"
            "Leave files out with --exclude PATTERN, put data and models where all nodes see them, or raise "
            "--max-upload-mb"
        )
    return upload


def _files(folder: Path, exclude: Sequence[str]) -> Iterator[tuple[str, int]]:
    def is_left_out(path: str) -> bool:
        name = os.path.basename(path)
        return any(fnmatch.fnmatch(name, pattern) for pattern in (*_ANYWHERE, *exclude)) or any(
            fnmatch.fnmatch(path, pattern) for pattern in exclude
        )

    real_folder = os.path.realpath(folder)

    def is_inside(path: str) -> bool:
        return not os.path.islink(path) or Path(os.path.realpath(path)).is_relative_to(real_folder)

    for root, folders, names in os.walk(folder):
        below = "" if Path(root) == folder else f"{Path(root).relative_to(folder).as_posix()}/"
        folders[:] = [
            name
            for name in folders
            if not is_left_out(f"{below}{name}")
            and not (not below and name in _TOP_FOLDERS)
            and not os.path.islink(os.path.join(root, name))
        ]
        for name in names:
            path = os.path.join(root, name)
            is_secret = any(fnmatch.fnmatch(name, pattern) for pattern in _SECRET_FILES)
            if not is_secret and not is_left_out(f"{below}{name}") and os.path.isfile(path) and is_inside(path):
                yield f"{below}{name}", os.path.getsize(path)
