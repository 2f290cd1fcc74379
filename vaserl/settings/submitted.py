"""Where relative paths of a config lead in a submitted job, whose working directory is a temporary copy."""

import json
import os
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

STORAGE = "VASERL_STORAGE"
"""Environment variable with the storage root of submitted jobs: a folder that all nodes see at the same path, or a
URL."""
_JOB_CONFIG = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Environment variable that Ray's job server sets for each process that it starts as a job's driver."""

# A password may contain "/" and "@" although it should not. The user of a web address is often a token; that of other
# URLs is not: abfs://container@account
_PASSWORD = re.compile(r"://[^/\s]*:\S*@|https?://[^/\s]*@", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRole:
    """What a job does with the path in a settings field. A field of type Path without a role is read, and no URL."""

    written: bool = False
    """True if the job writes to the path."""
    url: bool = False
    """True if the path may be an fsspec URL."""


READ = PathRole()
WRITTEN = PathRole(written=True)
READ_OR_URL = PathRole(url=True)
WRITTEN_OR_URL = PathRole(written=True, url=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlace:
    """Surroundings of a submitted job, by which its relative paths are resolved."""

    storage: str
    """Storage root, see `STORAGE`; empty if there is none."""
    uploaded: Callable[[str], bool]
    """Tells whether a relative path exists in the uploaded copy of the working directory."""

    def resolve(self, path: str, role: PathRole) -> str:
        """Returns the path that a path of the config stands for.

        Absolute paths and URLs stay. A relative path that is read, and was uploaded, stays relative to the working
        directory. Any other relative path leads to the storage root.

        Example: with the storage root /nfs/vases, "runs/a" becomes "/nfs/vases/runs/a".

        Raises: ValueError, with what to do, if there is no storage root, or if it is unfit for the path.
        """
        if not path or path.startswith(("/", "~")) or "://" in path or (not role.written and self.uploaded(path)):
            return path
        if not self.storage:
            reason = (
                "is relative, and the working directory of a submitted job vanishes with the job"
                if role.written
                else "is relative, and not among the uploaded files"
            )
            raise ValueError(
                f"{path!r} {reason}. Set {STORAGE} to a folder that all nodes see, to which relative paths then lead, "
                "or give an absolute path"
            )
        if "://" in self.storage and not role.url:
            raise ValueError(
                f"{path!r} would lead to {STORAGE} = {without_password(self.storage)}, but this path must be on a "
                "file system that all nodes mount (POSIX): the job needs its locks and atomic renames. Give an "
                "absolute path on such a file system"
            )
        if "://" not in self.storage and not self.storage.startswith("/"):
            raise ValueError(f"{STORAGE} = {self.storage!r} must be an absolute path or a URL")
        inner = posixpath.normpath(path)
        if inner.split("/")[0] == "..":
            raise ValueError(f"{path!r} leads out of {STORAGE}. Give an absolute path")
        return f"{self.storage.rstrip('/')}/{inner}"


def job_place(environment: Mapping[str, str]) -> JobPlace | None:
    """Returns the surroundings of a submitted job, whose driver has these environment variables and the current
    working directory; None for a process that is no such driver."""
    try:
        metadata = json.loads(environment.get(_JOB_CONFIG, "{}")).get("metadata") or {}
    except ValueError:
        return None
    if "job_submission_id" not in metadata:
        return None
    storage = environment.get(STORAGE, "").removeprefix("file://")
    return JobPlace(storage=storage, uploaded=lambda path: os.path.exists(Path(path)))


def has_password(text: str) -> bool:
    """Tells whether a text contains a URL with a password."""
    return _PASSWORD.search(text) is not None


def without_password(place: str) -> str:
    """Returns a URL without user name and password; a local path stays.

    A password may contain "/" and "@", so where there is one, or a port, everything up to the last "@" is left out.
    """
    protocol, separator, rest = place.partition("://")
    if not separator:
        return place
    host, slash, path = rest.partition("/")
    if ":" in host:
        return f"{protocol}://{rest.rpartition('@')[2]}"
    return f"{protocol}://{host.rpartition('@')[2]}{slash}{path}"
