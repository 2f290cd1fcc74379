"""Python packages that are sent with a submitted job and installed on every node before it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from vaserl.errors import UserError

_MB = 1_000_000


def check_packages(wheels: Sequence[Path], *, max_mb: float) -> None:
    """Raises UserError unless each path is a wheel that can be read, and all of them together have at most `max_mb`
    megabytes."""
    for wheel in wheels:
        if wheel.suffix != ".whl":
            raise UserError(
                f"--package {wheel}: must be a wheel (.whl); make one with `pip wheel --no-deps FOLDER`. A package's "
                "folder in the working directory is uploaded and importable without this option"
            )
        if not wheel.is_file():
            raise UserError(f"--package {wheel}: there is no such file")
    num_bytes = sum(wheel.stat().st_size for wheel in wheels)
    if num_bytes > max_mb * _MB:
        raise UserError(
            f"--package: the wheels have {num_bytes / _MB:.1f} MB, more than {max_mb:g} MB. Install large packages on "
            "all nodes, or raise --max-upload-mb"
        )


def copy_packages(wheels: Sequence[Path], folder: Path) -> list[Path]:
    """Copies the wheels to a folder, so that each attempt of a run gets the same ones. Returns: the copies."""
    folder.mkdir()
    return [Path(shutil.copy2(wheel, folder)) for wheel in wheels]
