"""Computes the hash of a file, and of all files of a folder."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 hash of the file's content as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_folder(folder: Path) -> str:
    """Returns one SHA-256 hash, as 64 hexadecimal digits, over the names and contents of all files in the folder and
    its subfolders. Hidden files and folders don't count.

    The files are hashed in parallel: the weights of a 7B model, 16 GB in five files, are read from disk anyway.
    """
    names = sorted(path.relative_to(folder) for path in Path(folder).rglob("*") if path.is_file())
    names = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    total = hashlib.sha256()
    with ThreadPoolExecutor() as threads:
        for name, digest in zip(names, threads.map(sha256_of, (folder / name for name in names)), strict=True):
            total.update(f"{name.as_posix()}\0{digest}\0".encode())
    return total.hexdigest()
