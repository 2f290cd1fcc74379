"""Reads and lists files in local folders and behind URLs.

In this module, a place is a string with the location of a file or folder: a local path, a file:// URL (treated as a
local path), or a URL of any file system that fsspec supports.
"""

import contextlib
import errno
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import fsspec
import fsspec.config

from vaserl.errors import UserError

UNDECODED = re.compile("[\udc80-\udcff]")
"""Regular expression for surrogates, which represent undecodable bytes in strings such as file names (PEP 383)."""
_DIGESTS = ("etag", "contentmd5", "md5hash", "md5", "sha256", "sha", "blobid", "crc32c", "crc", "generation", "ukey")
"""Attributes by which fsspec's file systems report a digest or version of a file, in lower case without punctuation."""
_TIMES = ("mtime", "modify", "modified", "lastmodified", "updated", "datetime", "created")
"""Attributes by which fsspec's file systems report a file's modification time, in lower case without punctuation."""


def is_url(place: str) -> bool:
    """Tells whether a place, which is a local path or a URL, is a URL. URLs are read through fsspec."""
    return "://" in place


def normalised(place: str) -> str:
    """Returns the normal form of a place.

    A URL loses its trailing slashes; a local path or file:// URL becomes an absolute path.
    """
    if place.startswith("file://"):
        place = place.removeprefix("file://")
    return place.rstrip("/") if is_url(place) else str(Path(place).absolute())


def joined(folder: str, name: str) -> str:
    """Returns the path or URL of `name` in `folder`. If `name` is a URL or absolute path, it is returned unchanged."""
    return name if is_url(name) or name.startswith("/") else f"{folder.rstrip('/')}/{name}"


def read_bytes(place: str | Path) -> bytes:
    """Returns the content of the file at a path or URL. Raises: OSError if it can't be read."""
    if isinstance(place, Path) or not is_url(place):
        return Path(place).read_bytes()
    system, path = _system(place)
    with _only_os_errors():
        return system.cat_file(path)


def write_bytes(place: str, content: bytes) -> None:
    """Writes the content to a URL in one upload. Raises: OSError if it can't be written."""
    system, path = _system(place)
    try:
        system.pipe_file(path, content)
    except FileNotFoundError:  # object stores have no folders; other file systems need them
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
        system.pipe_file(path, content)


def sizes_in(folder: str) -> dict[str, int]:
    """Returns the size in bytes of each file directly in the folder at a URL, by its name, from a new listing.

    Raises: OSError if the folder can't be listed, or doesn't exist.
    """
    system, path = _system(folder)
    with _only_os_errors():
        system.invalidate_cache(path)
        found = system.ls(path, detail=True)
    files = [entry for entry in found if entry["type"] == "file"]
    return {entry["name"].rpartition("/")[2]: int(entry["size"]) for entry in files}


def remove_file(place: str) -> None:
    """Removes the file at a URL. Raises: OSError if it can't be removed; FileNotFoundError if it doesn't exist."""
    system, path = _system(place)
    system.rm_file(path)


def sizes_below(folder: str) -> dict[str, int]:
    """Returns the size in bytes of each file below a URL, by its path relative to the URL, from a new listing.

    A listing that fsspec keeps is discarded first, because other processes write to the folder too.
    """
    system, path = _system(folder)
    system.invalidate_cache(path)
    return {name: int(facts["size"]) for name, facts in _listed(folder)}


def folders_in(folder: str) -> list[str]:
    """Returns the names of the folders directly in a URL, from a new listing; none if the URL doesn't exist."""
    system, path = _system(folder)
    system.invalidate_cache(path)
    try:
        found = system.ls(path, detail=True)
    except FileNotFoundError:
        return []
    return sorted(entry["name"].rstrip("/").rpartition("/")[2] for entry in found if entry["type"] == "directory")


def remove_below(folder: str) -> None:
    """Removes the folder at a URL with all its files, in no particular order; does nothing if it doesn't exist."""
    system, path = _system(folder)
    system.invalidate_cache(path)
    with contextlib.suppress(FileNotFoundError):
        system.rm(path, recursive=True)


def is_for_good(error: OSError) -> bool:
    """Tells whether a read error is permanent: missing file, no permission, not a file, invalid name.

    Any other error, such as a time-out, may be gone in the next run. A row of a data set must not be rejected for such
    an error, because rejections are permanent.
    """
    kinds = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
    return isinstance(error, kinds) or error.errno in (errno.ENAMETOOLONG, errno.ELOOP)


