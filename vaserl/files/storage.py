"""Where photographs and records lie: a path on this machine, or a URL of any file system that fsspec knows.

A place is a text. One with "://" in it is read through fsspec; anything else is a local path, file:// included.
"""

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
"""What bytes that are no UTF-8 are read as, in names and in tables."""
_DIGESTS = ("etag", "contentmd5", "md5hash", "md5", "sha256", "sha", "blobid", "crc32c", "crc", "generation", "ukey")
"""What fsspec's file systems call that which changes with a file's content, in small letters."""
_TIMES = ("mtime", "modify", "modified", "lastmodified", "updated", "datetime", "created")


def is_url(place: str) -> bool:
    """Whether fsspec reads it, and not the operating system."""
    return "://" in place


def normalised(place: str) -> str:
    """A URL as it is, without a slash at its end; a local path or file:// URL as an absolute path."""
    if place.startswith("file://"):
        place = place.removeprefix("file://")
    return place.rstrip("/") if is_url(place) else str(Path(place).absolute())


def joined(folder: str, name: str) -> str:
    """The place of `name` below `folder`; a URL or an absolute path is a place already."""
    return name if is_url(name) or name.startswith("/") else f"{folder.rstrip('/')}/{name}"


def read_bytes(place: str | Path) -> bytes:
    """The file's content. Raises: OSError."""
    if isinstance(place, Path) or not is_url(place):
        return Path(place).read_bytes()
    system, path = _system(place)
    return system.cat_file(path)


def is_for_good(error: OSError) -> bool:
    """Whether a file can't be read because of what it is. Anything else, such as a network without an answer or a disk
    that was taken away, may be well tomorrow, and what is rejected for it would stay rejected."""
    kinds = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
    return isinstance(error, kinds) or error.errno in (errno.ENAMETOOLONG, errno.ELOOP)


def no_answer(place: str, error: OSError) -> UserError:
    """What ends a run over such an error, so that nothing is rejected for it."""
    return UserError(f"{place}: {type(error).__name__}: {error}. Give the same command again later")


def open_file(place: str) -> IO[bytes]:
    """The file, to be read in parts. Raises: OSError."""
    if not is_url(place):
        return open(place, "rb")
    system, path = _system(place)
    return system.open(path, "rb")


def is_file(place: str) -> bool:
    """Whether there is a file. Raises: UserError for a file system that can't be asked."""
    if not is_url(place):
        return os.path.isfile(place)
    system, path = _system(place)
    return system.isfile(path)


def is_folder(place: str) -> bool:
    """Whether there is a folder. Raises: UserError for a file system that can't be asked."""
    if not is_url(place):
        return os.path.isdir(place)
    system, path = _system(place)
    return system.isdir(path)


def files_below(folder: str) -> Iterator[str]:
    """Names of the files below the folder, relative to it, "/" between their parts; hidden ones are left out.

    Raises: UserError for a name that is no text.
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
    """By place below the folder, what tells one version of a file from another, as far as one listing of a URL says:
    a digest of its content or else its time, with its size. {} for a local folder, whose files can be asked one by one.
    """
    if not is_url(folder):
        return {}
    found = ((joined(folder, name), _version(facts)) for name, facts in _listed(folder))
    return {place: version for place, version in found if version}


def local_copy(place: str, folder: Path) -> Path:
    """The file as a local one: itself, or a copy in `folder` under its name. Raises: OSError."""
    if not is_url(place):
        return Path(place)
    target = folder / place.rsplit("/", 1)[-1]
    target.write_bytes(read_bytes(place))
    return target


def use_storage_options(place: str, options: Mapping[str, Any]) -> None:
    """Opens the place's file system with these options, here and in processes that get `storage_environment`."""
    if is_url(place):
        # of "simplecache::s3://…" the options are meant for the last one, which is asked over the network
        protocol = place.partition("://")[0].rpartition("::")[2]
        fsspec.config.conf.setdefault(protocol, {}).update(options)


def storage_environment() -> dict[str, str]:
    """Environment variables under which another process opens file systems with the options of this one."""
    return {f"FSSPEC_{protocol.upper()}": json.dumps(options) for protocol, options in fsspec.config.conf.items()}


def _listed(folder: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Names of the files below a URL, relative to it, with what its file system says of each."""
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


def _system(place: str) -> tuple[Any, str]:
    try:
        return fsspec.core.url_to_fs(place)
    except (ImportError, ValueError) as error:  # the protocol's package is absent, or nobody knows the protocol
        raise UserError(f"{place}: {error}") from error