def no_answer(place: str, error: OSError) -> UserError:
    """Returns the UserError with which a run ends after a read error that isn't permanent.

    The run ends because a row must not be rejected for such an error: rejections are permanent.
    """
    return UserError(f"{place}: {type(error).__name__}: {error}. Run the command again when the storage is available")


def open_file(place: str) -> IO[bytes]:
    """Opens the file at a path or URL for reading bytes. Raises: OSError if it can't be opened."""
    if not is_url(place):
        return open(place, "rb")
    system, path = _system(place)
    return system.open(path, "rb")


def is_file(place: str) -> bool:
    """Tells whether there is a file at a path or URL.

    Raises: UserError for a URL that fsspec can't handle, or whose storage does not answer.
    """
    if not is_url(place):
        return os.path.isfile(place)
    system, path = _system(place)
    try:
        with _only_os_errors():
            return system.info(path)["type"] == "file"  # fsspec's isfile says False after any error
    except FileNotFoundError:
        return False
    except OSError as error:
        raise no_answer(place, error) from error


def is_folder(place: str) -> bool:
    """Tells whether there is a folder at a path or URL. Raises: UserError for a URL that fsspec can't handle."""
    if not is_url(place):
        return os.path.isdir(place)
    system, path = _system(place)
    return system.isdir(path)


def files_below(folder: str) -> Iterator[str]:
    """Yields the paths of all files in a folder and its subfolders, without hidden files and folders.

    The paths are relative to the folder, with "/" as separator.

    Raises: UserError for a file name that isn't valid UTF-8.
    """
    if not is_url(folder):
        for root, folders, files in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if not name.startswith("."):
                    path = Path(root, name).relative_to(folder).as_posix()
                    if UNDECODED.search(path):
                        raise UserError(f"{folder}: the name of {os.fsencode(path)!r} is not UTF-8; rename the file")
                    yield path
        return
    for name, _ in _listed(folder):
        if not any(part.startswith(".") for part in name.split("/")):
            yield name


def versions_below(folder: str) -> dict[str, list[str]]:
    """Returns the version of each file below a URL, by the URL of the file, from one listing of the files.

    A version consists of the file's digest, or its modification time if the listing contains no digest, and of its size
    if the listing contains it. For a local folder the result is empty: its files can be examined one by one.
    """
    if not is_url(folder):
        return {}
    found = ((joined(folder, name), _version(facts)) for name, facts in _listed(folder))
    return {place: version for place, version in found if version}


def local_copy(place: str, folder: Path) -> Path:
    """Returns a local path of the file at a path or URL; a remote file is copied to `folder`.

    Raises: OSError if the file can't be read or copied.
    """
    if not is_url(place):
        return Path(place)
    target = folder / place.rsplit("/", 1)[-1]
    target.write_bytes(read_bytes(place))
    return target


def use_storage_options(place: str, options: Mapping[str, Any]) -> None:
    """Sets the options that fsspec uses for the file system of a URL, in this process; does nothing for a local path.

    `storage_environment` passes the options on to other processes.
    """
    if is_url(place):
        # in "simplecache::s3://…" the options belong to the last protocol, the one that uses the network
        protocol = place.partition("://")[0].rpartition("::")[2]
        fsspec.config.conf.setdefault(protocol, {}).update(options)


def storage_environment() -> dict[str, str]:
    """Returns environment variables by which another process gets the fsspec options of this process."""
    return {f"FSSPEC_{protocol.upper()}": json.dumps(options) for protocol, options in fsspec.config.conf.items()}


def _listed(folder: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields a pair for each file below a URL: its path relative to the URL, and the attributes that fsspec reports."""
    system, path = _system(folder)
    start = path.rstrip("/") + "/"
    for found, facts in system.find(path, detail=True).items():
        yield found.removeprefix(start), facts


def _version(facts: Mapping[str, Any]) -> list[str]:
    stated = {
        re.sub(r"[\W_]", "", name).lower(): str(value) for name, value in facts.items() if value not in (None, "")
    }
    digests, times = ([f"{name}={stated[name]}" for name in names if name in stated] for names in (_DIGESTS, _TIMES))
    return (digests or times) + ([f"size={stated['size']}"] if "size" in stated else [])


@contextlib.contextmanager
def _only_os_errors() -> Iterator[None]:
    """Raises OSError for every error of a file system's client in the block: some raise classes of their own, for
    example for credentials that are absent."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _system(place: str) -> tuple[Any, str]:
    try:
        return fsspec.core.url_to_fs(place)
    except (ImportError, ValueError) as error:  # the protocol's package is missing, or the protocol is unknown
        raise UserError(f"{place}: {error}") from error
